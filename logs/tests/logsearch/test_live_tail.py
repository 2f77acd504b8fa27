"""The live tail: the number of logs that have arrived at the top of the explorer's list."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.template import engines

from logs.models import WebhookLog
from logs.views.logs.list_page import LogListPage

from ..factories import OTHER_SUBSCRIPTION, SUBSCRIPTION, import_logs, log_document, make_company, make_subscription
from ..html import HTMX

pytestmark = pytest.mark.django_db
TAIL = "/logs/tail/"
MOMENT = datetime(2026, 4, 14, 9, 0, tzinfo=UTC)
CURSOR = "1651781080084000~62742dd824c886d54e60f02b"


def write(*numbers, seconds=60.0, **fields) -> None:
    """Logs that are `seconds` apart; those of later numbers are newer."""
    for number in numbers:
        moment = MOMENT + timedelta(seconds=seconds * number)
        values = {"id": f"{int(moment.timestamp()):08x}{number + 1000:016x}", "created_at": moment, "state": "failed"}
        values |= {"subscription_id": SUBSCRIPTION, "company": SUBSCRIPTION}
        values |= {"event_type": "COTTask", "attempt_count": 3}
        WebhookLog.objects.create(**values | fields)


REGION = "{% load live_tail %}{% live_tail explorer %}"


def tail(rf, user, query="", is_on=True) -> str:
    """The region of the live tail in the list of this query."""
    request = rf.get(f"/logs/?{query}")
    request.user = user
    request.COOKIES["tail"] = "on" if is_on else "off"
    explorer = LogListPage(request.GET, user)
    return engines["django"].from_string(REGION).render({"explorer": explorer}, request)


def poll_url(region: str) -> str:
    return html.unescape(re.search(r'hx-get="([^"]+)" hx-trigger="every', region)[1])


def news(answer) -> str:
    """The text that the response shows; "" if nothing is new."""
    if answer.status_code == 204:
        assert answer.content == b""
        return ""
    assert answer.status_code == 200
    assert len(answer.content) < 2048
    return re.sub(r"<[^>]+>", "", answer.content.decode()).strip()


def test_it_shows_how_many_logs_have_arrived_since_the_list_was_rendered(client, rf, viewer, subscription):
    write(*range(60))
    address = poll_url(tail(rf, viewer))
    assert news(client.get(address)) == ""
    write(60, 61, 62)
    assert news(client.get(address)) == "3 new"


def test_a_number_that_is_already_shown_is_not_sent_again(client, rf, viewer, subscription):
    address = poll_url(tail(rf, viewer))
    write(0)
    now = datetime.now(UTC)
    WebhookLog.objects.update(created_at=now)
    assert news(client.get(address)) == "1 new"
    assert news(client.get(f"{address}&seen=1")) == ""
    write(1, created_at=now)
    assert news(client.get(f"{address}&seen=1")) == "2 new"


def test_a_log_that_was_written_late_is_counted_and_one_that_was_shown_is_not(client, rf, viewer, subscription):
    write(0, *range(90, 101), seconds=1.0)
    address = poll_url(tail(rf, viewer))
    assert news(client.get(address)) == ""
    write(1, created_at=MOMENT + timedelta(seconds=95.5))
    assert news(client.get(address)) == "1 new"
    write(2, created_at=MOMENT + timedelta(seconds=80))  # that is no news: it belongs further down
    assert news(client.get(address)) == "1 new"


def test_logs_that_leave_the_list_hide_none_that_come(client, rf, viewer, subscription):
    write(*range(5), seconds=1.0, state="pending")
    address = poll_url(tail(rf, viewer, "state=pending"))
    WebhookLog.objects.update(state="delivered")
    write(6, seconds=1.0, state="pending")
    assert news(client.get(address)) == "1 new"


def test_many_new_logs_keep_the_url_short_and_are_counted_once(client, rf, viewer, subscription):
    write(*range(60), seconds=0.01)
    address = poll_url(tail(rf, viewer))
    assert len(address) < 700
    assert news(client.get(address)) == ""
    write(60, 61, seconds=0.01)
    assert news(client.get(address)) == "2 new"


def test_more_than_99_are_not_counted(client, rf, viewer, subscription):
    write(0)
    address = poll_url(tail(rf, viewer))
    write(*range(1, 105))
    assert news(client.get(address)) == "99+ new"


def test_only_logs_that_match_the_filter_and_the_search_are_new(client, rf, viewer, subscription):
    import_logs(log_document(0, response="refused"), log_document(1, status=200))
    filtered, searched = (poll_url(tail(rf, viewer, query)) for query in ("state=failed", "q=refused"))
    import_logs(
        log_document(2, status=200, response="ok"),
        log_document(3, response="connect ECONNREFUSED: refused"),
        log_document(4, response="timeout"),
    )
    assert news(client.get(filtered)) == "2 new"
    assert news(client.get(searched)) == "1 new"


def test_logs_that_the_user_may_not_see_are_not_counted(client, rf, viewer, subscription):
    make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    write(0)
    address = poll_url(tail(rf, viewer))
    write(1, subscription_id=OTHER_SUBSCRIPTION)
    assert news(client.get(address)) == ""


def test_the_link_leads_to_the_newest_page_of_the_same_filter(client, rf, viewer, subscription):
    write(0)
    address = poll_url(tail(rf, viewer, "state=failed&extend="))
    write(1)
    assert 'href="/logs/?state=failed"' in client.get(address).content.decode()


@pytest.mark.parametrize("query", ["sort=oldest", f"after={CURSOR}", "colour=red"])
def test_a_list_without_a_top_has_no_live_tail(rf, viewer, subscription, query):
    assert tail(rf, viewer, query).strip() == ""


@pytest.mark.parametrize("is_on", [True, False])
def test_it_polls_only_while_it_is_on(rf, viewer, subscription, is_on):
    assert ("hx-trigger" in tail(rf, viewer, is_on=is_on)) is is_on


def test_the_switch_is_remembered_and_answers_in_place_or_with_the_list(client, viewer, subscription, rf):
    region = tail(rf, viewer, "state=failed", is_on=False)
    switch = html.unescape(re.search(r'hx-post="([^"]+)"', region)[1])
    answer = client.post(switch, {"is_on": "on"}, headers=HTMX)
    assert client.cookies["tail"].value == "on"
    assert poll_url(answer.content.decode()).startswith("/logs/tail/?state=failed&top=")
    answer = client.post(switch, {"is_on": ""})
    assert (answer.status_code, answer["Location"]) == (302, "/logs/?state=failed")
    assert client.cookies["tail"].value == "off"


@pytest.mark.parametrize("top", ["", "x", "1~2", f"{CURSOR}{'.x' * 21}"])
def test_an_invalid_top_is_rejected(client, viewer, subscription, top):
    assert client.get(TAIL, {"top": top}).status_code == 400
    assert client.post(f"{TAIL}toggle/?top={top}", {"is_on": "on"}).status_code == 400


def test_an_invalid_filter_is_rejected(client, viewer, subscription, rf):
    write(0)
    address = poll_url(tail(rf, viewer, f"subscription={SUBSCRIPTION}"))
    assert client.get(address.replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)).status_code == 400
