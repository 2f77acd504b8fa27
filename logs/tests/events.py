"""Events for the tests of ingest, and the endpoints and tokens that accept them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from logs.ingest import credentials
from logs.models import ApiToken, Company, InboundEndpoint, WebhookLog

from .factories import COMPANY, make_company, sample

TASK_GROUP = "6261612a8f1e99002e5c8cce"


def make_event(number: int = 0, **fields: Any) -> dict[str, Any]:
    """The published event of a task, with another object for each number."""
    event = sample("webhook_log_task_create_failed")["event"]
    event["data"]["_id"] = f"62742b75{number:016x}"
    return event | {"company": COMPANY} | fields


def as_bytes(*events: dict[str, Any]) -> bytes:
    """NDJSON; of one event also simply its JSON."""
    return "\n".join(json.dumps(event) for event in events).encode()


def as_array(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode()


def make_endpoint(company: Company | None = None, name: str = "Cotalker") -> str:
    """The path of a new inbound endpoint."""
    return f"/webhooks/in/{credentials.create_endpoint(InboundEndpoint(name=name, company=company or make_company()), by=None)}"


def make_token(*companies: Company, name: str = "Script") -> str:
    return credentials.create_api_token(ApiToken(name=name), companies or [make_company()], by=None)


def post(client, address: str, body: bytes, token: str = "", content_type: str = "application/json", **headers: str):
    """A post like that of a script. `json()` of the response has the outcome."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.post(address, body, content_type=content_type, headers=headers)


def waiting_logs(subscription) -> list[WebhookLog]:
    """The logs that wait in a queue, in the order in which they will be sent."""
    return list(subscription.waiting().select_related("payload"))


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """The results of calls that begin at the same time, each in its own thread and with its own connection."""
    results: list[Any] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = calls[number]()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
