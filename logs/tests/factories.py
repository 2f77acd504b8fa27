"""Data for tests, made from Cotalker's published samples. Ids and times come from the test, never from chance."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.db.models.functions import Now
from django.http import QueryDict
from django.utils import timezone

from logs.cotalker import objectid
from logs.db.payload_partitions import ensure_partitions_for
from logs.imports.importer import Importer, ImportSummary
from logs.logsearch.filterset import WebhookLogFilterSet
from logs.logsearch.finder import Finder
from logs.models import (
    AttemptTrigger,
    Company,
    Payload,
    Priority,
    State,
    Subscription,
    Trigger,
    WebhookLog,
    next_sequence,
)
from logs.payloads.masking import masked_keys

SAMPLES = Path(__file__).parent.parent / "samples"
COMPANY = "625be93a286ef83c1c0e845f"
OTHER_COMPANY = "625be93a286ef83c1c0e0000"
SUBSCRIPTION = "62685990d918fb5557f9f992"
OTHER_SUBSCRIPTION = "62685990d918fb5557f9f993"
MOMENT = datetime(2022, 5, 5, 20, 4, 40, tzinfo=UTC)  # of the sample's log


def sample(name: str) -> dict[str, Any]:
    """A published document: "webhook_subscription", "webhook_log_task_create_failed" or "event_user_edit"."""
    return json.loads((SAMPLES / f"{name}.json").read_text())


def make_company(pk: str = COMPANY, name: str = "Austral") -> Company:
    return Company.objects.get_or_create(pk=pk, defaults={"name": name})[0]


def make_subscription(pk: str = SUBSCRIPTION, url: str = "https://www.server.com", **fields: Any) -> Subscription:
    company = fields.pop("company", None) or make_company()
    values = {"name": "Work Orders Update", "code": f"code_{pk}", "trigger": Trigger.TASK, "is_active": True} | fields
    return Subscription.objects.create(pk=pk, company=company, url=url, **values)


def log_document(number: int = 0, event: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The sample log with another id and time for each `number`: each is a minute later."""
    document = sample("webhook_log_task_create_failed")
    seconds = int(document["_id"][:8], 16) + 60 * number
    document |= {"_id": f"{seconds:08x}{number:016x}", "createdAt": _iso(seconds)}
    document["event"] |= event or {}
    return document | fields


def import_logs(*documents: dict[str, Any], user=None) -> ImportSummary:
    lines = "\n".join(json.dumps(document) for document in documents)
    return Importer(masked_keys(), user).import_logs([lines.encode()])


def ids_found(search: str) -> list[str]:
    """The logs that the search box finds, newest first."""
    return [key.pk for key in Finder(WebhookLogFilterSet(search_for(search)).criteria).find().keys]


def search_for(text: str) -> QueryDict:
    """The query of the explorer with this in its search box."""
    return QueryDict(urlencode({"q": text}))


def import_subscriptions(*documents: dict[str, Any], user=None) -> ImportSummary:
    return Importer(masked_keys(), user).import_subscriptions([json.dumps(list(documents)).encode()])


def make_log(number: int = 0, event: dict[str, Any] | None = None, **fields: Any) -> WebhookLog:
    """An imported log; `fields` are those of Cotalker's document."""
    document = log_document(number, event, **fields)
    assert import_logs(document).new == 1
    return WebhookLog.objects.get(pk=document["_id"])


def make_log_of_age(
    subscription: Subscription, state: str = State.DELIVERED, age: timedelta = timedelta(hours=1), **fields: Any
) -> WebhookLog:
    """A log whose event was accepted so long ago; without a payload."""
    at = timezone.now() - age
    values = {"company": subscription.company_id, "created_at": at, "state": state} | fields
    return WebhookLog.objects.create(id=objectid.new_objectid(at), subscription=subscription, **values)


def make_waiting_log(subscription: Subscription, number: int = 0, **fields: Any) -> WebhookLog:
    """A log of an event that was accepted here, at the end of its queue."""
    document = log_document(number, {"data": {"_id": f"{number:024x}"}})
    event = json.dumps(document["event"])
    values = {
        "state": State.PENDING,
        "attempt_count": 0,
        "priority": Priority.NORMAL,
        "trigger": AttemptTrigger.AUTO,
        "attempts_left": 3,
    }
    ensure_partitions_for([document["_id"]])
    log = WebhookLog.objects.create(
        id=f"{document['_id'][:-4]}{subscription.pk[-4:]}",
        subscription=subscription,
        company=COMPANY,
        created_at=document["createdAt"],
        event_type="COTTask",
        action="create",
        object_id=f"{number:024x}",
        sequence=next_sequence(subscription.pk),
        **{"next_attempt_at": Now()} | values | fields,
    )
    Payload.objects.create(log=log, event=event)
    return log


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.084Z"
