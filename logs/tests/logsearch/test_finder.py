"""The finder returns the same logs in the same order as a scan of all logs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise, product
from random import Random

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone

from logs.db.cursor_pagination import Cursor
from logs.db.payload_partitions import ensure_partitions_for
from logs.db.search_vectors import event_vectors
from logs.logsearch import finder as candidates
from logs.logsearch import finder as finding
from logs.logsearch import index_lookup, time_slices
from logs.logsearch.criteria import SearchCriteria
from logs.logsearch.filterset import WebhookLogFilterSet
from logs.logsearch.finder import Finder
from logs.logsearch.histogram import STEPS, bucket_edges, build_histogram
from logs.logsearch.stats import LogStats
from logs.models import Payload, WebhookLog
from logs.payloads.masking import masked_keys
from logs.stats.buckets import bucket_floor
from logs.stats.compaction import compact

from ..factories import COMPANY, MOMENT, make_subscription

pytestmark = pytest.mark.django_db

SUBSCRIPTIONS = [f"62685990d918fb5557f9f9{number:02x}" for number in range(4)]
MECANICO = {"data": {"name": "mecánico"}}
KINDS = [
    {"state": "delivered", "status": 200},
    {"state": "failed", "cause": "timeout", "status": None},
    {"state": "failed", "cause": "http_4xx", "status": 409},
    {"state": "pending"},
]


@pytest.fixture(scope="module")
def stored_logs(django_db_setup, django_db_blocker) -> Iterator[list[WebhookLog]]:
    """For all tests of this module; each rolls its changes back."""
    with django_db_blocker.unblock():
        yield store_logs()
        call_command("flush")


@pytest.fixture
def logs(stored_logs, db) -> list[WebhookLog]:
    return [*stored_logs]


def store_logs() -> list[WebhookLog]:
    """Three hundred logs over months: dense here, sparse there, some of one moment, of kinds that come in clusters. Half of them
    are not compacted into the log counts yet. The newest first.
    """
    random = Random(4)
    for subscription_id in SUBSCRIPTIONS:
        make_subscription(subscription_id)
    logs = []
    moment = MOMENT
    for number in range(300):
        moment += timedelta(seconds=random.choice([0, 1, 40, 400, 40_000, 90_000]))
        kind = KINDS[0] if number % 50 < 30 else random.choice(KINDS)
        values = {
            "subscription_id": random.choice(SUBSCRIPTIONS),
            "event_type": "COTTask",
            "action": random.choice(["edit", "create"]),
        }
        pk = f"{int(moment.timestamp()):08x}{random.getrandbits(60):016x}"
        values |= {"created_at": moment, "attempt_count": 1, "duration_ms": number}
        logs.append(WebhookLog(id=pk, company=COMPANY, **values | kind))
    WebhookLog.objects.bulk_create(logs[::2])
    compact()
    WebhookLog.objects.bulk_create(logs[1::2])
    return sorted(logs, key=lambda log: (log.created_at, log.pk), reverse=True)


def criteria(query: str = "") -> SearchCriteria:
    return WebhookLogFilterSet(QueryDict(query)).criteria


def walk(finder: Finder, size: int, *, is_older: bool) -> list[Cursor]:
    keys: list[Cursor] = []
    while True:
        page = finder.find(keys[-1] if keys else None, is_older=is_older, limit=size)
        assert page.searched_until is None
        keys += page.keys
        if len(page.keys) < size:
            return keys


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ("", lambda log: True),
        ("state=failed", lambda log: log.state == "failed"),
        ("state=pending", lambda log: log.state == "pending"),
        ("not_state=delivered", lambda log: log.state != "delivered"),
        ("cause=timeout&action=edit", lambda log: log.cause == "timeout" and log.action == "edit"),
        ("status=4xx", lambda log: log.status == 409),
        ("status=none&status=200", lambda log: log.status in (None, 200)),
        ("not_status=409", lambda log: log.status != 409),
        ("not_status=none", lambda log: log.status is not None),
        (f"subscription={SUBSCRIPTIONS[0]}", lambda log: log.subscription_id == SUBSCRIPTIONS[0]),
        (f"not_subscription={SUBSCRIPTIONS[0]}", lambda log: log.subscription_id != SUBSCRIPTIONS[0]),
        ("state=failed&not_cause=timeout", lambda log: log.cause == "http_4xx"),
        ("state=skipped", lambda log: False),
        ("type=COTTask&not_action=create", lambda log: log.action == "edit"),
        ("type=other", lambda log: False),
        ("result=FAILED", lambda log: log.state == "failed"),
    ],
)
@pytest.mark.parametrize("is_older", [True, False])
def test_pages_of_any_size_and_direction_hold_every_match_once(logs, query, matches, is_older):
    expected = [Cursor(log.created_at, log.pk) for log in logs if matches(log)]
    for size in (1, 7, 1000):
        finder = Finder(criteria(query))
        assert walk(finder, size, is_older=is_older) == (expected if is_older else expected[::-1])
    assert LogStats(finder).total.number == len(expected)


@pytest.mark.parametrize(
    ("query", "subscriptions"),
    [
        (f"q=sub:{SUBSCRIPTIONS[1]}", SUBSCRIPTIONS[1:2]),
        (f"q=-sub:{SUBSCRIPTIONS[1]}", [SUBSCRIPTIONS[0], *SUBSCRIPTIONS[2:]]),
        (f"q=company:{COMPANY}", SUBSCRIPTIONS),
        (f"q={SUBSCRIPTIONS[2]}", SUBSCRIPTIONS[2:3]),
        (f"q=sub:{SUBSCRIPTIONS[1]}&not_subscription={SUBSCRIPTIONS[0]}", SUBSCRIPTIONS[1:2]),
        ("q=status:200", SUBSCRIPTIONS),
    ],
)
def test_counts_for_a_superuser_respect_the_subscriptions_of_the_search(logs, query, subscriptions):
    kept = [log for log in logs if log.subscription_id in subscriptions]
    kept = [log for log in kept if "status" not in query or log.status == 200]
    figures = LogStats(Finder(criteria(query)))
    assert figures.total.number == len(kept)
    assert dict(figures.totals_by_dimension["state"]) == Counter(log.state for log in kept)
    assert dict(figures.totals_by_dimension["subscription"]) == Counter(log.subscription_id for log in kept)
    start, end = kept[-1].created_at, kept[0].created_at + timedelta(seconds=1)
    days = bucket_edges(start, end, timedelta(days=1))
    assert sum(row[-1] for row in figures.by_bar(days)) == len(kept)
    reach = figures.reach()
    assert reach and reach[0] <= start < end <= reach[1]


@pytest.mark.parametrize("zone", ["UTC", "America/Santiago", "Australia/Lord_Howe"])
@pytest.mark.parametrize("query", ["", "state=failed", "q=attempts:1"])
def test_bars_count_the_logs_between_their_edges_and_end_with_the_filter(logs, monkeypatch, query, zone):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 1000)
    matching = [log for log in logs if "failed" not in query or log.state == "failed"]
    for step, start in product(STEPS[3:12], (logs[-1], logs[150])):
        since, until = start.created_at + timedelta(seconds=77), start.created_at + step * 90 + timedelta(seconds=13)
        with timezone.override(zone):
            params = f"{query}&since={since:%Y-%m-%dT%H:%M:%S}Z&until={until:%Y-%m-%dT%H:%M:%S}Z"
            shown = build_histogram(LogStats(Finder(criteria(params))), until)
            assert shown
            assert (shown.step, shown.start, shown.end) == (step, since, until)
            for bar in shown.bars:
                here = Counter(log.state for log in matching if bar.start <= log.created_at < bar.end)
                assert bar.counts == here
            for bar, next_bar in pairwise(shown.bars):
                assert bar.end == next_bar.start
                assert step > timedelta(days=1) or is_round(timezone.localtime(bar.end), step)


def is_round(local: datetime, step: timedelta) -> bool:
    """By the clock, with a skipped half hour and a skipped hour."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return (local.replace(tzinfo=None) - midnight) % step in (timedelta(0), timedelta(minutes=30), timedelta(hours=1))


@pytest.mark.parametrize("is_older", [True, False])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_logs_of_many_subscriptions_are_looked_up_by_time(logs, monkeypatch, size, is_older):
    monkeypatch.setattr(time_slices, "MANY_SLICES", 1)
    monkeypatch.setattr(time_slices, "FEW_RANGES", 1)
    expected = [Cursor(log.created_at, log.pk) for log in logs if log.state == "failed"]
    assert walk(Finder(criteria("state=failed")), size, is_older=is_older) == expected[:: 1 if is_older else -1]


@pytest.mark.parametrize("minutes", [0, 3, 1000, 100_000])
def test_a_range_between_bucket_edges_is_exact_to_the_second(logs, minutes):
    since = MOMENT + timedelta(minutes=minutes, seconds=17)
    for until in (since + timedelta(seconds=50), since + timedelta(minutes=7), since + timedelta(days=9)):
        searched = SearchCriteria(since=since, until=until, kinds={"state": Q(state="delivered")})
        expected = [log.pk for log in logs if since <= log.created_at < until and log.state == "delivered"]
        assert [key.pk for key in Finder(searched).find(None, limit=1000).keys] == expected
        assert LogStats(Finder(searched)).total.number == len(expected)


@pytest.fixture
def few_looks(monkeypatch) -> None:
    """A finder that repeats the same place would never end."""
    looks = iter(range(60))
    look = candidates.next_slices

    def counted(*args, **kwargs):
        assert next(looks, None) is not None, "it looks at the same place for ever"
        return look(*args, **kwargs)

    monkeypatch.setattr(candidates, "next_slices", counted)


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("is_older", [True, False])
@pytest.mark.parametrize("minutes", [(0, 60), (7, 7 + 1440), (61, 90), (1447, 4000), (-3000, -7), (12, 100_000)])
@pytest.mark.parametrize("place", [None, 0, 299, 120])
def test_the_next_log_is_found_from_any_place_inside_or_outside_the_range(
    logs, few_looks, limit, is_older, minutes, place
):
    """As the page of a log looks for its neighbours; the log itself may be outside the range."""
    since, until = (logs[150].created_at + timedelta(minutes=number, seconds=11) for number in minutes)
    searched = SearchCriteria(since=since, until=until, subscriptions=SUBSCRIPTIONS)
    at = None if place is None else Cursor(logs[place].created_at, logs[place].pk)
    inside = [Cursor(log.created_at, log.pk) for log in logs if since <= log.created_at < until]
    ordered = inside if is_older else inside[::-1]
    beyond = [key for key in ordered if at is None or (key < at if is_older else key > at)]
    assert candidates.candidate_logs(searched, at, is_older=is_older, limit=limit) == beyond[:limit]


@pytest.mark.parametrize("is_older", [True, False])
@pytest.mark.parametrize("lost", ["width = 60", "width = 5", "width = 5 OR width = 60 AND bucket <> %(hour)s"])
def test_contradictory_log_counts_hide_no_logs(logs, few_looks, lost, is_older):
    compact()
    hour, minutes = timedelta(hours=1), timedelta(minutes=5)
    ordered = logs if is_older else logs[::-1]
    place = next(  # in an hour that continues in other minutes
        number
        for number, (log, other) in enumerate(pairwise(ordered))
        if bucket_floor(log.created_at, hour) == bucket_floor(other.created_at, hour)
        and bucket_floor(log.created_at, minutes) != bucket_floor(other.created_at, minutes)
    )
    keys = [Cursor(log.created_at, log.pk) for log in ordered]
    with connection.cursor() as cursor:
        params = {"hour": bucket_floor(keys[place].created_at, hour)}
        cursor.execute(f"DELETE FROM logs_compactedlogcount WHERE {lost}", params)
    everywhere = SearchCriteria(subscriptions=SUBSCRIPTIONS)
    found = candidates.candidate_logs(everywhere, keys[place], is_older=is_older, limit=20)
    assert found == keys[place + 1 :][:20]


def test_many_logs_are_sorted_by_the_index(logs, monkeypatch):
    monkeypatch.setattr(candidates, "SORTED_IN_PYTHON", 3)
    expected = [Cursor(log.created_at, log.pk) for log in logs if log.state == "failed"]
    assert walk(Finder(criteria("state=failed")), 10, is_older=True) == expected


def test_a_search_that_reads_logs_reads_larger_and_larger_batches(logs, monkeypatch):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 3)
    slow = SearchCriteria(rest=Q(duration_ms__lt=20), kinds={"state": Q(state="delivered")})
    expected = [Cursor(log.created_at, log.pk) for log in logs if log.duration_ms < 20 and log.state == "delivered"]
    assert walk(Finder(slow), 5, is_older=True) == expected
    assert walk(Finder(slow), 5, is_older=False) == expected[::-1]
    assert LogStats(Finder(slow)).total.number == len(expected)
    assert not LogStats(Finder(slow)).total.is_least


def test_the_finder_says_how_far_it_searched_when_time_runs_out(logs, monkeypatch):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 10)
    oldest = Finder(SearchCriteria(rest=Q(pk=logs[-1].pk)), seconds=0)
    page = oldest.find()
    assert page.keys == []
    assert page.searched_until == Cursor(logs[9].created_at, logs[9].pk)
    assert LogStats(oldest).total.is_least
    rest = Finder(SearchCriteria(rest=Q(pk=logs[-1].pk)), seconds=60).find(page.searched_until)
    assert [key.pk for key in rest.keys] == [logs[-1].pk]


def test_extending_the_search_does_not_lengthen_its_first_step(logs, monkeypatch):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 10)
    monkeypatch.setattr(finding, "SEARCH_SECONDS", 0)
    oldest = Finder(SearchCriteria(rest=Q(pk=logs[-1].pk)), seconds=60)
    assert (oldest.looked.is_all, oldest.looked.until) == (False, Cursor(logs[9].created_at, logs[9].pk))
    assert [key.pk for key in oldest.find(oldest.looked.until).keys] == [logs[-1].pk]


def test_facets_count_matches_and_their_own_other_values(logs):
    figures = LogStats(Finder(criteria("state=failed&action=edit")), {"state": "state", "cause": "cause"})
    failed = [log for log in logs if log.state == "failed" and log.action == "edit"]
    causes = {"timeout": 0, "http_4xx": 0}
    for log in failed:
        causes[log.cause] += 1
    assert dict(figures.facet_totals("cause")) == dict(figures.grouped("cause")) == causes
    states = dict(figures.facet_totals("state"))
    assert states["delivered"] == sum(log.state == "delivered" and log.action == "edit" for log in logs)


def words(logs: list[WebhookLog], texts: dict[int, dict]) -> None:
    ensure_partitions_for(log.pk for log in logs)
    Payload.objects.bulk_create(
        Payload(log=log, event="{}", search=event_vectors(json.dumps(texts.get(index, MECANICO)), masked_keys())[0])
        for index, log in enumerate(logs)
    )


def test_a_rare_word_is_found_by_its_index_with_an_exact_count(logs, monkeypatch):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 10)
    words(logs, {150: {"data": {"name": "Bomba P-118"}}, 299: {"data": {"url": "https://x.cl/118/y"}}})
    finder = Finder(criteria("q=118"), seconds=0)
    assert [key.pk for key in finder.find().keys] == [logs[150].pk, logs[299].pk]
    assert (LogStats(finder).total.number, LogStats(finder).total.is_least) == (2, False)
    assert [key.pk for key in finder.find(Cursor(logs[150].created_at, logs[150].pk)).keys] == [logs[299].pk]
    assert [key.pk for key in finder.find(is_older=False, limit=1).keys] == [logs[299].pk]


def test_a_common_word_is_found_among_the_newest_with_a_minimum_count(logs, monkeypatch):
    monkeypatch.setattr(finding, "FIRST_WINDOW", 60)
    monkeypatch.setattr(index_lookup, "MAX_INDEX_HITS", 5)
    words(logs, {})
    finder = Finder(criteria("q=mecanico"))
    assert [key.pk for key in finder.find().keys] == [log.pk for log in logs[:51]]
    total = LogStats(finder).total
    assert (total.number, total.is_least, str(total)) == (60, True, "≥ 60")
    assert [key.pk for key in walk(finder, 50, is_older=True)] == [log.pk for log in logs]


def test_every_word_must_occur_in_the_event_or_the_response(logs):
    words(logs, {7: {"data": {"name": "Bomba"}}, 8: {"data": {"name": "Bomba"}}})
    WebhookLog.objects.filter(pk=logs[8].pk).update(search="'etimedout' 'connect'")
    assert [key.pk for key in Finder(criteria("q=bomba")).find().keys] == [logs[7].pk, logs[8].pk]
    assert [key.pk for key in Finder(criteria("q=bomba ETIMEDOUT")).find().keys] == [logs[8].pk]
    assert [key.pk for key in Finder(criteria("q=bomba nothing")).find().keys] == []
