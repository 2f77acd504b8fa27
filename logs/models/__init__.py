"""What cotadmin stores."""

from .attempt import Attempt
from .audit import AuditAction, AuditEntry
from .bulk_redelivery import (
    FAILURE_WINDOW,
    FIRST_STAGE,
    LAST_STAGE,
    MAX_UNKNOWN_IDS,
    BulkRedelivery,
    BulkRedeliveryItem,
    PauseReason,
    RolloutPolicy,
    SelectionSource,
    SupersededPolicy,
)
from .bulk_skip import BulkSkip
from .choices import (
    FINISHED_STATES,
    TYPE_OF_TRIGGER,
    AttemptTrigger,
    BulkRedeliveryState,
    Cause,
    EventAction,
    EventType,
    ImportState,
    ItemOutcome,
    Priority,
    ShareLinkState,
    SkipReason,
    State,
    Trigger,
)
from .company import Company
from .credentials import AcceptedEvent, ApiToken, InboundEndpoint, UnmatchedCount
from .imports import Import, ImportChunk, ImportKind, RejectedDocument
from .incident import Incident, IncidentEntry, IncidentInbox, IncidentLog, IncidentState
from .log_counts import (
    CompactedDurationCount,
    CompactedLogCount,
    CompactedLogCountTotal,
    DurationCount,
    LogCount,
    LogCountDelta,
    LogCountTotal,
)
from .payload import Payload
from .queue import DISPATCH_SIGNAL, QUEUE_CHANNEL, next_sequence, notify_workers
from .redeliverable import RedeliveryRefused
from .redelivery_override import RedeliveryOverride
from .rejections import RejectedEvent, RejectionCount, RejectionKind
from .retention import Retention
from .saved_view import SavedView
from .share_link import ShareLink
from .sign_in import SignInAttempts
from .subscription import Subscription
from .webhook_log import WebhookLog
from .worker import DeliveryCount, QueueShard, Worker

__all__ = [
    "DISPATCH_SIGNAL",
    "FAILURE_WINDOW",
    "FINISHED_STATES",
    "FIRST_STAGE",
    "LAST_STAGE",
    "MAX_UNKNOWN_IDS",
    "QUEUE_CHANNEL",
    "TYPE_OF_TRIGGER",
    "AcceptedEvent",
    "ApiToken",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "BulkRedelivery",
    "BulkRedeliveryItem",
    "BulkRedeliveryState",
    "BulkSkip",
    "Cause",
    "CompactedDurationCount",
    "CompactedLogCount",
    "CompactedLogCountTotal",
    "Company",
    "DeliveryCount",
    "DurationCount",
    "EventAction",
    "EventType",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportState",
    "InboundEndpoint",
    "Incident",
    "IncidentEntry",
    "IncidentInbox",
    "IncidentLog",
    "IncidentState",
    "ItemOutcome",
    "LogCount",
    "LogCountDelta",
    "LogCountTotal",
    "PauseReason",
    "Payload",
    "Priority",
    "QueueShard",
    "RedeliveryOverride",
    "RedeliveryRefused",
    "RejectedDocument",
    "RejectedEvent",
    "RejectionCount",
    "RejectionKind",
    "Retention",
    "RolloutPolicy",
    "SavedView",
    "SelectionSource",
    "ShareLink",
    "ShareLinkState",
    "SignInAttempts",
    "SkipReason",
    "State",
    "Subscription",
    "SupersededPolicy",
    "Trigger",
    "UnmatchedCount",
    "WebhookLog",
    "Worker",
    "next_sequence",
    "notify_workers",
]
