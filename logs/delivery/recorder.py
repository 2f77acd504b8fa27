"""Writes down the outcome of an attempt: the attempt itself, always, and the log, where this settles it."""

from __future__ import annotations

from django.db import transaction

from ..masked_keys import masked_keys
from ..models import Attempt, AttemptTrigger, State, WebhookLog
from ..payloads.masking import mask_text
from ..search import response_vector
from .lanes import Delivery
from .policy import fingerprint
from .sender import Outcome


def record(delivery: Delivery, outcome: Outcome) -> Attempt:
    """Store the attempt and settle the log, in one transaction.

    A log that was received stays received whatever comes of it (domain.md, rule 5): then only the attempt is new.
    """
    with transaction.atomic():
        log = WebhookLog.objects.select_for_update().get(pk=delivery.log_id)
        last = log.attempts.order_by("number").last()
        if last is None:
            last = Attempt.of_cotalker(log)  # what the log told until now would be overwritten below
            last.save()
        attempt = Attempt.objects.create(
            log=log,
            number=last.number + 1,
            trigger=AttemptTrigger.MANUAL,
            actor_id=delivery.requested_by_id,
            started_at=outcome.started_at,
            duration_ms=outcome.duration_ms,
            url=delivery.url,
            status=outcome.status,
            response_headers=outcome.response_headers,
            response=outcome.response,
            is_truncated=outcome.is_truncated,
            cause=outcome.cause,
            note=outcome.note[:200],
        )
        log.retry = attempt.number
        log.next_attempt_at = log.requested_by = None
        if outcome.is_success or log.state != State.SUCCEEDED:
            log.state = State.SUCCEEDED if outcome.is_success else State.FAILED
            log.status = outcome.status
            log.response = outcome.response
            log.cause = outcome.cause
            shown = mask_text(outcome.response, masked_keys())  # a fingerprint is shown, and secrets are not
            log.fingerprint = fingerprint(shown, outcome.status, outcome.cause) if outcome.cause else ""
            log.duration_ms = outcome.duration_ms
            log.search = response_vector(outcome.response, masked_keys())
        log.save()
    return attempt
