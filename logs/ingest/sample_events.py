"""Test events: "Send test event" sends one to a single subscription, even if Cotalker delivers its other events.

The event fires the subscription's trigger, and is made from Cotalker's published samples.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..cotalker import objectid
from ..cotalker.documents import format_timestamp, read_event
from ..models import TYPE_OF_TRIGGER, AuditAction, AuditEntry, EventAction, Subscription, Trigger
from .events import CompanyScope, build_event
from .intake import enqueue_test_event

_SAMPLES = Path(__file__).parent.parent / "samples"


def sample_event(subscription: Subscription, at: datetime) -> dict[str, Any]:
    """A COTEvent that the subscription watches, with a new object. `extraData.isTest` marks it for the receiver as a test."""
    event = _user_edit() if subscription.trigger == Trigger.USER else _task_create()
    event |= {
        "company": subscription.company_id,
        "type": TYPE_OF_TRIGGER[subscription.trigger].value,
        "createdAt": format_timestamp(at),
        "extraData": {"isTest": True},
    }
    if subscription.trigger == Trigger.LOGOUT:
        who = {"userId": objectid.new_objectid(at), "timestamp": int(at.timestamp() * 1000)}
        return event | {"event": EventAction.LOGOUT.value, "data": None, "extraData": who | event["extraData"]}
    if subscription.trigger == Trigger.NOTE:
        event["event"] = EventAction.EDIT.value
    event["data"] |= {"_id": objectid.new_objectid(at), "company": subscription.company_id} | _context(subscription)
    return event


def _context(subscription: Subscription) -> dict[str, str]:
    ids = {
        "taskGroup": subscription.context_task_group,
        "surveyId": subscription.context_survey,
        "group": subscription.context_group,
    }
    return {key: value for key, value in ids.items() if value}


def _user_edit() -> dict[str, Any]:
    return json.loads((_SAMPLES / "event_user_edit.json").read_text())


def _task_create() -> dict[str, Any]:
    """Also stands for surveys, elements and notes: Cotalker publishes no samples of them, and nothing depends on the fields."""
    return json.loads((_SAMPLES / "webhook_log_task_create_failed.json").read_text())["event"]


class TestEventNotAllowed(Exception):
    """The subscription can't get a test event now; the message tells a person why and what to do."""


def send_test_event(subscription: Subscription, *, by, detail: str = "") -> str:
    """Returns the id of the new log. The audit entry has `detail`. Raises TestEventNotAllowed."""
    if reason := test_event_error(subscription):
        raise TestEventNotAllowed(reason)
    text = json.dumps(sample_event(subscription, timezone.now()), ensure_ascii=False)
    event = build_event(read_event(text.encode()), CompanyScope([subscription.company_id], ""))
    with transaction.atomic():
        log = enqueue_test_event(event, subscription.pk)
        if log is None:
            raise TestEventNotAllowed(_("The subscription changed in the meantime. Reload the page."))
        AuditEntry.record(by, AuditAction.TEST_SENT, subscription.pk, " · ".join(filter(None, [log, detail])))
    return log


def test_event_error(subscription: Subscription) -> str:
    """Why it can't get a test event now; "" if it can."""
    if subscription.is_placeholder:
        return _(
            "Logs refer to this subscription, but it has not been imported yet. Import it, or edit "
            "it to add its details."
        )
    if not subscription.is_trigger_known:
        return _("cotadmin does not know this trigger, so it has no test event for it.")
    if not subscription.url:
        return _("This subscription has no URL. Add one first.")
    if not subscription.is_active:
        return _("This subscription is inactive. Activate it first.")
    return ""
