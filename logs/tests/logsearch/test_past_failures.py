"""Searching for what had failed, whatever became of it since: was:failed and failed:START..END."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from logs.models import Attempt, AttemptTrigger, BulkRedelivery, Cause, State, Subscription, WebhookLog

from ..factories import MOMENT, OTHER_SUBSCRIPTION, make_company, make_log, make_subscription, make_waiting_log
from ..html import LOG_LIST, ids_in, text_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
EVENING = datetime(2022, 5, 5, 20, tzinfo=UTC)  # the logs are of 20:04 and later


def add_attempt(
    log: WebhookLog, at: datetime, cause: str = Cause.HTTP_5XX, *, took: float = 0, **fields: object
) -> Attempt:
    """The next attempt of the log, `took` in seconds; the cause "" is a success."""
    log.attempt_count = (log.attempt_count or 0) + 1
    log.state = State.FAILED if cause else State.DELIVERED
    log.next_attempt_at = None
    log.save()
    values = {"subscription": log.subscription, "trigger": AttemptTrigger.AUTO, "cause": cause}
    return Attempt.objects.create(
        log=log, number=log.attempt_count, started_at=at, duration_ms=round(took * 1000), **values | fields
    )


@pytest.fixture
def logs(viewer, subscription: Subscription) -> dict[str, WebhookLog]:
    """By what happened to them. Those that were sent here failed between 21:00 and 22:00 or not at all."""
    sent = {
        name: make_waiting_log(subscription, number)
        for number, name in enumerate(("waiting", "failed", "mended", "delivered", "elsewhere", "failed again"))
    }
    add_attempt(sent["failed"], EVENING + HOUR)
    add_attempt(sent["mended"], EVENING + 1.5 * HOUR)
    add_attempt(sent["mended"], EVENING + 5 * HOUR, "")
    add_attempt(sent["delivered"], EVENING + 1.5 * HOUR, "")
    add_attempt(sent["elsewhere"], EVENING + 1.5 * HOUR, subscription=None, trigger=AttemptTrigger.OVERRIDE)
    add_attempt(sent["elsewhere"], EVENING + 1.6 * HOUR, "")
    add_attempt(sent["failed again"], EVENING + 0.5 * HOUR, "")
    add_attempt(sent["failed again"], EVENING + 2 * HOUR - timedelta(seconds=10), took=9.5)
    imported = {
        "imported, failed": make_log(90),  # at 21:34
        "imported, mended": make_log(91, status=200, retry=2, response="OK"),
        "imported, delivered": make_log(92, status=200, retry=1, response="OK"),
        "imported, sent here": make_log(93),
    }
    resent = imported["imported, sent here"]
    WebhookLog.objects.filter(pk=resent.pk).update(sequence=1)
    resent.refresh_from_db()
    resent.save_imported_attempt()
    add_attempt(resent, EVENING + 5 * HOUR, "")
    return sent | imported


FAILED_HERE = ["failed", "failed again", "mended"]
FAILED_AT_COTALKER = ["imported, failed", "imported, mended", "imported, sent here"]
NEVER_FAILED = ["delivered", "elsewhere", "imported, delivered", "waiting"]


@pytest.fixture
def found(client, logs):
    """`found(search)`: the names of the logs that the page lists."""
    names = {log.pk: name for name, log in logs.items()}

    def found(search: str, **filters: str) -> list[str]:
        page = client.get(LOG_LIST, {"q": search} | filters, follow=True)
        assert page.status_code == 200
        return sorted(names[pk] for pk in ids_in(page))

    return found


SEARCHES = {
    "was:failed": sorted([*FAILED_HERE, *FAILED_AT_COTALKER]),
    "-was:failed": NEVER_FAILED,
    "was:failed state:delivered": ["imported, mended", "imported, sent here", "mended"],
    "failed:2022-05-05T21:00Z..2022-05-05T22:00Z": sorted([*FAILED_HERE, *FAILED_AT_COTALKER]),
    "-failed:2022-05-05T21:00Z..2022-05-05T22:00Z": NEVER_FAILED,
    "failed:2022-05-05T21:00Z..2022-05-05T21:00:01Z": ["failed"],  # the start is included
    "failed:2022-05-05T20:00Z..2022-05-05T21:00Z": [],  # the end isn't
    "failed:2022-05-05T21:59:59Z..2022-05-05T22:00Z": ["failed again"],  # by its end, not by its start
    "failed:2022-05-05T21:59:50Z..2022-05-05T21:59:51Z": [],
    "failed:2022-05-05T21:30Z..2022-05-05T21:31Z": ["mended"],
    "failed:2022-05-05T21:34Z..2022-05-05T21:35Z": ["imported, failed"],
    "failed:2022-05-05T21:37Z..2022-05-05T21:38Z": ["imported, sent here"],
    "failed:2022-05-05T21:31Z..": sorted(["failed again", *FAILED_AT_COTALKER]),
    "failed:..2022-05-05T21:31Z": ["failed", "mended"],
    "failed:2022-05-06T00:00Z..2022-05-06T03:00Z": [],  # delivered then
    "failed:2022-05-05T21:00Z..2022-05-05T22:00Z state:delivered": [
        "imported, mended",
        "imported, sent here",
        "mended",
    ],
    "failed:05/05/2022": sorted([*FAILED_HERE, *FAILED_AT_COTALKER]),
    "failed:06/05/2022": [],
    'failed:"05/05/2022 21:00..05/05/2022 21:31"': ["failed", "mended"],
}


@pytest.mark.parametrize(("search", "expected"), SEARCHES.items())
def test_a_search_finds_what_had_failed(found, search, expected):
    assert found(search) == expected


@pytest.mark.parametrize(("search", "expected"), SEARCHES.items())
def test_it_finds_the_same_if_the_index_finds_too_many(found, search, expected, monkeypatch):
    monkeypatch.setattr("logs.logsearch.index_lookup.MAX_INDEX_HITS", 0)
    assert found(search) == expected


def test_a_range_goes_by_creation_and_a_term_by_attempts(found):
    created_later = {"since": "2022-05-05T21:30Z"}
    assert found("was:failed", **created_later) == FAILED_AT_COTALKER
    assert found("failed:2022-05-05T21:00Z..2022-05-05T22:00Z", **created_later) == FAILED_AT_COTALKER


def test_failures_of_other_companies_are_not_found(found, client, logs):
    theirs = make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    add_attempt(make_waiting_log(theirs, 50), EVENING + HOUR)
    make_log(95, subscription=OTHER_SUBSCRIPTION)
    assert found("failed:2022-05-05T21:00Z..2022-05-05T22:00Z") == sorted([*FAILED_HERE, *FAILED_AT_COTALKER])
    assert found("was:failed") == sorted([*FAILED_HERE, *FAILED_AT_COTALKER])


class TestTheUrl:
    """It has the times in UTC, and the page has them in the reader's zone."""

    @pytest.fixture(autouse=True)
    def santiago(self, client, logs, monkeypatch):
        client.cookies["zone"] = "America/Santiago"  # four hours behind UTC
        monkeypatch.setattr("logs.logsearch.filter_fields.now", lambda: datetime(2022, 5, 5, 22, tzinfo=UTC))

    CANONICAL = f"{LOG_LIST}?q=bomba+failed:2022-05-05T21:00Z..2022-05-05T21:35Z+-was:failed"

    @pytest.mark.parametrize("term", ["failed:17:00..17:35", 'failed:"today 17:00..hoy 17:35"', "FAILED:17:00..-25m"])
    def test_typed_times_become_utc(self, client, term):
        assert client.get(LOG_LIST, {"q": f"bomba {term} -was:failed"})["Location"] == self.CANONICAL.replace(
            "failed:2022", f"{term.partition(':')[0]}:2022"
        )

    def test_the_page_shows_the_readers_time(self, client, monkeypatch):
        monkeypatch.setattr("logs.logsearch.filter_fields.now", lambda: MOMENT + timedelta(days=3))
        page = client.get(self.CANONICAL)
        [written] = re.findall(r'name="q" type="search"\s+value="([^"]*)"', page.content.decode())
        written = html.unescape(written)
        assert written == 'bomba failed:"2022-05-05 17:00..2022-05-05 17:35" -was:failed'
        assert f"Search {written}" in text_of(page)  # among the active filters
        assert client.get(LOG_LIST, {"q": written})["Location"] == self.CANONICAL

    def test_a_day_has_a_start_and_an_end(self, client):
        answer = client.get(LOG_LIST, {"q": "failed:yesterday"})
        assert answer["Location"] == f"{LOG_LIST}?q=failed:2022-05-04T04:00Z..2022-05-05T04:00Z"
        assert client.get(LOG_LIST, {"q": "failed:-2h.."})["Location"] == f"{LOG_LIST}?q=failed:2022-05-05T20:00Z.."

    def test_a_plan_keeps_the_times_too(self, client, member):
        client.force_login(member("Operator"))
        client.post(reverse("logs:bulk_redelivery_create"), {"source": "filter", "query": "q=failed:17:00..17:31"})
        bulk = BulkRedelivery.objects.get()
        assert bulk.query == "q=failed%3A2022-05-05T21%3A00Z..2022-05-05T21%3A31Z"
        assert bulk.items.count() == 2


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("failed:08:00", "Write a start and an end, such as 08:00..09:15, or a day, such as yesterday."),
        ('failed:"yesterday 22:00".."today 01:00"', "Write a start and an end"),
        ("failed:..", "Write a start and an end"),
        ("failed:tomorrow..", "Write a time such as 08:00"),
        ("failed:timeout", "Write a time such as 08:00"),
        ("failed:2022-05-05T22:00Z..2022-05-05T21:00Z", "The range ends before it begins."),
        ("was:delivered", "“delivered” isn’t a valid value. Use one of: failed."),
    ],
)
def test_a_mistake_is_an_error_without_logs(client, logs, search, message):
    page = client.get(LOG_LIST, {"q": search})
    assert page.status_code == 422
    assert ids_in(page) == []
    assert message in text_of(page)
