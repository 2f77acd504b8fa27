"""What `kill -9` costs: `python -m benchmarks.chaos [--kills 50]`. Workers share 50 lanes into which events come all the time;
at random moments one of them is killed and another started. The receiver's ledger is the judge. The last line is one JSON object:
lost: events that did not arrive, or are not on record as delivered · reordered: first arrivals in another order than that
of acceptance · in_flight_at_kills: events that had arrived, and were not on record, when their worker was killed · duplicates:
second arrivals, of which there may be as many.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter, defaultdict
from itertools import pairwise
from subprocess import Popen

from .database import fresh_database, log
from .engine import fill, make_lanes, open_lanes, require_durable, start_worker, wait_until_settled
from .sink import SinkProcess, running_sink

LANES = 50
WORKERS = 3
EVENTS_PER_SECOND = 1000  # over all lanes
SEED = 20261123


class Load(threading.Thread):
    """Puts an event into every lane, again and again, until it is told to stop. `rounds`: how many each lane has got."""

    def __init__(self, lanes: list[str]) -> None:
        super().__init__(daemon=True)
        self.lanes = lanes
        self.rounds = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        from django.db import connection

        while not self.stopping.wait(len(self.lanes) / EVENTS_PER_SECOND):
            fill(self.lanes, 1, after=self.rounds)
            self.rounds += 1
        connection.close()

    def stop(self) -> int:
        self.stopping.set()
        self.join()
        return self.rounds


class Judge:
    """Counts what was in flight at each kill: arrived, and not on record."""

    def __init__(self, sink: SinkProcess) -> None:
        self.sink = sink
        self.arrivals: list[tuple[str, str, float]] = []
        self.in_flight = 0
        self._counted: Counter[str] = Counter()

    def look(self) -> Counter[str]:
        """How often each event has arrived until now."""
        self.arrivals += self.sink.ledger(after=len(self.arrivals))
        return Counter(webhook_id for _path, webhook_id, _moment in self.arrivals)

    def killed(self, pid: int) -> None:
        """Right after a worker's end: its transactions end too, then what it had sent and not recorded is counted."""
        from logs.delivery.leases import group_of
        from logs.models import LaneGroup, WebhookLog

        _wait_for_its_connections(pid)
        time.sleep(
            0.3
        )  # until the sink has read what lies in its sockets; nobody takes the lanes over before the lease ends
        groups = set(LaneGroup.objects.filter(holder__contains=f":{pid}:").values_list("number", flat=True))
        arrived = self.look()
        due = WebhookLog.objects.due().filter(pk__in=[pk for pk in arrived if arrived[pk] > self._counted[pk]])
        for pk, lane in due.values_list("pk", "subscription_id"):
            if group_of(lane) in groups:
                self.in_flight += 1
                self._counted[pk] = arrived[pk]

    def reordered(self) -> int:
        """How many first arrivals of a lane came before one that was accepted earlier."""
        from logs.models import WebhookLog

        position = {pk: place or 0 for pk, place in WebhookLog.objects.values_list("pk", "position")}
        seen: set[str] = set()
        by_lane: dict[str, list[int]] = defaultdict(list)
        for path, webhook_id, _moment in self.arrivals:
            if webhook_id not in seen:
                seen.add(webhook_id)
                by_lane[path].append(position[webhook_id])
        return sum(later < earlier for order in by_lane.values() for earlier, later in pairwise(order))


def _wait_for_its_connections(pid: int) -> None:
    from django.db import connection

    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [f"cotadmin worker {pid}"]
            )
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.005)


def kill_one(workers: list[Popen], judge: Judge) -> None:
    victim = workers.pop(random.randrange(len(workers)))
    victim.kill()
    victim.wait()
    judge.killed(victim.pid)
    workers.append(start_worker())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    random.seed(SEED)
    with running_sink() as sink, fresh_database():
        from logs.models import Attempt, WebhookLog

        require_durable()
        workers = [start_worker() for _ in range(WORKERS)]
        lanes = make_lanes([sink.url(f"slow/{number}") for number in range(LANES)])
        open_lanes(lanes)
        load, judge = Load(lanes), Judge(sink)
        load.start()
        for number in range(options.kills):
            time.sleep(random.uniform(0.2, 2.0))
            kill_one(workers, judge)
            log(f"kill {number + 1}: {sink.count()} arrivals, {judge.in_flight} were in flight at kills")
        rounds = load.stop()
        log(f"{rounds * LANES} events are in; waiting for the last …")
        wait_until_settled(lanes, rounds, sink)
        for worker in workers:
            worker.terminate()
            worker.wait()
        arrived = judge.look()
        ids = set(WebhookLog.objects.values_list("pk", flat=True))
        result = {
            "kills": options.kills,
            "events": len(ids),
            "lost": len(ids - arrived.keys()) + WebhookLog.objects.exclude(state="succeeded").count(),
            "reordered": judge.reordered(),
            "in_flight_at_kills": judge.in_flight,
            "duplicates": sum(arrived.values()) - len(arrived),
            "recorded_twice": Attempt.objects.filter(number__gt=1).count(),
        }
    print(json.dumps(result))
    if result["lost"] or result["reordered"] or result["duplicates"] > result["in_flight_at_kills"]:
        sys.exit("a promise was broken")


if __name__ == "__main__":
    main()
