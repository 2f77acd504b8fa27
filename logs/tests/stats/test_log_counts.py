"""The log counts always equal a count of the logs, after any change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import given
from hypothesis import strategies as st

from logs.models import (
    CompactedLogCount,
    CompactedLogCountTotal,
    LogCount,
    LogCountDelta,
    LogCountTotal,
    WebhookLog,
)
from logs.models.log_counts import BUCKET_WIDTHS
from logs.stats.buckets import BUCKET_ORIGIN, bucket_ceiling, bucket_floor, bucket_segments
from logs.stats.compaction import compact
from logs.stats.queries import TOTAL_WIDTH, log_counts, percentile, percentiles

from ..factories import MOMENT, SUBSCRIPTION, import_logs, log_document, make_log, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db


def states() -> dict[str, int]:
    """From the log counts, in each width, for each subscription and for all."""
    results = [
        dict(counts.filter(width=width).values_list("state").annotate(n=TOTAL_WIDTH).filter(n__gt=0))
        for counts in (LogCount.objects, LogCountTotal.objects)
        for width in BUCKET_WIDTHS
    ]
    assert all(result == results[0] for result in results)
    return results[0]


def test_changes_are_counted_before_and_after_compaction():
    subscription = make_subscription()
    for number in range(3):
        make_waiting_log(subscription, number)
    assert states() == {"pending": 3}
    assert not CompactedLogCount.objects.exists()
    assert compact() == 3
    assert states() == {"pending": 3}
    assert not LogCountDelta.objects.exists()
    assert compact() == 0


def test_an_import_leaves_nothing_to_compact():
    import_logs(log_document(1), log_document(2), log_document(3, status=200, response="ok"))
    assert states() == {"failed": 2, "delivered": 1}
    assert percentiles(None, None, None) == {}, "imported logs have no durations"
    assert not LogCountDelta.objects.exists()


def test_a_log_that_an_import_changes_is_counted_once():
    make_log(1)
    import_logs(log_document(1, status=200, response="ok"))
    assert states() == {"delivered": 1}
    for counts in (CompactedLogCount.objects, CompactedLogCountTotal.objects):
        assert not counts.filter(count=0).exists()
        assert counts.aggregate(n=Sum("count"))["n"] == len(BUCKET_WIDTHS)  # one log, once in each


def test_a_redelivery_and_a_skip_are_counted(member):
    make_subscription()
    log, operator = make_log(1), member("Operator")
    assert log.redeliver(by=operator, expected_attempts=log.attempt_count)
    assert states() == {"pending": 1}
    log.refresh_from_db()
    assert log.skip(by=operator, reason="no use")
    assert states() == {"skipped": 1}


def test_logs_skipped_together_are_counted(member):
    subscription = make_subscription(is_active=False)
    for number in range(3):
        make_waiting_log(subscription, number)
    assert states() == {"pending": 3}
    subscription.skip_waiting(by=member("Operator"), reason="old")
    assert states() == {"skipped": 3}


@pytest.mark.django_db(transaction=True)
def test_a_delivery_is_counted_with_its_status_and_its_duration(receiver, deliver):
    make_waiting_log(make_subscription(url=receiver.url))
    deliver()
    kinds = LogCount.objects.filter(width=5).values("state", "status", "cause").annotate(n=TOTAL_WIDTH).filter(n__gt=0)
    assert list(kinds) == [{"state": "delivered", "status": 200, "cause": "", "n": 1}]
    log = WebhookLog.objects.get()
    assert percentiles(None, None, None)[""] == pytest.approx(max(log.duration_ms, 1), rel=0.13)


def test_deleted_logs_are_not_counted():
    make_log(1)
    WebhookLog.objects.all().delete()
    assert states() == {}
    compact()
    assert not CompactedLogCount.objects.exists()
    assert not CompactedLogCountTotal.objects.exists()


def test_a_count_is_updated_in_place():
    """The update writes no index (PostgreSQL's HOT), and counts of zero are deleted."""
    names = ("compactedlogcount", "compactedlogcounttotal", "compacteddurationcount")
    tables = [f"logs_{name}_{width}" for name in names for width in BUCKET_WIDTHS]
    subscription = make_subscription()
    for number in range(4):
        make_waiting_log(subscription, number)
        compact()
    WebhookLog.objects.update(state="delivered", status=200, duration_ms=7)
    compact()
    make_waiting_log(subscription, 5, state="delivered", status=200, duration_ms=7)
    compact()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_xact_all_tables WHERE relname = ANY(%s)", [tables]
        )
        updated, in_place = cursor.fetchone()
    assert (updated, in_place) == (updated, updated)
    assert updated > 0
    assert states() == {"delivered": 5}
    for counts in (CompactedLogCount.objects, CompactedLogCountTotal.objects):
        assert not counts.exclude(state="delivered").exists()
        assert counts.aggregate(n=Sum("count"))["n"] == 5 * len(BUCKET_WIDTHS)


def test_rolled_back_changes_are_not_counted():
    with transaction.atomic():
        make_log(1)
        transaction.set_rollback(True)
    assert states() == {}


@pytest.mark.django_db(transaction=True)
def test_verify_finds_wrong_counts_and_rebuild_fixes_them():
    make_waiting_log(make_subscription())
    call_command("log_counts", "verify")
    import_logs(*[log_document(number, subscription=SUBSCRIPTION) for number in range(1, 5)])
    call_command("log_counts", "verify")
    CompactedLogCount.objects.filter(width=60, state="failed").update(count=7)
    CompactedLogCountTotal.objects.filter(width=60, state="failed").update(count=9)
    with pytest.raises(CommandError, match="2 counts are wrong"):
        call_command("log_counts", "verify")
    call_command("log_counts", "rebuild")
    call_command("log_counts", "verify")
    assert states() == {"failed": 4, "pending": 1}


@pytest.mark.django_db(transaction=True)
def test_wrong_totals_of_a_week_without_logs_are_found_and_fixed():
    """An old worker that compacts a deletion after the update leaves it."""
    CompactedLogCountTotal.objects.create(
        width=1440, bucket=bucket_floor(MOMENT, timedelta(days=1)), state="failed", count=3
    )
    with pytest.raises(CommandError, match="1 counts are wrong"):
        call_command("log_counts", "verify")
    call_command("log_counts", "rebuild")
    assert not CompactedLogCountTotal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_rebuild_counts_what_the_trigger_missed():
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE logs_webhooklog DISABLE TRIGGER USER")
        try:
            make_log(1)
        finally:
            cursor.execute("ALTER TABLE logs_webhooklog ENABLE TRIGGER USER")
    with pytest.raises(CommandError, match="10 counts"):
        call_command("log_counts", "verify")
    call_command("log_counts", "rebuild")
    assert states() == {"failed": 1}


def test_counts_respect_the_range_and_the_subscriptions():
    for number in (0, 10, 300, 3000):  # minutes
        make_log(number)
    start = bucket_floor(MOMENT)

    def total(start, end, subscriptions=None):
        return log_counts(start, end, subscriptions).aggregate(n=TOTAL_WIDTH)["n"] or 0

    assert total(None, None) == 4
    assert total(start, None) == 4
    assert total(start + timedelta(minutes=5), None) == 3
    assert total(start, start + timedelta(minutes=300)) == 2
    assert total(start, start + timedelta(days=3)) == 4
    assert total(None, start) == 0
    assert total(None, None, [SUBSCRIPTION]) == 4
    assert total(None, None, []) == 0


moments = st.integers(0, 12 * 24 * 40).map(lambda number: BUCKET_ORIGIN + timedelta(minutes=5 * number))


@given(moments, moments)
def test_pieces_cover_the_range_without_gaps_or_overlaps(one, other):
    start, end = sorted((one, other))
    segments = sorted(bucket_segments(start, end), key=lambda piece: piece[1])
    edges = [edge for _width, first, last in segments for edge in (first, last)]
    assert edges == sorted(edges)
    assert all(edges[index] == edges[index + 1] for index in range(1, len(edges) - 1, 2))
    assert (edges[0], edges[-1]) == (start, end) if edges else start == end
    assert all(
        bucket_floor(first, timedelta(minutes=width)) == first
        and bucket_ceiling(last, timedelta(minutes=width)) == last
        for width, first, last in segments
    )
    assert len(segments) <= 2 * len(BUCKET_WIDTHS) - 1


def test_a_percentile_is_accurate_to_an_eighth():
    assert percentile({}) is None
    assert percentile({0: 94, 20: 6}) == pytest.approx(1.25**20.5)
    assert percentile({0: 95, 20: 5}) == pytest.approx(1.25**0.5)
