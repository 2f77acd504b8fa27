"""Measures what `kill -9` costs: `python -m benchmarks.crash_recovery [--kills 50]`.

Workers share 50 queues that accept events all the time. At random times one worker is killed and another started. The
receiver's list of requests is the judge. The last line is one JSON object:
lost: events that did not arrive, or are not recorded as delivered · reordered: first arrivals in an order other than that of
acceptance · recorded_twice: events that are recorded as delivered twice · duplicates: second arrivals. Their reasons:
after_kills: the worker was killed between the two · after_lost_leases: the worker could not renew its leases in time ·
after_failures: the first attempt is recorded as failed · unexplained: the others; there must be none.
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
from .delivery_fixtures import activate, create_subscriptions, fill, require_durable, start_worker, wait_until_delivered
from .sink import SinkProcess, running_sink

QUEUES = 50
WORKERS = 3
EVENTS_PER_SECOND = 1000  # over all queues
BACKLOG = 5_000
SEED = 20261123
LEASE_SECONDS = 3.0  # as logs/tests/processes.py sets it
LOST = "because the leases of their queue shards expired"
REASONS = ("after_kills", "after_lost_leases", "after_failures", "unexplained")


class Load(threading.Thread):
    """Adds events, one to every queue at a time, until `stop()`. `rounds`: how many events each queue has got.

    It waits while many have not arrived, so that the benchmark also ends on a slow machine.
    """

    def __init__(self, subscription_ids: list[str], sink: SinkProcess) -> None:
        super().__init__(daemon=True)
        self.subscription_ids = subscription_ids
        self.sink = sink
        self.rounds = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        from django.db import connection

        while not self.stopping.wait(len(self.subscription_ids) / EVENTS_PER_SECOND):
            if self.rounds * len(self.subscription_ids) - self.sink.count() > BACKLOG:
                continue
            fill(self.subscription_ids, 1, after=self.rounds)
            self.rounds += 1
        connection.close()

    def stop(self) -> int:
        self.stopping.set()
        self.join()
        return self.rounds


class Judge:
    """Finds the reason for each second arrival.

    A queue has one request in flight at a time, so the end of a worker or a lease explains only one repeated arrival per queue.
    """

    def __init__(self, sink: SinkProcess) -> None:
        self.sink = sink
        self.arrivals: list[tuple[str, str, float]] = []
        self.ends: dict[str, list[tuple[float, set[int]]]] = {"after_kills": [], "after_lost_leases": []}

    def count_arrivals(self) -> Counter[str]:
        """How often each event has arrived until now."""
        self.arrivals += self.sink.requests(after=len(self.arrivals))
        return Counter(webhook_id for _path, webhook_id, _moment in self.arrivals)

    def start_worker(self) -> Popen:
        return start_worker(self._note_lost_leases)

    def _note_lost_leases(self, line: str) -> None:
        """A worker that can't renew its leases in time gives up its requests in flight, and the next holder sends them again."""
        if LOST in line:
            shards = set(json.loads(line[line.rindex("[") :]))
            self.ends["after_lost_leases"].append((time.monotonic(), shards))

    def kill(self, victim: Popen) -> None:
        shards = _shards_of(victim)
        victim.kill()
        victim.wait()
        self.ends["after_kills"].append((time.monotonic(), shards | _shards_of(victim)))

    def reasons(self) -> Counter[str]:
        """The number of second arrivals by reason; those without a reason are "unexplained"."""
        from logs.models import Attempt, WebhookLog

        subscriptions = dict(WebhookLog.objects.values_list("pk", "subscription_id"))
        failed = Counter(Attempt.objects.exclude(status=200).values_list("log_id", flat=True))
        moments: dict[str, list[float]] = defaultdict(list)
        for _path, webhook_id, moment in self.arrivals:
            moments[webhook_id].append(moment)
        again = [(second, first, pk) for pk, times in moments.items() for first, second in pairwise(times)]
        used: set[tuple[str, float]] = set()
        return Counter(
            self._reason(first, second, pk, subscriptions[pk], failed, used) for second, first, pk in sorted(again)
        )

    def _reason(
        self,
        first: float,
        second: float,
        pk: str,
        subscription_id: str,
        failed: Counter[str],
        used: set[tuple[str, float]],
    ) -> str:
        from logs.delivery.leases import shard_of

        if failed[pk]:
            failed[pk] -= 1
            return "after_failures"
        for reason, ends in self.ends.items():
            for moment, shards in ends:
                # A request that was in the sink's sockets when its sender ended arrives a little later.
                is_between = first < moment + LEASE_SECONDS and moment < second
                if is_between and shard_of(subscription_id) in shards and (subscription_id, moment) not in used:
                    used.add((subscription_id, moment))
                    return reason
        shard = shard_of(subscription_id)
        log(f"unexplained: {pk} of {subscription_id} (shard {shard}) arrived at {first:.3f} and {second:.3f}")
        return "unexplained"

    def reordered(self) -> int:
        """How many first arrivals in a queue came before one that was accepted earlier."""
        from logs.models import WebhookLog

        sequences = {pk: sequence or 0 for pk, sequence in WebhookLog.objects.values_list("pk", "sequence")}
        seen: set[str] = set()
        by_queue: dict[str, list[int]] = defaultdict(list)
        for path, webhook_id, _moment in self.arrivals:
            if webhook_id not in seen:
                seen.add(webhook_id)
                by_queue[path].append(sequences[webhook_id])
        return sum(later < earlier for order in by_queue.values() for earlier, later in pairwise(order))


def _shards_of(worker: Popen) -> set[int]:
    from logs.models import QueueShard

    return set(QueueShard.objects.filter(holder__contains=f":{worker.pid}:").values_list("number", flat=True))


def _recorded_twice() -> int:
    from django.db.models import Count

    from logs.models import Attempt

    delivered = Attempt.objects.filter(status=200).values("log")
    return delivered.annotate(number_of=Count("pk")).filter(number_of__gt=1).count()


def kill_one(workers: list[Popen], judge: Judge) -> None:
    judge.kill(workers.pop(random.randrange(len(workers))))
    workers.append(judge.start_worker())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    options = parser.parse_args()
    random.seed(SEED)
    with running_sink() as sink, fresh_database():
        from logs.models import WebhookLog

        require_durable()
        judge = Judge(sink)
        workers = [judge.start_worker() for _ in range(WORKERS)]
        subscription_ids = create_subscriptions([sink.url(f"slow/{number}") for number in range(QUEUES)])
        activate(subscription_ids)
        load = Load(subscription_ids, sink)
        load.start()
        for number in range(options.kills):
            time.sleep(random.uniform(0.2, 2.0))
            kill_one(workers, judge)
            log(f"kill {number + 1}: {sink.count()} arrivals")
        rounds = load.stop()
        log(f"{rounds * QUEUES} events are in; waiting for the last …")
        wait_until_delivered(subscription_ids, rounds, sink)
        for worker in workers:
            worker.terminate()
            worker.wait()
        arrived = judge.count_arrivals()
        ids = set(WebhookLog.objects.values_list("pk", flat=True))
        result = {
            "kills": options.kills,
            "events": len(ids),
            "lost": len(ids - arrived.keys()) + WebhookLog.objects.exclude(state="delivered").count(),
            "reordered": judge.reordered(),
            "recorded_twice": _recorded_twice(),
            "duplicates": sum(arrived.values()) - len(arrived),
        } | {reason: 0 for reason in REASONS}
        result |= judge.reasons()
    print(json.dumps(result))
    if any(result[broken] for broken in ("lost", "reordered", "recorded_twice", "unexplained")):
        sys.exit("a promise was broken")


if __name__ == "__main__":
    main()
