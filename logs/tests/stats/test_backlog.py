"""Differences that no worker compacts: the web server compacts them, and the figures stay exact."""

from __future__ import annotations

import pytest
from django.db import connection

from logs.models import LogCountTotal
from logs.models.log_counts import LogCountDelta
from logs.stats import compaction

from ..factories import make_subscription
from ..processes import wait_until
from ..web_server import WebServer, head

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = compaction.MAX_UNCOMPACTED + compaction.COMPACTION_BATCH_SIZE


def store_differences(subscription: str, number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO logs_logcountdelta (subscription_id, bucket, state, cause, status, event_type, action, fingerprint, count)
            SELECT %s, '2026-11-30Z', 'delivered', '', 200, 'COTTask', 'edit', '', 1 FROM generate_series(1, %s)
            """,
            [subscription, number],
        )


def test_the_web_server_compacts_when_no_worker_does():
    store_differences(make_subscription().pk, NUMBER)
    server = WebServer()
    try:
        with server.connect() as client:
            client.sendall(head("/healthz"))
            assert client.recv(65536)
        wait_until(lambda: LogCountDelta.objects.count() <= compaction.MAX_UNCOMPACTED)
    finally:
        server.stop()
    counts = LogCountTotal.objects.filter(width=5).values_list("count", flat=True)
    assert sum(counts) == NUMBER


def test_the_web_server_leaves_few_differences_to_the_worker():
    store_differences(make_subscription().pk, 3)
    compaction.BacklogWatch().look()
    assert LogCountDelta.objects.count() == 3
