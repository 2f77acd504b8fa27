"""What cotadmin stores."""

from .attempt import Attempt
from .audit import AuditAction, AuditEntry
from .company import Company
from .hand_off import HandOff, HandOffState
from .imports import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .ingest import AcceptedEvent, ApiToken, Door, UnmatchedCount
from .lane import DUE_CHANNEL, RUN_BEGAN, take_position, wake
from .payload import Payload
from .refusals import RefusalCount, RefusalKind, RefusedEvent
from .retention import Retention
from .rollup import Cell, CellOfAll, DurationCell, DurationRollup, Rollup, RollupDelta, RollupOfAll
from .round import RedeliveryRefused
from .run import FIRST_STEP, LAST_STEP, WINDOW, Canary, PauseReason, Run, RunState, Source, StaleChoice
from .run_entry import Outcome, RunEntry, Why
from .saved_view import SavedView
from .sign_in import SignInTries
from .states import AttemptTrigger, Cause, State, Turn
from .subscription import Subscription, Trigger
from .variant import Variant
from .waiting_skip import WaitingSkip
from .webhook_log import WebhookLog
from .worker import DeliveryCount, LaneGroup, Worker

__all__ = [
    "DUE_CHANNEL",
    "FIRST_STEP",
    "LAST_STEP",
    "RUN_BEGAN",
    "WINDOW",
    "AcceptedEvent",
    "ApiToken",
    "Attempt",
    "AttemptTrigger",
    "AuditAction",
    "AuditEntry",
    "Canary",
    "Cause",
    "Cell",
    "CellOfAll",
    "Company",
    "DeliveryCount",
    "Door",
    "DurationCell",
    "DurationRollup",
    "HandOff",
    "HandOffState",
    "Import",
    "ImportChunk",
    "ImportKind",
    "ImportState",
    "LaneGroup",
    "Outcome",
    "PauseReason",
    "Payload",
    "RedeliveryRefused",
    "RefusalCount",
    "RefusalKind",
    "RefusedDocument",
    "RefusedEvent",
    "Retention",
    "Rollup",
    "RollupDelta",
    "RollupOfAll",
    "Run",
    "RunEntry",
    "RunState",
    "SavedView",
    "SignInTries",
    "Source",
    "StaleChoice",
    "State",
    "Subscription",
    "Trigger",
    "Turn",
    "UnmatchedCount",
    "Variant",
    "WaitingSkip",
    "WebhookLog",
    "Why",
    "Worker",
    "take_position",
    "wake",
]
