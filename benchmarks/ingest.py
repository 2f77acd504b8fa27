"""Measures how many events are accepted over HTTP per second: `python -m benchmarks.ingest [--seconds 8] [--clients 16]`.

A fresh database, gunicorn with 2 workers of 4 threads on loopback, and the clients in this process share one machine. Each
event matches one of 20 subscriptions. First each client posts one event after another on a kept-alive connection; then two
clients post NDJSON batches of 500. Events have about 1.5 KB, and no two are alike. Afterwards every id in the responses must
be a log that waits in its queue. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import quantiles

from .database import fresh_database, log

PROJECT = Path(__file__).parent.parent
SAMPLE = PROJECT / "logs/samples/webhook_log_task_create_failed.json"
COMPANY = "625be93a286ef83c1c0e845f"
SUBSCRIPTIONS = 20
BATCH = 500
PATIENCE = 30  # seconds


@dataclass
class Measured:
    ids: list[str] = field(default_factory=list)
    request_seconds: list[float] = field(default_factory=list)
    seconds: float = 0

    @property
    def per_second(self) -> int:
        return round(len(self.ids) / self.seconds)

    @property
    def p95_ms(self) -> float:
        return round(quantiles(self.request_seconds, n=20)[-1] * 1000, 1)


class Events:
    """An endless supply of bodies, made by string replacement, so that the clients leave the CPU to the server."""

    def __init__(self) -> None:
        event = json.loads(SAMPLE.read_text())["event"] | {"company": COMPANY}
        event["data"] |= {"_id": "OBJECT", "taskGroup": "GROUP"}
        self.template = json.dumps(event)
        self.numbers = count()

    def body(self, events: int) -> bytes:
        return "\n".join(self._event(next(self.numbers)) for _ in range(events)).encode()

    def _event(self, number: int) -> str:
        group = task_group(number % SUBSCRIPTIONS)
        return self.template.replace("OBJECT", f"62742b75{number:016x}").replace("GROUP", group)


def task_group(number: int) -> str:
    return f"6261612a{number:016x}"


def make_subscriptions_and_token(url: str = "http://127.0.0.1:9/") -> str:
    from logs.ingest.credentials import create_api_token
    from logs.models import ApiToken, Company, Subscription, Trigger

    company, _is_new = Company.objects.get_or_create(pk=COMPANY)
    for number in range(SUBSCRIPTIONS):
        Subscription.objects.create(
            company=company,
            name=f"Subscription {number}",
            code=f"subscription_{number}",
            url=url,
            trigger=Trigger.TASK,
            context_task_group=task_group(number),
        )
    return create_api_token(ApiToken(name="Benchmark"), [company], by=None)


@contextmanager
def web_server(application: str = "cotadmin.wsgi", path: str = "/api/v3/events", **more: str) -> Iterator[str]:
    """The URL of the API, or of another path, served as the README says."""
    from logs.tests.processes import environment

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    server = subprocess.Popen(
        [*command, "--threads", "4", "--no-control-socket"], cwd=PROJECT, env=environment() | more
    )
    try:
        yield f"http://127.0.0.1:{port}{path}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


async def measure(address: str, token: str, events: Events, *, seconds: float, clients: int, at_once: int) -> Measured:
    import aiohttp

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    measured = Measured()
    start = time.perf_counter()

    async def client(session: aiohttp.ClientSession) -> None:
        while time.perf_counter() - start < seconds:
            body, begun = events.body(at_once), time.perf_counter()
            async with session.post(address, data=body, headers=headers) as response:
                answer = await response.json()
            measured.request_seconds.append(time.perf_counter() - begun)
            if response.status != 202 or answer["errors"]:
                sys.exit(f"{response.status}: {answer}")
            measured.ids += answer["accepted"]

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(client(session) for _ in range(clients)))
    measured.seconds = time.perf_counter() - start
    return measured


async def warm_up(address: str, token: str, events: Events) -> None:
    """Send requests until both processes of the server answer."""
    import aiohttp

    until = time.perf_counter() + PATIENCE
    while True:
        try:
            await measure(address, token, events, seconds=2, clients=8, at_once=1)
            return
        except aiohttp.ClientError:
            if time.perf_counter() > until:
                raise
            await asyncio.sleep(0.1)


def require_all_stored(ids: list[str]) -> None:
    from logs.models import WebhookLog

    waiting = set(WebhookLog.objects.queued().values_list("pk", flat=True))
    if len(set(ids)) != len(ids) or not waiting.issuperset(ids):
        sys.exit(f"{len(ids)} ids were answered, {len(set(ids))} different ones; {len(waiting)} logs wait")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="for each of the two measurements")
    parser.add_argument("--clients", type=int, default=16, help="that post single events side by side")
    options = parser.parse_args()
    with fresh_database():
        token, events = make_subscriptions_and_token(), Events()
        with web_server() as address:
            asyncio.run(warm_up(address, token, events))
            log(f"{options.clients} clients post one event at a time …")
            single = asyncio.run(
                measure(address, token, events, seconds=options.seconds, clients=options.clients, at_once=1)
            )
            log(f"{single.per_second}/s; 2 clients post {BATCH} at a time …")
            batch = asyncio.run(measure(address, token, events, seconds=options.seconds, clients=2, at_once=BATCH))
        require_all_stored(single.ids + batch.ids)
    result = {
        "single_events_per_second": single.per_second,
        "single_p95_ms": single.p95_ms,
        "batch_events_per_second": batch.per_second,
        "batch_p95_ms": batch.p95_ms,
        "events": len(single.ids) + len(batch.ids),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
