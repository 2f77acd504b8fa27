"""What cotadmin stores."""

from .attempt import Attempt
from .audit import AuditAction, AuditEntry
from .bulk_redelivery import (
    FAILURE_WINDOW,
    FIRST_STAGE,
    LAST_STAGE,
    BulkRedeliveryState,
    ItemOutcome,
    PauseReason,
    RolloutPolicy,
    Run,
    RunEntry,
    SelectionSource,
    SkipReason,
    SupersededPolicy,
)
from .bulk_skip import WaitingSkip
from .choices import AttemptTrigger, Cause, Priority, State
from .company import Company
from .credentials import AcceptedEvent, ApiToken, Door, UnmatchedCount
from .imports import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .log_counts import Cell, CellOfAll, DurationCell, DurationRollup, Rollup, RollupDelta, RollupOfAll
from .payload import Payload
from .queue import DISPATCH_SIGNAL, QUEUE_CHANNEL, notify_workers, take_position
from .redeliverable import RedeliveryRefused
from .redelivery_override import Variant
from .refusals import RefusalCount, RefusalKind, RefusedEvent
from .retention import Retention
from .saved_view import SavedView
from .share_link import HandOff, ShareLinkState
from .sign_in import SignInTries
from .subscription import Subscription, Trigger
from .webhook_log import WebhookLog
from .worker import DeliveryCount, LaneGroup, Worker

__all__ = [
    "DISPATCH_SIGNAL",
    "FAILURE_WINDOW",
    "FIRST_STAGE",
    "LAST_STAGE",
    "QUEUE_CHANNEL",
    "AcceptedEvent",
    "ApiToken",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "BulkRedeliveryState",
    "Cause",
    "Cell",
    "CellOfAll",
    "Company",
    "DeliveryCount",
    "Door",
    "DurationCell",
    "DurationRollup",
    "HandOff",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportState",
    "ItemOutcome",
    "LaneGroup",
    "PauseReason",
    "Payload",
    "Priority",
    "RedeliveryRefused",
    "RefusalCount",
    "RefusalKind",
    "RefusedDocument",
    "RefusedEvent",
    "Retention",
    "RolloutPolicy",
    "Rollup",
    "RollupDelta",
    "RollupOfAll",
    "Run",
    "RunEntry",
    "SavedView",
    "SelectionSource",
    "ShareLinkState",
    "SignInTries",
    "SkipReason",
    "State",
    "Subscription",
    "SupersededPolicy",
    "Trigger",
    "UnmatchedCount",
    "Variant",
    "WaitingSkip",
    "WebhookLog",
    "Worker",
    "notify_workers",
    "take_position",
]
