"""All logs of one object, and the comparison of two of them."""

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.models import Payload
from logs.stats.object_history import summarize_history

from ..factories import OTHER_SUBSCRIPTION, import_logs, log_document, make_company, make_log, make_subscription
from ..html import HTMX, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer", "subscription")]
OBJECT = "62742b7562f37034d9399914"


def for_object(number: int, pk: str = OBJECT, data: dict | None = None, **fields):
    return make_log(number, {"data": {"_id": pk} | (data or {})}, **fields)


def history(pk: str = OBJECT) -> str:
    return reverse("logs:object_detail", args=[pk])


def comparison(this, that) -> str:
    return reverse("logs:log_compare", args=[this.pk, that.pk])


def ids_in(response) -> list[str]:
    return re.findall(r'href="/logs/([0-9a-f]{24})/" data-row-link', response.content.decode())


def test_all_its_logs_are_listed_newest_first_across_subscriptions(client):
    make_subscription(OTHER_SUBSCRIPTION, name="Users")
    logs = [for_object(1), for_object(2, subscription=OTHER_SUBSCRIPTION), for_object(3)]
    for_object(4, pk="62742b7562f37034d9390000")
    page = client.get(history())
    assert ids_in(page) == [log.pk for log in reversed(logs)]
    assert "3 logs" in text_of(page)
    assert "Users" in text_of(page)


def test_a_page_has_fifty_logs_and_none_is_repeated(client):
    import_logs(*(log_document(number, {"data": {"_id": OBJECT}}) for number in range(70)))
    first = client.get(history())
    more = html.unescape(re.search(r'href="(\?after=[^"]+)"', first.content.decode())[1])
    rest = client.get(history() + more, headers=HTMX)
    assert "<html" not in rest.content.decode()
    assert [len(ids_in(page)) for page in (first, rest)] == [50, 20]
    assert len({*ids_in(first), *ids_in(rest)}) == 70


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ("delivered", "None has failed."),
        ("failed", "One failed, and nothing newer has been delivered since."),
        ("failed delivered", "One failed, but its receiver has a newer event."),
        ("delivered failed", "One failed, and nothing newer has been delivered since."),
        (
            "failed delivered failed",
            "One failed, and nothing newer has been delivered since. One more failed, but its receiver has a newer event.",
        ),
        ("failed delivered-elsewhere", "One failed, and nothing newer has been delivered since."),
    ],
)
def test_one_sentence_says_what_the_receiver_is_missing(client, states, sentence):
    make_subscription(OTHER_SUBSCRIPTION, name="Users")
    for number, state in enumerate(states.split()):
        elsewhere = {"subscription": OTHER_SUBSCRIPTION} if state == "delivered-elsewhere" else {}
        for_object(number, status=500 if state == "failed" else 200, **elsewhere)
    assert sentence in re.sub(r"\s+", " ", text_of(client.get(history())))


def test_a_failed_log_says_that_it_is_superseded(client):
    for_object(1, status=500), for_object(2, status=200), for_object(3, status=500)
    assert text_of(client.get(history())).count("superseded") == 1


def test_more_logs_than_are_read_are_mentioned():
    assert summarize_history([("1", "s", "failed", 1), ("0", "s", "failed", 0)], is_more=True).is_more


def test_an_object_without_logs_says_so(client):
    page = client.get(history())
    assert page.status_code == 404
    assert "No logs for this object" in text_of(page)


def test_logs_of_another_company_are_not_in_it(client):
    log = for_object(1)
    other = make_subscription(OTHER_SUBSCRIPTION, company=make_company("625be93a286ef83c1c0e0000", "Other"))
    hidden = for_object(2, subscription=other.pk)
    assert ids_in(client.get(history())) == [log.pk]
    for address in (comparison(log, hidden), comparison(hidden, log)):
        assert client.get(address).status_code == 404


def test_an_invalid_cursor_is_an_error_without_rows(client):
    for_object(1)
    page = client.get(history(), {"after": "x"})
    assert (page.status_code, ids_in(page)) == (422, [])


def test_it_takes_few_queries_and_the_index_of_objects(client):
    import_logs(*(log_document(number, {"data": {"_id": OBJECT}}) for number in range(10)))
    import_logs(*(log_document(number, {"data": {"_id": f"{number:024x}"}}) for number in range(10, 2_000)))
    with CaptureQueriesContext(connection) as queries:
        client.get(history())
    about_logs = [query["sql"] for query in queries if '"object_id" =' in query["sql"]]
    assert len(about_logs) == 2
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE logs_webhooklog")  # else the plan is for what tests before have left
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for sql in about_logs:
            cursor.execute("EXPLAIN " + sql)
            assert "log_of_object" in str(cursor.fetchall())


def test_two_selected_logs_are_compared(client):
    this, that = for_object(1), for_object(2)
    answer = client.get(history(), {"this": this.pk, "that": that.pk})
    assert (answer.status_code, answer["Location"]) == (302, comparison(this, that))


@pytest.mark.parametrize("query", ["this=x&that=y", "this=62742dd824c886d54e60f02b", "this={0}&that={0}"])
def test_comparing_needs_exactly_two_logs(client, query):
    log = for_object(1)
    page = client.get(f"{history()}?{query.format(log.pk)}")
    assert "Choose two different logs to compare." in text_of(page)
    assert ids_in(page) == [log.pk]


def test_a_comparison_lists_differences_and_links_both_logs_and_the_history(client):
    this = for_object(1, data={"name": "Pump", "gone": 1, "password": "hidden"})
    that = for_object(2, data={"name": "Fan", "new": [1], "password": "hidden"})
    page = client.get(comparison(this, that))
    text = re.sub(r"\s+", " ", text_of(page))
    assert "/name changed Pump Fan" in text
    assert "/gone removed 1" in text
    assert "/new added [1]" in text
    assert "/password masked, not compared" in text
    assert "hidden" not in text
    for address in (comparison(that, this), this.get_absolute_url(), that.get_absolute_url(), history()):
        assert f'href="{address}"' in page.content.decode()


def test_logs_of_different_objects_are_not_compared(client):
    page = client.get(comparison(for_object(1), for_object(2, pk="62742b7562f37034d9390000")))
    assert page.status_code == 404
    assert "These two logs are about different objects." in text_of(page)


def test_logs_without_an_object_are_not_compared(client):
    logs = [make_log(number, {"type": "Auth", "event": "logout", "data": None}) for number in (1, 2)]
    assert client.get(comparison(*logs)).status_code == 404


def test_a_comparison_with_an_expired_payload_says_so(client):
    this, that = for_object(1), for_object(2)
    Payload.objects.filter(pk=this.pk).delete()
    assert "One of the two payloads has expired." in text_of(client.get(comparison(this, that)))


def test_a_long_value_is_folded_not_cut(client):
    this, that = for_object(1, data={"note": "a" * 1000}), for_object(2, data={"note": "b" * 1000})
    page = client.get(comparison(this, that)).content.decode()
    assert "Show all 1,000 characters" in html.unescape(page)
    assert "a" * 1000 in page


def test_the_page_of_a_log_links_the_history_and_comparisons(client):
    older, log = for_object(1), for_object(2)
    page = client.get(log.get_absolute_url()).content.decode()
    assert f'href="{history()}"' in page
    assert f'href="{comparison(older, log)}"' in page


def test_an_element_is_called_by_its_name_everywhere(client):
    """Cotalker's elements have their name in name.display, and else in name.code."""
    element = {"type": "COTProperty"}
    named = {"_id": OBJECT, "name": {"code": "ford_mustang", "display": "Ford Mustang"}}
    log = make_log(1, element | {"data": named})
    make_log(2, element | {"data": {"_id": "6" * 24, "name": {"code": "tesla"}}})
    for address in (history(), log.get_absolute_url(), "/logs/"):
        assert "Ford Mustang" in text_of(client.get(address)), address
    assert "tesla" in text_of(client.get("/logs/"))
