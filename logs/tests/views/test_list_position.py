"""On the page of a log: links to its neighbours in the list from which it was opened, and back to the list."""

import html
import re
import time

import pytest

from logs.logsearch.matching import MatchResult
from logs.models import WebhookLog

from ..factories import OTHER_SUBSCRIPTION, import_logs, log_document, make_company, make_subscription

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer")]


@pytest.fixture
def logs() -> list[WebhookLog]:
    """The oldest first; every second one was delivered."""
    make_subscription()
    statuses = [409, 200, 409, 200, 409]
    import_logs(*(log_document(number, status=status, response="ok") for number, status in enumerate(statuses)))
    return list(WebhookLog.objects.order_by("created_at"))


def links(answer) -> dict[str, str]:
    """Where "prev", "next" and "back" lead; the list, to the log."""
    page = answer.content.decode()
    targets = {rel: html.unescape(to) for rel, to in re.findall(r'rel="(prev|next)" href="([^"]+)"', page)}
    back, is_at_a_log, log = html.unescape(re.search(r'class="back-link" href="([^"]+)"', page)[1]).partition("#")
    assert log == (answer.context["log"].pk if is_at_a_log else "")
    assert bool(is_at_a_log) == ("?" in back)
    return targets | {"back": back}


def test_the_neighbours_of_a_permalink_are_all_logs(client, logs):
    assert links(client.get(logs[1].get_absolute_url())) == {
        "prev": logs[2].get_absolute_url(),
        "next": logs[0].get_absolute_url(),
        "back": "/logs/",
    }


def test_the_neighbours_match_the_filter_and_keep_it(client, logs):
    query = "?state=failed&range="
    assert links(client.get(logs[2].get_absolute_url() + query)) == {
        "prev": logs[4].get_absolute_url() + query,
        "next": logs[0].get_absolute_url() + query,
        "back": "/logs/" + query,
    }


def test_a_search_has_neighbours_too(client, logs):
    query = "?q=status:200+ok"
    targets = links(client.get(logs[1].get_absolute_url() + query))
    assert targets["prev"] == logs[3].get_absolute_url() + query
    assert "next" not in targets


def test_logs_at_the_ends_of_the_list_have_one_neighbour(client, logs):
    assert "prev" not in links(client.get(logs[4].get_absolute_url()))
    assert "next" not in links(client.get(logs[0].get_absolute_url()))


def test_the_next_log_is_newer_when_the_oldest_come_first(client, logs):
    answer = client.get(logs[1].get_absolute_url() + "?sort=oldest")
    assert links(answer)["next"] == logs[2].get_absolute_url() + "?sort=oldest"
    assert re.search(r'rel="next"[^>]*>Newer', answer.content.decode())


def test_a_log_outside_the_list_has_the_neighbours_of_its_time(client, logs):
    targets = links(client.get(logs[1].get_absolute_url() + "?state=failed"))
    assert targets["prev"] == logs[2].get_absolute_url() + "?state=failed"
    assert targets["next"] == logs[0].get_absolute_url() + "?state=failed"


def test_the_parts_of_the_log_keep_the_list(client, logs):
    page = client.get(logs[2].get_absolute_url() + "?state=failed").content.decode()
    for part in ("", "changes/", "request/", "response/", "payload/raw/", "payload/indented/"):
        assert f'href="{logs[2].get_absolute_url()}{part}?state=failed"' in page
    assert '<input type="hidden" name="state" value="failed">' in page
    targets = links(client.get(f"{logs[2].get_absolute_url()}response/?state=failed"))
    assert targets["back"] == "/logs/?state=failed"


def test_a_search_in_the_payload_does_not_filter_the_list(client, logs):
    targets = links(client.get(logs[2].get_absolute_url() + "?state=failed&find=name&at=/data"))
    assert targets["next"] == logs[0].get_absolute_url() + "?state=failed"


@pytest.mark.parametrize(
    "query", ["?state=broken", "?since=never", "?sort=sideways", f"?subscription={OTHER_SUBSCRIPTION}"]
)
def test_a_wrong_filter_gives_a_page_without_neighbours(client, logs, query):
    answer = client.get(logs[1].get_absolute_url() + query)
    assert answer.status_code == 200
    assert links(answer) == {"back": "/logs/" + query}


def test_logs_that_the_user_may_not_see_are_not_neighbours(client, logs):
    make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    import_logs(log_document(9, subscription=OTHER_SUBSCRIPTION))
    assert "prev" not in links(client.get(logs[4].get_absolute_url()))


def test_the_page_waits_only_briefly_for_a_long_search(client, logs, monkeypatch):
    looks = []

    def slowly(criteria, keys, limit=None, deadline=None):
        looks.append(keys)
        time.sleep(0.06)  # longer than a neighbour may take
        return MatchResult([])

    monkeypatch.setattr("logs.logsearch.finder.filter_matching", slowly)
    monkeypatch.setattr("logs.logsearch.finder.FIRST_WINDOW", 1)
    monkeypatch.setattr("logs.logsearch.finder.MAX_WINDOW", 1)
    import_logs(*(log_document(number) for number in range(10, 50)))
    answer = client.get(logs[2].get_absolute_url() + "?q=-nowhere")  # what does not occur is in no index
    assert answer.status_code == 200
    assert 1 <= len(looks) <= 4  # of more than forty
