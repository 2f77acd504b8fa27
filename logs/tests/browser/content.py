"""Data for the tests of all pages: one row of each kind, with values that try to be markup."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from logs.imports import uploads
from logs.incidents import actions
from logs.incidents.update import update_incidents
from logs.ingest import credentials
from logs.models import (
    Attempt,
    AttemptTrigger,
    AuditAction,
    AuditEntry,
    Import,
    InboundEndpoint,
    Incident,
    Payload,
    Priority,
    RedeliveryOverride,
    Retention,
    SavedView,
    ShareLink,
    Subscription,
    UnmatchedCount,
    WebhookLog,
)

from ..factories import (
    OTHER_SUBSCRIPTION,
    import_logs,
    log_document,
    make_company,
    make_log,
    make_log_of_age,
    make_subscription,
    make_waiting_log,
    sample,
)
from .content_bulk import BulkRedeliveries, make_bulk_redeliveries

MARKUP = """<script>alert(1)</script>"><img src=x onerror=alert(1)>{{ 7*7 }}"""
LONG = "Órdenes_de_trabajo_" * 10 + "sin_pausa."  # 200 characters without a place to break
LONG_CODE = "ordenes_de_trabajo_" * 5 + "final"
BOTH = f"{MARKUP}{LONG}"[:200]
PAUSED_SUBSCRIPTION = "62685990d918fb5557f9f994"
INACTIVE_SUBSCRIPTION = "62685990d918fb5557f9f995"
RETRYING_SUBSCRIPTION = "62685990d918fb5557f9f996"
OBJECT = "62742b7562f37034d9399914"  # the task that the sample's log and the hostile one are about


@dataclass(frozen=True)
class Content:
    """`edit` is a failed log with changes, an attempt of ours and an audit entry; `hostile` is a failed log of MARKUP.

    `waiting` is in a paused queue, `skipped` was taken out of it; the payload of `expired` is gone. `view` is pinned,
    and its filter is wrong. `shared`: where a share link to `hostile` leads.
    """

    subscription: Subscription
    edit: WebhookLog
    delivered: WebhookLog
    hostile: WebhookLog
    waiting: WebhookLog
    skipped: WebhookLog
    expired: WebhookLog
    upload: Import
    view: SavedView
    shared: str
    bulks: BulkRedeliveries
    incident: Incident


def make_content(user) -> Content:
    subscription = make_subscription(name=BOTH, code=LONG_CODE)
    make_subscription(OTHER_SUBSCRIPTION, url="", name=f"1{LONG}"[:200], is_active=False)
    _name_company()
    user.username = LONG[:150]
    user.save()
    edit = log_document(1, sample("event_user_edit"), response="a word that has no end: " + "x" * 400)
    delivered = log_document(2, status=200, retry=1, response=json.dumps({"answer": MARKUP, "ok": True}))
    import_logs(edit, delivered, _hostile_document())
    logs = WebhookLog.objects.in_bulk()
    _add_attempt(logs[edit["_id"]], user)
    hostile = logs[_hostile_document()["_id"]]
    _add_override(hostile, user)
    _make_endpoints(user)
    waiting, skipped = _make_queues(user)
    _fail_lately(subscription)
    incident = _make_incident(user)
    return Content(
        subscription,
        logs[edit["_id"]],
        logs[delivered["_id"]],
        hostile,
        waiting,
        skipped,
        _expire_payload(user),
        _make_upload(user),
        _make_views(user),
        _share(hostile, user),
        make_bulk_redeliveries(user, MARKUP, reason=BOTH),
        incident,
    )


def _make_incident(user) -> Incident:
    """The one with most subscriptions; a person has dealt with it."""
    update_incidents()
    incident = max(Incident.objects.all(), key=lambda incident: (len(incident.subscription_ids), incident.pk))
    actions.add_note(incident, BOTH, by=user)
    actions.acknowledge(incident, timezone.now() + timedelta(hours=1), by=user)
    actions.assign(incident, user, by=user)
    return incident


def _fail_lately(subscription: Subscription) -> None:
    """For the pages that show the last hours: two kinds of failures, and what was delivered between them."""
    for minutes, state, cause in ((50, "failed", "http_5xx"), (40, "delivered", ""), (30, "failed", "other")):
        text = MARKUP if state == "failed" else ""
        make_log_of_age(
            subscription,
            state,
            timedelta(minutes=minutes),
            cause=cause,
            object_name=LONG,
            status=500,
            response=text,
            fingerprint=text,
            duration_ms=minutes,
        )


def _name_company() -> None:
    company = make_company()
    company.name = BOTH
    company.save()


def _hostile_document() -> dict:
    data = {"_id": OBJECT, "name": MARKUP, MARKUP: MARKUP, "list": [MARKUP], "long": MARKUP * 20}
    diff = {f"/{MARKUP.replace('/', '~1')}": {"previous": MARKUP, "changedTo": f"{MARKUP} again"}}
    event = {"type": MARKUP[:60], "event": "edit", "data": data, "diff": diff}
    return log_document(3, event, status=500, response=MARKUP)


def _add_attempt(log: WebhookLog, user) -> None:
    log.attempts.add(
        Attempt(number=3, trigger=AttemptTrigger.COTALKER, started_at=log.created_at, status=409, response=MARKUP),
        Attempt(
            number=4,
            trigger=AttemptTrigger.MANUAL,
            actor=user,
            started_at=log.created_at,
            duration_ms=1234,
            url=log.subscription.url,
            status=500,
            response=MARKUP,
            response_headers=[["Server", MARKUP], ["Content-Type", "text/plain"]],
            cause="http_5xx",
        ),
        bulk=False,
    )
    AuditEntry.record(user, AuditAction.REDELIVERED, log.pk)


def _add_override(log: WebhookLog, user) -> None:
    event = json.loads(Payload.objects.get(pk=log.pk).event)
    event["data"] |= {"name": f"{MARKUP} edited", "password": MARKUP}
    url = f"https://example.com/{MARKUP}?token=secret".replace(" ", "%20")
    log.overrides.add(
        RedeliveryOverride(number=4, url=url, is_edited=True, event=json.dumps(event), reason=BOTH, requested_by=user),
        bulk=False,
    )
    log.attempts.add(
        Attempt.of_cotalker(log),
        Attempt(
            number=4,
            trigger=AttemptTrigger.OVERRIDE,
            actor=user,
            started_at=log.created_at,
            duration_ms=88,
            url=url,
            status=200,
            response=MARKUP,
        ),
        bulk=False,
    )


def _make_queues(user) -> tuple[WebhookLog, WebhookLog]:
    """A paused queue with events of hostile names, one of an inactive subscription, and one that waits for a retry.

    Returns the last event that waits in the first, and one that was skipped.
    """
    paused = make_subscription(PAUSED_SUBSCRIPTION, name=LONG, url=f"http://127.0.0.1:9/{LONG}", is_delivered_here=True)
    logs = [
        make_waiting_log(paused, number, object_name=LONG if number % 2 else MARKUP, is_test=number == 1)
        for number in range(10, 17)
    ]
    paused.pause(by=user)
    logs[0].skip(by=user, reason=BOTH)
    inactive = make_subscription(INACTIVE_SUBSCRIPTION, name=f"2{LONG}"[:200], url="http://127.0.0.1:9/")
    make_waiting_log(inactive, 20), make_waiting_log(inactive, 21)
    Subscription.objects.filter(pk=inactive.pk).update(is_active=False)
    retrying = make_subscription(RETRYING_SUBSCRIPTION, name=MARKUP[:200], url="http://127.0.0.1:9/")
    failed = {
        "state": "retrying",
        "priority": Priority.RETRY,
        "attempts_left": 2,
        "attempt_count": 1,
        "cause": "http_5xx",
    }
    make_waiting_log(retrying, 30, object_name=MARKUP, response=MARKUP, **failed), make_waiting_log(retrying, 31)
    return logs[-1], logs[0]


def _make_endpoints(user) -> None:
    """An open and a revoked one, and an event that matched no subscription."""
    for name in (MARKUP, LONG):
        credentials.create_endpoint(InboundEndpoint(name=name[:100], company=make_company()), by=user)
    credentials.revoke_credential(InboundEndpoint.objects.order_by("pk")[1], by=user)
    day = timezone.now().date()
    UnmatchedCount.objects.create(company=make_company(), day=day, event_type=MARKUP[:60], action="edit", count=1234)


def _make_views(user) -> SavedView:
    SavedView.objects.create(owner=user, name=LONG[:60], query="sort=oldest&state=failed", is_shared=True)
    view = SavedView.objects.create(owner=user, name=MARKUP[:60], query=f"q=alert&subscription={MARKUP[:24]}")
    view.pinned_by.add(user)
    return view


def _share(log: WebhookLog, user) -> str:
    """A used, a revoked and an expired link, and one without a creator; the path of the first."""
    tokens = [
        ShareLink.create_link(log, by=user, days=7, note=MARKUP * 3 + LONG, includes_payload=number < 2)
        for number in range(3)
    ]
    ShareLink.create_link(log, by=None, days=7)
    seen, revoked, expired = ShareLink.objects.filter(created_by=user).order_by("pk")
    seen.record_view()
    revoked.revoke(by=user)
    ShareLink.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    return f"/shared/{tokens[0]}/"


def _expire_payload(user) -> WebhookLog:
    """Also the last pruning, which left a month alone."""
    log = make_log(5)
    Payload.objects.filter(pk=log.pk).delete()
    Retention.change(payload_days=90, log_days=4000, by=user)
    Retention.record_run(payloads=12_345, logs=1, busy_months=1)
    return log


def _make_upload(user) -> Import:
    """A finished import of which some documents were rejected."""
    content = f'{json.dumps(log_document(4))}\n{{"_id": "{MARKUP}"}}\n{MARKUP}'.encode()
    file = SimpleUploadedFile(f"{BOTH}.json".replace("/", ""), content)
    upload = uploads.receive_upload(file, "logs", user)
    uploads.run_import(upload.pk)
    upload.refresh_from_db()
    return upload
