"""Around the table of the explorer: facets, chart, chips, order, pages and columns."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from logs.cotalker import objectid

from ..factories import (
    COMPANY,
    OTHER_SUBSCRIPTION,
    import_logs,
    log_document,
    make_company,
    make_log,
    make_subscription,
    sample,
)
from ..html import HTMX, LOG_LIST, ids_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer")]
FACETS = reverse("logs:webhook_log_facets")
HISTOGRAM = reverse("logs:webhook_log_histogram")
COLUMNS = reverse("logs:log_columns_update")


@pytest.fixture
def logs(db):
    """Three that failed in two ways, and two that were delivered, over three hours."""
    make_subscription()
    make_subscription(OTHER_SUBSCRIPTION, name="Users", trigger="create-edit-delete-user")
    return [
        make_log(0),
        make_log(60),
        make_log(120, status=502, response="Bad Gateway"),
        make_log(121, status=200, retry=1, response="OK"),
        make_log(
            122, event=sample("event_user_edit"), status=200, retry=1, response="OK", subscription=OTHER_SUBSCRIPTION
        ),
    ]


def facet(page, name: str) -> dict[str, str]:
    """The values of a facet with their numbers, in the order of the page."""
    part = re.search(rf'<details class="facet" id="facet-{name}".*?</details>', page.content.decode(), re.DOTALL)
    assert part, name
    values = re.findall(
        r'value="([^"]*)"\s*(?:checked)?\s*>.*?(?:<data [^>]*>([^<]*)</data>\s*)?</label>', part[0], re.DOTALL
    )
    return dict(values)


def address_of(page, label: str) -> str:
    """Where the link with this label leads."""
    match = re.search(rf'<a [^>]*?href="([^"]+)"[^>]*aria-label="{label}"', page.content.decode())
    assert match, label
    return html.unescape(match[1])


def test_facets_count_the_logs_that_match(client, logs):
    page = client.get(LOG_LIST)
    assert facet(page, "state") == {"failed": "3", "delivered": "2"}
    assert facet(page, "cause") == {"timeout": "2", "http_5xx": "1"}
    assert facet(page, "status") == {"200": "2", "409": "2", "502": "1"}
    assert facet(page, "type") == {"COTTask": "4", "COTUser": "1"}
    assert facet(page, "action") == {"create": "4", "edit": "1"}
    assert facet(page, "subscription") == {logs[0].subscription_id: "4", OTHER_SUBSCRIPTION: "1"}


def test_a_facet_with_a_choice_still_counts_its_other_values(client, logs):
    page = client.get(LOG_LIST, {"state": "failed"})
    assert facet(page, "state") == {"failed": "3", "delivered": "2"}
    assert facet(page, "status") == {"409": "2", "502": "1"}


def test_the_link_of_a_value_excludes_it_and_includes_it_again(client, logs):
    excluded = address_of(client.get(LOG_LIST, {"state": "failed"}), "Exclude Error at the receiver \\(5xx\\)")
    page = client.get(excluded)
    assert ids_in(page) == [logs[1].pk, logs[0].pk]
    assert "Cause not Error at the receiver (5xx)" in text_of(page)
    assert facet(page, "cause") == {"timeout": "2", "http_5xx": "1"}
    back = client.get(address_of(page, "Stop excluding Error at the receiver \\(5xx\\)"))
    assert len(ids_in(back)) == 3


def test_excluding_an_included_value_replaces_the_choice(client, logs):
    page = client.get(address_of(client.get(LOG_LIST, {"cause": "timeout"}), "Exclude No answer in time"))
    assert len(ids_in(page)) == 3


def test_the_form_keeps_filters_without_a_field(client, logs):
    page = client.get(LOG_LIST, {"not_cause": "timeout", "result": "FAILED", "sort": "oldest"}).content.decode()
    kept = re.findall(r'<input type="hidden" form="filters" name="(\w+)" value="(\w+)">', page)
    assert kept == [("not_cause", "timeout"), ("result", "FAILED"), ("sort", "oldest")]


def test_a_facet_with_many_values_shows_the_most_frequent_and_leads_to_all(client, logs):
    for number in range(10):
        make_log(200 + number, status=410 + number)
    short = facet(client.get(LOG_LIST), "status")
    assert len(short) == 8
    page = client.get(FACETS)
    assert len(facet(page, "status")) == 13
    assert "<html" in page.content.decode()
    assert "<html" not in client.get(FACETS, headers=HTMX).content.decode()


def test_the_count_of_a_partial_search_says_at_least(client, logs, monkeypatch):
    monkeypatch.setattr("logs.logsearch.finder.FIRST_WINDOW", 2)
    monkeypatch.setattr("logs.logsearch.finder.PAGE_PLUS_ONE", 2)
    page = client.get(LOG_LIST, {"q": "attempts:>0", "until": "2022-05-06T00:00Z"})
    assert facet(page, "state") == {"delivered": "≥ 2"}


def test_the_chart_stacks_the_logs_of_each_bar_by_state(client, logs):
    page = client.get(HISTOGRAM, {"since": "2022-05-05 20:00", "until": "2022-05-05 23:00"})
    rows = re.findall(r'<tr>\s*<th scope="row">.*?</tr>', page.content.decode(), re.DOTALL)
    shown = [re.sub(r"<[^>]+>", " ", row).split() for row in rows]
    assert [row[-3:] for row in shown] == [["1", "0", "1"], ["1", "0", "1"], ["1", "0", "1"], ["0", "2", "2"]]


def test_a_bar_leads_to_the_logs_of_its_time(client, logs):
    page = client.get(
        LOG_LIST, {"state": "failed", "since": "2022-05-05 20:00", "until": "2022-05-05 23:00"}, follow=True
    )
    bars = re.findall(r'<a href="([^"]+)" tabindex="-1">\s*<title>([^<]+)</title>', page.content.decode())
    full = [html.unescape(address) for address, title in bars if "Failed" in title]
    assert [ids_in(client.get(address)) for address in full] == [[logs[0].pk], [logs[1].pk], [logs[2].pk]]
    assert all("state=failed" in address for address in full)


def test_zooming_out_triples_the_range(client, logs):
    page = client.get(LOG_LIST, {"since": "2022-05-05 20:00", "until": "2022-05-05 22:00", "q": "sector"}, follow=True)
    assert address_of(page, "Zoom out") == f"{LOG_LIST}?since=2022-05-05T18:00Z&until=2022-05-06T00:00Z&q=sector"


def test_zooming_out_does_not_reach_into_the_future(client, logs):
    make_log(
        0,
        event={"data": {"_id": "0" * 24}},
        _id=objectid.new_objectid(timezone.now()),
        createdAt=timezone.now().isoformat(),
    )
    wider = address_of(client.get(LOG_LIST, {"range": "24h"}), "Zoom out")
    params = QueryDict(wider.partition("?")[2])
    until = datetime.fromisoformat(params["until"])
    assert until <= timezone.now() + timedelta(hours=1)  # the bar of this moment is not over
    assert until - datetime.fromisoformat(params["since"]) > timedelta(hours=47)


@pytest.mark.parametrize(
    ("zone", "labels"),
    [("UTC", ["6 May 00:00", "7 May 00:00"]), ("America/Santiago", ["6 May 00:00", "7 May 00:00"])],
)
def test_the_axis_is_labelled_at_midnight_of_the_user(client, logs, zone, labels):
    client.cookies["zone"] = zone
    page = client.get(
        LOG_LIST, {"since": "2022-05-04 12:00", "until": "2022-05-08 12:00"}, follow=True
    ).content.decode()
    axis = re.findall(r'<svg class="x-axis".*?</svg>', page, re.DOTALL)[0]
    assert set(labels) <= set(re.findall(r"<text[^>]*>([^<]*)</text>", axis))


def test_bars_have_different_labels_when_the_clock_goes_back(client, logs):
    client.cookies["timezone"] = "America/Santiago"
    night = {"since": "2022-04-03T01:00Z", "until": "2022-04-03T06:00Z"}
    page = client.get(LOG_LIST, night, follow=True).content.decode()
    titles = [title.rpartition(": ")[0] for title in re.findall(r"<title>([^<]*: [^<]*)</title>", page)]
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", re.findall(r'<svg class="x-axis".*?</svg>', page, re.DOTALL)[0])
    assert len(titles) == 60
    for texts in (titles, labels):
        assert len(set(texts)) == len(texts)
    assert "2 Apr 23:00 (UTC−3)–23:05 (UTC−3)" in titles
    assert "2 Apr 23:00 (UTC−4)–23:05 (UTC−4)" in titles
    assert "3 Apr 00:00–00:05" in titles
    assert {"23:00 (UTC−3)", "23:00 (UTC−4)"} <= set(labels)


def test_the_axis_of_years_shows_the_year(client, logs):
    page = client.get(LOG_LIST, {"since": "2021-01-01", "until": "2023-01-01"}, follow=True).content.decode()
    axis = re.findall(r'<svg class="x-axis".*?</svg>', page, re.DOTALL)[0]
    labels = re.findall(r"<text[^>]*>([^<]*)</text>", axis)
    assert len(labels) > 3
    assert all(re.fullmatch(r"[A-Z][a-z]+ 202[123]", label) for label in labels)


def test_values_in_cells_filter_the_list(client, logs):
    page = client.get(LOG_LIST, {"sort": "oldest", "not_cause": "timeout"}).content.decode()
    row = re.findall(rf'<tr data-log="{logs[4].pk}".*?</tr>', page, re.DOTALL)[0]
    assert [html.unescape(address) for address in re.findall(r'href="(/logs/\?[^"]*)"', row)] == [
        f"{LOG_LIST}?sort=oldest&not_cause=timeout&{added}"
        for added in ("state=delivered", "type=COTUser&action=edit", f"subscription={OTHER_SUBSCRIPTION}", "status=200")
    ]
    assert ids_in(client.get(f"{LOG_LIST}?type=COTUser&action=edit")) == [logs[4].pk]


def test_values_outside_the_facets_filter_the_list_too(client, db):
    make_subscription()
    odd = make_log(1, event={"type": "COTNews", "event": "sing"}, status=None)
    page = client.get(LOG_LIST).content.decode()
    queries = {"type=other&amp;action=other", "status=none"}
    assert queries <= set(re.findall(r'href="/logs/\?([^"]*)"', page))
    assert ids_in(client.get(LOG_LIST, {"type": "other", "action": "other", "status": "none"})) == [odd.pk]


def test_the_oldest_logs_can_come_first(client, logs):
    page = client.get(LOG_LIST, {"sort": "oldest"})
    assert ids_in(page) == [log.pk for log in logs]
    assert "oldest first" in text_of(page)
    assert client.get(LOG_LIST, {"sort": "sideways"}).status_code == 422


def test_pages_lead_backward_as_well_as_forward(client, db):
    make_subscription()
    import_logs(*(log_document(number) for number in range(120)))
    first = client.get(LOG_LIST)
    second = client.get(LOG_LIST + html.unescape(re.search(r'href="(\?after=[^"]+)"', first.content.decode())[1]))
    assert "Previous 50" not in first.content.decode()
    back = html.unescape(re.search(r'href="(\?before=[^"]+)"', second.content.decode())[1])
    assert client.get(LOG_LIST + back)["Location"] == LOG_LIST  # where the live tail is
    third = client.get(LOG_LIST + html.unescape(re.search(r'href="(\?after=[^"]+)"', second.content.decode())[1]))
    back = html.unescape(re.search(r'href="(\?before=[^"]+)"', third.content.decode())[1])
    assert ids_in(client.get(LOG_LIST + back)) == ids_in(second)


def test_a_row_links_its_log_with_the_list(client, logs):
    page = client.get(LOG_LIST, {"state": "failed", "sort": "oldest"}).content.decode()
    assert f'href="/logs/{logs[0].pk}/?state=failed&amp;sort=oldest"' in page


def test_columns_are_chosen_and_remembered(client, logs):
    def headings() -> list[str]:
        table = re.search(r"<thead>.*?</thead>", client.get(LOG_LIST).content.decode(), re.DOTALL)[0]
        return re.findall(r'<th class="[^"]*" scope="col">([^<]+)</th>', table)

    as_at_first = headings()
    assert as_at_first == [
        "State",
        "Age",
        "Event",
        "Object",
        "Subscription",
        "Status",
        "Cause and response",
        "Attempts",
    ]
    answer = client.post(COLUMNS, {"column": ["id", "took", "nonsense"], "next": LOG_LIST + "?state=failed"})
    assert answer.url == LOG_LIST + "?state=failed"
    assert headings() == ["State", "Object", "Duration", "Log id"]
    client.post(COLUMNS, {"reset": "1", "next": "https://elsewhere.example/"})
    assert headings() == as_at_first


def test_choosing_columns_does_not_redirect_to_another_site(client):
    assert client.post(COLUMNS, {"next": "https://elsewhere.example/"}).url == LOG_LIST


def test_a_wrong_filter_has_neither_chart_nor_facets(client, logs):
    for address in (LOG_LIST, FACETS, HISTOGRAM):
        page = client.get(address, {"state": "broken"})
        assert page.status_code == 422
        assert "data-range-select" not in page.content.decode()
        assert "facet-cause" not in page.content.decode()


@pytest.mark.parametrize("address", [FACETS, HISTOGRAM])
def test_counts_include_no_logs_of_other_companies(client, logs, viewer, address):
    viewer.companies.clear()
    text = text_of(client.get(address))
    assert "Failed" not in text
    assert "Work Orders Update" not in text


def test_a_refreshed_row_still_links_its_log_with_the_list(client, logs, member):
    client.force_login(member("Operator"))
    page = client.get(LOG_LIST, {"state": "failed"}).content.decode()
    send = html.unescape(re.search(r'hx-post="([^"]+/redeliveries/[^"]*)"', page)[1])
    row = client.post(send, {"expected_attempts": "3", "confirmed": "yes"}, headers=HTMX).content.decode()
    again = html.unescape(re.search(r'hx-get="([^"]+/row/[^"]*)"', row)[1])
    for answer in (row, client.get(again, headers=HTMX).content.decode()):
        assert f'href="/logs/{logs[2].pk}/?state=failed"' in answer
        assert 'href="/logs/?state=failed&amp;status=502"' in answer


def test_one_failure_among_many_is_visible_in_the_chart(client):
    """It is drawn higher than its share, which is a fiftieth of the height of the highest bar."""
    make_subscription()
    make_log(0)
    a_month_later = 30 * 24 * 60
    for minute in [*range(1, 11), *range(a_month_later, a_month_later + 50)]:
        make_log(minute, status=200, retry=1, response="OK")
    page = client.get(LOG_LIST).content.decode()
    [height] = re.findall(r'<rect class="failed" [^>]*height="([0-9.]+)"', page)
    assert float(height) == 3.0


def test_a_user_of_several_companies_can_filter_by_company(client, viewer, logs):
    assert "facet-company" not in client.get(LOG_LIST).content.decode()
    other = make_company("625be93a286ef83c1c0e0000", "Boreal")
    other.users.add(viewer)
    make_company("625be93a286ef83c1c0e0001", "Not mine")
    assert companies(client.get(LOG_LIST)) == ([COMPANY, other.pk], [])
    for company, number in ((COMPANY, 5), (other.pk, 0)):
        page = client.get(LOG_LIST, {"company": company})
        assert companies(page) == ([COMPANY, other.pk], [company])
        assert len(ids_in(page)) == number


def companies(page) -> tuple[list[str], list[str]]:
    """The values of the facet, and the ticked ones; the facet is open if there are any."""
    part = re.search(
        r'<details class="facet" id="facet-company" (open)?>(.*?)</details>', page.content.decode(), re.DOTALL
    )
    assert part
    ticked = re.findall(r'value="([^"]*)" checked', part[2])
    assert bool(part[1]) == bool(ticked)
    return re.findall(r'value="([^"]*)"', part[2]), ticked


class TestChangesOfTheClock:
    """Chile put its clocks forward in the night to 2022-09-11, and back in that to 2022-04-03."""

    @pytest.fixture(autouse=True)
    def santiago(self, client):
        make_subscription()
        client.cookies["zone"] = "America/Santiago"

    def bars(self, client, query: str) -> dict[str, str]:
        """The links of the bars that contain a log, and their labels."""
        page = client.get(f"{LOG_LIST}?{query}", follow=True).content.decode()
        links = re.findall(r'<a href="([^"]+)" tabindex="-1">\s*<title>([^<]+)</title>', page)
        return {title: html.unescape(address) for address, title in links if "no logs" not in title}

    def test_the_chart_continues_after_them(self, client):
        log = make_log(0, createdAt="2022-11-20T12:00:00.000Z")
        bars = self.bars(client, "since=2022-08-25&until=2022-11-28")
        assert list(bars) == ["20 Nov: 1 Failed"]
        assert ids_in(client.get(*bars.values())) == [log.pk]

    def test_bars_of_a_repeated_hour_lead_to_their_own_logs(self, client):
        moments = ("2022-04-03T02:05:00.000Z", "2022-04-03T03:05:00.000Z", "2022-04-03T04:05:00.000Z")
        logs = [make_log(number, createdAt=moment) for number, moment in enumerate(moments)]
        page = client.get(
            LOG_LIST, {"since": "2022-04-02 20:00", "until": "2022-04-03 06:00"}, follow=True
        ).content.decode()
        links = re.findall(r'<a href="([^"]+)" tabindex="-1">\s*<title>([^<]+): 1 Failed</title>', page)
        assert [title for _address, title in links] == [
            "2 Apr 23:00 (UTC−3)–23:15 (UTC−3)",
            "2 Apr 23:00 (UTC−4)–23:15 (UTC−4)",
            "3 Apr 00:00–00:15",
        ]
        assert [ids_in(client.get(html.unescape(address))) for address, _title in links] == [[log.pk] for log in logs]

    def test_a_skipped_midnight_becomes_the_next_hour(self, client):
        before, after = (
            make_log(0, createdAt="2022-09-11T03:59:59.000Z"),
            make_log(1, createdAt="2022-09-11T04:00:00.000Z"),
        )
        assert ids_in(client.get(LOG_LIST, {"since": "2022-09-11"}, follow=True)) == [after.pk]
        assert ids_in(client.get(LOG_LIST, {"until": "2022-09-11"}, follow=True)) == [before.pk]


class TestAddress:
    """The URL means the same for every user, and leads back to the same page."""

    def test_the_url_has_times_in_utc_and_the_page_in_the_users_zone(self, client):
        make_subscription()
        log = make_log(0, createdAt="2022-05-05T20:04:40.000Z")
        client.cookies["zone"] = "America/Santiago"
        answer = client.get(LOG_LIST, {"state": "failed", "since": "2022-05-05 16:04", "until": "2022-05-05 16:05:30"})
        assert answer.status_code == 302
        assert answer["Location"] == f"{LOG_LIST}?state=failed&since=2022-05-05T20:04Z&until=2022-05-05T20:05:30Z"
        page = client.get(answer["Location"])
        assert ids_in(page) == [log.pk]
        assert 'name="since" size="16" value="2022-05-05 16:04"' in page.content.decode()
        assert 'name="until" size="16" value="2022-05-05 16:05:30"' in page.content.decode()
        assert "From2022-05-05 16:04" in re.sub(r"<[^>]*>|\s+(?=<)", "", page.content.decode())
        client.cookies["zone"] = "Asia/Kolkata"
        page = client.get(answer["Location"])
        assert ids_in(page) == [log.pk]
        assert 'name="since" size="16" value="2022-05-06 01:34"' in page.content.decode()

    def test_a_typed_time_becomes_one_that_means_the_same_to_others_and_tomorrow(self, client, monkeypatch):
        make_subscription()
        log = make_log(0, createdAt="2022-05-05T02:04:40.000Z")
        make_log(1, createdAt="2022-05-05T04:00:00.000Z")  # midnight in Santiago
        client.cookies["zone"] = "America/Santiago"
        monkeypatch.setattr("logs.logsearch.filter_fields.now", lambda: datetime(2022, 5, 5, 13, tzinfo=UTC))
        answer = client.get(LOG_LIST, {"since": "ayer 22:00", "until": "yesterday"})
        assert answer["Location"] == f"{LOG_LIST}?since=2022-05-05T02:00Z&until=2022-05-05T04:00Z"
        monkeypatch.setattr("logs.logsearch.filter_fields.now", lambda: datetime(2022, 5, 6, 13, tzinfo=UTC))
        for zone, start, end in [
            ("America/Santiago", "2022-05-04 22:00", "2022-05-05 00:00"),
            ("Asia/Kolkata", "2022-05-05 07:30", "2022-05-05 09:30"),
        ]:
            client.cookies["zone"] = zone
            page = client.get(answer["Location"])
            assert ids_in(page) == [log.pk]
            assert f'name="since" size="16" value="{start}"' in page.content.decode()
            assert f'name="until" size="16" value="{end}"' in page.content.decode()
            assert f"Times in {zone}, such as 08:00, yesterday 22:30, 30/11 08:15 or -2h" in text_of(page)

    def test_an_invalid_time_stays_in_its_field_to_be_corrected(self, client, logs):
        page = client.get(LOG_LIST, {"since": "tomorrow", "until": "2022-05-05T20:00Z"})
        assert page.status_code == 422
        assert ids_in(page) == []
        assert 'name="since" size="16" value="tomorrow"' in page.content.decode()
        assert 'name="until" size="16" value="2022-05-05 20:00"' in page.content.decode()
        message = "From: Write a time such as 08:00, yesterday 22:30, 30/11 08:15, 2026-04-13 22:30 or -2h."
        assert message in text_of(page)
        assert re.findall(r'id="(\w+)"[^>]*aria-invalid="true"', page.content.decode()) == ["since"]
        assert 'aria-describedby="since-problem time-hint"' in page.content.decode()

    def test_an_end_before_its_start_is_marked(self, client, logs):
        page = client.get(LOG_LIST, {"since": "2022-05-05T20:00Z", "until": "2022-05-05T19:00Z"})
        assert page.status_code == 422
        assert "To: This must be after “From”." in text_of(page)
        assert re.findall(r'id="(\w+)"[^>]*aria-invalid="true"', page.content.decode()) == ["until"]

    def test_ticking_an_excluded_value_includes_it(self, client, logs):
        answer = client.get(
            LOG_LIST,
            {"not_state": ["failed", "skipped"], "not_cause": "timeout", "state": "failed", "cause": "timeout"},
        )
        assert answer["Location"] == f"{LOG_LIST}?not_state=skipped&state=failed&cause=timeout"

    def test_any_status_that_a_log_can_have_can_be_searched_for(self, client, logs):
        odd = make_log(7, status=0, response="")
        assert facet(client.get(LOG_LIST), "status")["0"] == "1"
        assert (
            ids_in(client.get(LOG_LIST, {"status": "0"})) == ids_in(client.get(LOG_LIST, {"q": "status:0"})) == [odd.pk]
        )

    def test_the_page_of_a_log_leads_back_to_the_page_of_the_list(self, client, logs, monkeypatch):
        monkeypatch.setattr("logs.views.logs.list_page.SIZE", 2)
        first = client.get(LOG_LIST, {"not_type": "other"}).content.decode()
        [more] = re.findall(r'<a class="btn" href="(\?[^"]*after=[^"]*)"', first)
        address = LOG_LIST + html.unescape(more)
        page = client.get(address)
        assert ids_in(page) == [logs[2].pk, logs[1].pk]
        [log] = re.findall(r'<a href="([^"]*)" data-row-link', page.content.decode())[:1]
        back = re.findall(r'<a class="back-link" href="([^"]*)"', client.get(html.unescape(log)).content.decode())
        assert ids_in(client.get(html.unescape(back[0]))) == [logs[2].pk, logs[1].pk]
        columns = client.post(COLUMNS, {"column": ["age"], "next": address})
        assert columns["Location"] == address

    @pytest.mark.parametrize("query", ["", "state=failed&"])
    def test_a_page_after_the_last_says_so_and_leads_to_the_first(self, client, logs, query):
        page = client.get(f"{LOG_LIST}?{query}after=1000000000000~{'0' * 24}")
        assert "No more logs in this list" in text_of(page)
        assert f'href="{LOG_LIST}{("?" + query).rstrip("&?")}"' in page.content.decode()


def test_a_partial_search_charts_only_the_time_it_covered(client, logs, monkeypatch):
    monkeypatch.setattr("logs.logsearch.finder.FIRST_WINDOW", 2)
    monkeypatch.setattr("logs.logsearch.finder.PAGE_PLUS_ONE", 1)
    page = client.get(LOG_LIST, {"q": "attempts:>0", "until": "2022-05-06T00:00Z"})
    text = text_of(page)
    assert "≥ 2 logs" in text
    assert "back to 5 May 2022 22:05:40" in " ".join(text.split())
    bars = re.findall(r'tabindex="-1">\s*<title>([^<]+)</title>', page.content.decode())
    assert bars[0].startswith("5 May 22:05:40–")
    assert any("2 Delivered" in title for title in bars)
