"""Loads logs for the benchmark of the explorer by COPY: `python -m benchmarks.explorer_data [--logs 1000000]`.

There are a hundred subscriptions of twelve companies, one of which owns 1 % of the logs. They cover sixty days with daily peaks
and outages; events have about 0.6 KB and real search indexes. The database is kept under the name explorer_<logs>, so that it is
loaded only once. The last line is one JSON object:
copy_per_s: logs and their payloads per second, for COPY alone, by two processes · logs_per_s: including all indexes, which are
built afterwards · all_per_s: including the explorer's log counts, which are rebuilt, and VACUUM ANALYZE.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from .database import kept_database, log
from .explorer_logs import COMPANIES, DAYS, LOG_COLUMNS, SUBSCRIPTIONS, Maker, company_id, subscription_id

BLOCK = 20_000
PROCESSES = 2


class Block(NamedTuple):
    """The logs that one process copies at a time: from `first` up to, not including, `last`."""

    total: int
    end: datetime
    seed: int
    first: int
    last: int


def load(total: int, seed: int = 1) -> dict[str, float]:
    """Fill the empty database that Django is connected to. The rates are logs per second."""
    from logs.stats.verification import rebuild_counts

    end = datetime.now(UTC).replace(microsecond=0)
    _create_subscriptions()
    _create_partitions(end)
    start = time.monotonic()
    with _without_indexes():
        _copy_in_processes(total, end, seed)
        copied = time.monotonic()
        log(f"{total} logs copied, {total / (copied - start):.0f}/s; indexes …")
    indexed = time.monotonic()
    log(f"indexes: {indexed - copied:.0f} s; log counts …")
    if sum(number for _day, number in rebuild_counts()) != total:
        raise SystemExit("The log counts have other logs than those that were copied.")
    counted = time.monotonic()
    _vacuum()
    vacuumed = time.monotonic()
    return {
        "logs_per_s": round(total / (indexed - start)),
        "copy_per_s": round(total / (copied - start)),
        "all_per_s": round(total / (vacuumed - start)),
        "copy_seconds": round(copied - start, 1),
        "indexes_seconds": round(indexed - copied, 1),
        "log_counts_seconds": round(counted - indexed, 1),
        "vacuum_seconds": round(vacuumed - counted, 1),
    }


def make_incidents(number: int) -> None:
    """So many open incidents, of all subscriptions, with a few of their failed logs each; half of their receivers work again."""
    from logs.models import Incident, IncidentInbox, IncidentLog, Subscription, WebhookLog

    Incident.objects.all().delete()
    IncidentInbox.objects.all().delete()
    subscriptions = list(Subscription.objects.order_by("pk"))
    logs = {
        row.pk: list(row.logs.failed().order_by("-created_at").only("created_at")[: 10 * number // len(subscriptions)])
        for row in subscriptions
    }
    for place in range(number):
        row = subscriptions[place % len(subscriptions)]
        own: list[WebhookLog] = logs[row.pk][place // len(subscriptions) * 5 :][:5]
        if not own:
            continue
        incident = Incident.objects.create(
            company_id=row.company_id,
            receiver=f"receiver-{place}.example",
            subscription_ids=[row.pk],
            causes=["http_5xx"],
            started_at=own[-1].created_at,
            last_failed_at=own[0].created_at,
            recovered_at=own[0].created_at if place % 2 else None,
            first_log=own[-1].pk,
            last_log=own[0].pk,
            failed_count=len(own),
        )
        IncidentLog.objects.bulk_create(IncidentLog(log_id=log.pk, incident=incident, state="failed") for log in own)


def _create_subscriptions() -> None:
    from logs.models import Company, Subscription

    Company.objects.bulk_create(
        Company(pk=f"{number:024x}", name=f"Company {number}") for number in range(1, COMPANIES + 1)
    )
    Subscription.objects.bulk_create(
        Subscription(
            pk=subscription_id(number),
            company_id=company_id(number),
            name=f"Subscription {number}",
            code=f"sub_{number}",
            url="https://receiver.example/",
            trigger="create-edit-delete-task",
            is_delivered_here=False,
        )
        for number in range(SUBSCRIPTIONS)
    )


def _create_partitions(end: datetime) -> None:
    from logs.cotalker import objectid
    from logs.db.payload_partitions import ensure_partitions_for

    ensure_partitions_for(objectid.lowest_objectid(end - timedelta(days=day)) for day in range(DAYS + 1))


@contextmanager
def _without_indexes() -> Iterator[None]:
    """Keep only the indexes of keys and constraints meanwhile; building the others in one go afterwards is far faster."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('logs_webhooklog', 'logs_payload') "
            "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = (schemaname || '.' || indexname)::regclass)"
        )
        indexes = dict(cursor.fetchall())
        for name in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        yield
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for definition in indexes.values():
            cursor.execute(definition.replace(" ON ONLY ", " ON "))
        cursor.execute("RESET maintenance_work_mem")


def _copy_in_processes(total: int, end: datetime, seed: int) -> None:
    from logs.tests.processes import environment

    blocks = [Block(total, end, seed, first, min(first + BLOCK, total)) for first in range(0, total, BLOCK)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES, _connect, [environment()]) as pool:
        for number, _none in enumerate(pool.imap_unordered(_copy_block, blocks), 1):
            if number % 25 == 0:
                log(f"{min(number * BLOCK, total)} …")


def _connect(environ: dict[str, str]) -> None:
    import os

    os.environ |= environ
    import django

    django.setup()


def _copy_block(block: Block) -> None:
    """Copy a block in one transaction. Triggers and foreign keys are off: the log counts are rebuilt afterwards."""
    from django.db import connection, transaction

    maker = Maker(block.total, block.end, block.seed)
    logs, payloads = zip(*maker.lines(block.first, block.last), strict=True)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, lines in (
            (f"logs_webhooklog ({LOG_COLUMNS})", logs),
            ("logs_payload (log_id, event, search)", payloads),
        ):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write("".join(lines))


def _vacuum() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "VACUUM ANALYZE logs_webhooklog, logs_payload, "
            "logs_compactedlogcount, logs_compactedlogcounttotal, logs_compacteddurationcount, logs_logcountdelta"
        )


def is_loaded(total: int) -> bool:
    """Whether the log counts, which are made last, add up to `total`."""
    from logs.models import LogCount
    from logs.stats.queries import TOTAL_WIDTH

    return LogCount.objects.filter(width=1440).aggregate(n=TOTAL_WIDTH)["n"] == total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other logs (default 1)")
    options = parser.parse_args()
    with kept_database(f"explorer_{options.logs}", fresh=True):
        print(json.dumps({"logs": options.logs} | load(options.logs, options.seed)))


if __name__ == "__main__":
    main()
