"""Measures how fast events are delivered durably: `python -m benchmarks.delivery`. Sink, worker and database share this machine.

The reference in the same run is a bare aiohttp loop that posts the same payload to the same sink, 200 at a time, and stores
nothing. The last line is one JSON object:
dense_ratio: deliveries/s over 200 queues ÷ requests/s of the bare loop · single_queue_per_second: one queue ·
sparse_per_second: one event for each of 2,000 subscriptions · latency_p95_ms: from the 202 of an event to its arrival at an idle
sink · hostile_loss: share of their throughput that 30 queues lose when 20 other receivers hang · large_peak_mb: the most memory
that a worker uses for 150 queues × 20 events of 0.9 MB · large_first_seconds: until the first of them arrives.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from .database import fresh_database, log
from .delivery_fixtures import (
    activate,
    create_subscriptions,
    fill,
    large_event,
    require_durable,
    running_worker,
    sample_event,
    wait_for,
    wait_until_delivered,
)
from .ingest import Events, make_subscriptions_and_token, web_server
from .sink import SinkProcess, running_sink

CONCURRENCY = 200
LATENCIES = 200
LARGE_QUEUES, LARGE_EACH, LARGE_BYTES = 150, 20, 900_000


async def bare_loop(url: str, requests: int) -> float:
    """Requests per second of `CONCURRENCY` loops that only post."""
    import aiohttp

    payload, headers = sample_event().encode(), {"content-type": "application/json", "webhook-id": "0" * 24}
    left = iter(range(requests))

    async def post(session: aiohttp.ClientSession) -> None:
        for _number in left:
            async with session.post(url, data=payload, headers=headers) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        start = time.monotonic()
        await asyncio.gather(*(post(session) for _ in range(CONCURRENCY)))
        return requests / (time.monotonic() - start)


def bare_per_second(sink: SinkProcess, requests: int) -> float:
    child = [sys.executable, "-m", "benchmarks.delivery", "--bare", sink.url("bare"), "--requests", str(requests)]
    done = subprocess.run(child, check=True, capture_output=True, text=True)
    sink.forget()
    return float(done.stdout)


def per_second(sink: SinkProcess, queues: int, each: int, hanging: int = 0) -> float:
    """Deliveries per second of `queues` new queues with `each` events, from their activation to the last commit."""
    with_events = create_subscriptions([sink.url(f"queue/{number}") for number in range(queues)])
    total = fill(with_events, each)
    beside = create_subscriptions([sink.url(f"hang/{number}") for number in range(hanging)])
    if beside:
        fill(beside, each)
    sink.forget()
    start = time.monotonic()
    activate(beside + with_events)
    end = wait_until_delivered(with_events, each, sink)
    return total / (end - start)


def latencies_ms(sink: SinkProcess) -> list[float]:
    """Time from the 202 of each event to its arrival at the idle sink. The events are posted one after another over HTTP."""
    sink.forget()
    token = make_subscriptions_and_token(sink.url("queue/one"))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    events, answered = Events(), {}
    with web_server() as address:
        server = urlsplit(address)
        connection = http.client.HTTPConnection(server.netloc)
        wait_for(lambda: _answers(connection))
        for _number in range(LATENCIES):
            connection.request("POST", server.path, events.body(1), headers)
            answer = json.loads(connection.getresponse().read())
            answered[answer["accepted"][0]] = time.monotonic()
            time.sleep(0.02)
        arrived: dict[str, float] = {}
        wait_for(
            lambda: arrived.update({pk: at for _path, pk, at in sink.requests()}) or arrived.keys() >= answered.keys()
        )
    return [max(arrived[pk] - moment, 0) * 1000 for pk, moment in answered.items()]


def large(sink: SinkProcess) -> dict[str, float]:
    """The memory and time that a separate worker needs for events that are large, but small as stored."""
    with_events = create_subscriptions([sink.url(f"queue/{number}") for number in range(LARGE_QUEUES)])
    fill(with_events, LARGE_EACH, event=large_event(LARGE_BYTES))
    sink.forget()
    with running_worker() as worker:
        start = time.monotonic()
        activate(with_events)
        wait_for(lambda: sink.count() > 0)
        first = time.monotonic() - start
        end = wait_until_delivered(with_events, LARGE_EACH, sink)
        status = Path(f"/proc/{worker.pid}/status").read_text()
    [peak] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return {
        "large_peak_mb": round(peak / 1024),
        "large_first_seconds": round(first, 1),
        "large_per_second": round(LARGE_QUEUES * LARGE_EACH / (end - start), 1),
    }


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().read() is not None
    except OSError:
        connection.close()
        return False


def small(sink: SinkProcess, requests: int) -> dict[str, float]:
    results: dict[str, float] = {}
    with running_worker():
        log("bare loop …")
        bare = bare_per_second(sink, requests)
        log(f"bare loop: {bare:.0f}/s; 200 queues …")
        dense = per_second(sink, CONCURRENCY, requests // CONCURRENCY)
        results["bare_per_second"], results["dense_per_second"] = round(bare), round(dense)
        results["dense_ratio"] = round(dense / bare, 3)
        log(f"dense: {dense:.0f}/s; one queue …")
        results["single_queue_per_second"] = round(per_second(sink, 1, 1000), 1)
        log(f"single: {results['single_queue_per_second']}/s; 2,000 queues with one event …")
        results["sparse_per_second"] = round(per_second(sink, 2000, 1), 1)
        log(f"sparse: {results['sparse_per_second']}/s; receivers that hang …")
        alone = per_second(sink, 30, 500)
        among_hanging = per_second(sink, 30, 500, hanging=20)
        results["hostile_loss"] = round(1 - among_hanging / alone, 3)
        log("latency …")
        results["latency_p95_ms"] = round(quantiles(latencies_ms(sink), n=20)[-1], 1)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bare", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=20_000, help="of the dense part (default 20000)")
    parser.add_argument("--large", action="store_true", help="only large_peak_mb and large_first_seconds")
    options = parser.parse_args()
    if options.bare:
        print(asyncio.run(bare_loop(options.bare, options.requests)))
        return
    results: dict[str, float] = {}
    with running_sink() as sink, fresh_database():
        require_durable()
        log("large events …")
        results |= large(sink)
        log(f"large: {results}")
        if not options.large:
            results |= small(sink, options.requests)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
