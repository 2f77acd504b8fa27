"""Every URL of the site, with arguments that lead to a row. New URLs are included automatically."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from logs.incidents.update import update_incidents
from logs.models import (
    Attempt,
    AuditAction,
    AuditEntry,
    Import,
    InboundEndpoint,
    Incident,
    RedeliveryOverride,
    RejectedDocument,
    RejectedEvent,
    SavedView,
    ShareLink,
)

from ..bulk_redeliveries import plan_logs, start_redelivery
from ..events import make_endpoint, make_token
from ..factories import make_log, make_subscription, make_waiting_log

_ARGUMENT = re.compile(r"<(?:(\w+):)?(\w+)>")
# Django writes these as regular expressions, which begin like this; an example of each.
_REGULAR = {"^(?P<app_label>": "logs/", "(?P<url>": "no/such/page/"}


@dataclass(frozen=True)
class SiteUrl:
    """`route`: as the URLconf has it; `path`: with arguments in it."""

    route: str
    path: str


def routes() -> list[str]:
    """Of the whole URLconf, in its order, each once."""
    return list(dict.fromkeys(_routes(get_resolver().url_patterns, "")))


def _routes(patterns, before: str) -> Iterator[str]:
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns, f"{before}{pattern.pattern}")
        else:
            text = str(pattern.pattern)
            yield before + next((example for start, example in _REGULAR.items() if text.startswith(start)), text)


def make_one_of_each(user, sharer) -> dict[str, list[str]]:
    """Rows for every URL, of the company of both users; the arguments for them, by converter. `sharer`: shares the log."""
    subscription = make_subscription()
    log = make_log(event={"diff": {"/name": {"previous": "a", "changedTo": "b"}}})
    make_waiting_log(subscription, 7)
    Attempt.of_cotalker(log).save()
    override = RedeliveryOverride.objects.create(
        log=log, number=1, url="https://b.example/", reason="a look", requested_by=user
    )
    failing = make_log(8)
    plan, bulk = plan_logs(user, [log]), start_redelivery(user, [failing])
    view = SavedView.objects.create(owner=user, name="Night", query="state=failed&range=24h", is_shared=True)
    view.pinned_by.add(user)
    SavedView.objects.create(owner=user, name="Old", query="state=gone&since=x")
    waiting = Import.objects.create(kind="logs", file_name="b.json", size=1, uploaded_by=user)
    upload = Import.objects.create(
        kind="logs", file_name="a.json", size=1, uploaded_by=user, state="done", finished_at=timezone.now()
    )
    RejectedDocument.objects.create(upload=upload, number=1, line=1, reason="broken", data=b"{")
    endpoint = make_endpoint()
    rejected = RejectedEvent.objects.create(
        endpoint=InboundEndpoint.objects.get(), kind="not_json", reason="broken", size=1, data=b"{"
    )
    make_token(subscription.company)
    token = ShareLink.create_link(log, by=sharer, days=7, includes_payload=True, note="")
    AuditEntry.record(user, AuditAction.REVEALED, log.pk)
    update_incidents()
    numbers = [plan.pk, bulk.pk, view.pk, waiting.pk, upload.pk, ShareLink.objects.get().pk, override.number]
    numbers += [rejected.endpoint_id, rejected.pk, Incident.objects.get().pk]
    return {
        "oid": [log.pk, subscription.pk, log.object_id],
        "int": [str(number) for number in dict.fromkeys(numbers)],
        "str": [token, endpoint.rpartition("/")[2]],
    }


def site_urls(client: Client, arguments: dict[str, list[str]]) -> list[SiteUrl]:
    """`client`: of a user who may see everything. Fails if no argument leads to a row: then the data are incomplete."""
    return [SiteUrl(route, _path(client, route, arguments)) for route in routes()]


def _path(client: Client, route: str, arguments: dict[str, list[str]]) -> str:
    names = _ARGUMENT.findall(route)
    if not names:
        return f"/{route}"
    choices = [_of_admin(route, name) if route.startswith("admin/") else arguments[kind] for kind, name in names]
    for values in itertools.product(*choices):
        given = iter(values)
        path = "/" + _ARGUMENT.sub(lambda _match, given=given: next(given), route)
        if route.startswith("admin/") or _leads_somewhere(client, path):
            return path
    raise AssertionError(f"no row of the test data is at {route}: make one in {__name__}.make_one_of_each")


def _of_admin(route: str, name: str) -> list[str]:
    if name == "content_type_id":
        return [str(ContentType.objects.get(app_label="logs", model="webhooklog").pk)]
    label, model = ("logs", "webhooklog") if route.startswith("admin/r/") else route.split("/")[1:3]
    row = apps.get_model(label, model).objects.order_by("pk").first()
    return [str(row.pk) if row else "1"]


def _leads_somewhere(client: Client, path: str) -> bool:
    """No method that is allowed answers that the URL is not found."""
    with transaction.atomic():
        exists = all(
            client.generic(method, path, b"{}", "application/json").status_code != 404 for method in ("GET", "POST")
        )
        transaction.set_rollback(True)
    return exists


def make_user(django_user_model, role: str):
    """A user of the sample's company. "Superuser" is one; "Administrator" is staff, too."""
    user = django_user_model.objects.create_user(
        role.lower(),
        password="a long passphrase",
        is_superuser=role == "Superuser",
        is_staff=role in ("Administrator", "Superuser"),
    )
    if role != "Superuser":
        user.groups.add(Group.objects.get(name=role))
    return user
