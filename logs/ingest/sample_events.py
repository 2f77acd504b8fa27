"""The event that "Send test event" sends: one of its subscription's trigger, made from Cotalker's published samples."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from ..cotalker import objectid
from ..cotalker.documents import TRIGGERS, written_moment
from ..models import Subscription, Trigger

_SAMPLES = Path(__file__).parent.parent / "samples"


def sample_event(subscription: Subscription, at: datetime) -> dict[str, Any]:
    """A COTEvent that the subscription watches, with a fresh object. `extraData.isTest` tells the receiver what it is."""
    event = _user_edit() if subscription.trigger == Trigger.USER else _task_create()
    event |= {
        "company": subscription.company_id,
        "type": TRIGGERS[subscription.trigger],
        "createdAt": written_moment(at),
        "extraData": {"isTest": True},
    }
    if subscription.trigger == Trigger.LOGOUT:
        who = {"userId": objectid.new(at), "timestamp": int(at.timestamp() * 1000)}
        return event | {"event": "logout", "data": None, "extraData": who | event["extraData"]}
    if subscription.trigger == Trigger.NOTE:
        event["event"] = "edit"
    event["data"] |= {"_id": objectid.new(at), "company": subscription.company_id} | _context(subscription)
    return event


def _context(subscription: Subscription) -> dict[str, str]:
    asked = {
        "taskGroup": subscription.context_task_group,
        "surveyId": subscription.context_survey,
        "group": subscription.context_group,
    }
    return {key: value for key, value in asked.items() if value}


def _user_edit() -> dict[str, Any]:
    return json.loads((_SAMPLES / "event_user_edit.json").read_text())


def _task_create() -> dict[str, Any]:
    """Of surveys, elements and notes no sample is published: the task stands for them, as nothing depends on its fields."""
    return json.loads((_SAMPLES / "webhook_log_task_create_failed.json").read_text())["event"]
