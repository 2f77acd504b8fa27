"""Sending a test event to one subscription, because somebody asks for it, whoever delivers its events otherwise."""

from __future__ import annotations

import json

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..cotalker.documents import read_event
from ..models import AuditAction, AuditEntry, Subscription
from .accepting import accept_test
from .arrivals import Reach, arrival_of
from .sample_events import sample_event


class NotTestable(Exception):
    """No test event can be sent to the subscription; the message tells a person why and what to do."""


def send_test_event(subscription: Subscription, *, by, detail: str = "") -> str:
    """The id of the new log; on record with `detail`. Raises NotTestable."""
    if reason := why_not_testable(subscription):
        raise NotTestable(reason)
    text = json.dumps(sample_event(subscription, timezone.now()), ensure_ascii=False)
    event = arrival_of(read_event(text.encode()), Reach([subscription.company_id], ""))
    with transaction.atomic():
        log = accept_test(event, subscription.pk)
        if log is None:
            raise NotTestable(_("The subscription was changed at this moment. Load the page again."))
        AuditEntry.record(by, AuditAction.TEST_SENT, subscription.pk, " · ".join(filter(None, [log, detail])))
    return log


def why_not_testable(subscription: Subscription) -> str:
    """The reason why it gets no test event now, "" where it does."""
    if subscription.is_placeholder:
        return _("Logs named this subscription, but it was not imported yet. Import it, or edit it to say what it is.")
    if not subscription.is_trigger_known:
        return _("cotadmin does not know its trigger, and has no test event for it.")
    if not subscription.url:
        return _("It has no URL. Give it one first.")
    if not subscription.is_active:
        return _("It is not active. Activate it first.")
    return ""
