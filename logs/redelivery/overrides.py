"""Redelivery with changes: who may do it, what an edited payload changes, and queueing it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _

from ..models import Attempt, AttemptTrigger, AuditAction, AuditEntry, RedeliveryOverride, WebhookLog
from ..payloads import comparison
from ..payloads.exact_json import parse_json
from ..payloads.masking import mask_json, mask_url, masked_keys


@dataclass(frozen=True)
class OverridePermissions:
    """What a person may do with one log. `is_masked`: its payload has masked values. `may_reveal`: the person may see them.

    A person who chooses where a payload goes can read it there. A person who edits it sees all of it. So both need the
    permissions for reading it.
    """

    to_send_elsewhere: bool
    to_edit: bool
    is_masked: bool
    may_reveal: bool

    @property
    def is_hindered(self) -> bool:
        return self.is_masked and not self.may_reveal


def override_permissions(user, event: str | None) -> OverridePermissions:
    """`event`: the stored one; None if it has expired."""
    is_masked = event is not None and mask_json(event, masked_keys()) != event
    may_reveal = user.has_perm("logs.reveal_masked")
    may_read = user.has_perm("logs.view_payload") and (may_reveal or not is_masked)
    return OverridePermissions(
        to_send_elsewhere=may_read and user.has_perm("logs.redeliver_to_custom_url"),
        to_edit=may_read and user.has_perm("logs.redeliver_edited_payload"),
        is_masked=is_masked,
        may_reveal=may_reveal,
    )


def redelivery_error(log: WebhookLog) -> str:
    """Why the log can't be sent now; "" if it can."""
    if log.is_queued:
        return _("It is already in its queue and will be sent from there.")
    return str(log.redelivery_error())


def override_differences(stored: str, sent: str) -> comparison.Comparison:
    """What a person has changed in the stored event."""
    return comparison.compare_edit(parse_json(stored), parse_json(sent), masked_keys())


def override_attempts(log: WebhookLog) -> list[Attempt]:
    """The attempts in order, each with the override that it sent, if any. Edited events are not loaded.

    If the log was imported and never sent by cotadmin, this is Cotalker's attempt, as the log reports it.
    """
    attempts = list(log.attempts.select_related("actor"))
    if not attempts and log.is_imported:
        return [Attempt.of_cotalker(log)]
    overridden = [attempt for attempt in attempts if attempt.trigger == AttemptTrigger.OVERRIDE]
    overrides = {override.number: override for override in log.overrides.defer("event")} if overridden else {}
    for attempt in overridden:
        attempt.override = overrides.get(attempt.number)
    return attempts


def queued_override(log: WebhookLog) -> RedeliveryOverride | None:
    """The override that the next attempt of the log sends; None if it sends the log unchanged."""
    if not log.is_queued or log.trigger != AttemptTrigger.OVERRIDE:
        return None
    return log.overrides.defer("event").filter(number=(log.attempt_count or 0) + 1).first()


def queue_override(log: WebhookLog, override: RedeliveryOverride, stored: str, *, expected_attempts: int) -> bool:
    """Queue a redelivery with changes. Returns False if nothing was queued. Raises RedeliveryRefused.

    The audit entry has the pointers that were changed, never values.
    """
    with transaction.atomic():
        if not log.redeliver_with_override(override, expected_attempts=expected_attempts):
            return False
        AuditEntry.record(
            override.requested_by, AuditAction.REDELIVERED_WITH_CHANGES, log.pk, _audit_detail(override, stored)
        )
    return True


def _audit_detail(override: RedeliveryOverride, stored: str) -> str:
    parts = [f"attempt {override.number}: {override.reason}"]
    if override.has_custom_url:
        parts.append(f"to {mask_url(override.url, masked_keys())}")
    if override.event is not None:
        parts.append(
            ", ".join(
                difference.pointer or "/" for difference in override_differences(stored, override.event).differences
            )
        )
    return " · ".join(filter(None, parts))
