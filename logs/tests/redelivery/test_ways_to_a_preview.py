"""Every way from a page to a plan of a bulk redelivery, by the links, forms and buttons that the pages show."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from logs.cotalker import objectid
from logs.models import BulkRedelivery, BulkRedeliveryState, SavedView, SelectionSource, Subscription, WebhookLog
from logs.redelivery.controls import stop_bulk
from logs.stats.period import TIME_RANGES

from ..bulk_redeliveries import start_redelivery
from ..factories import OTHER_SUBSCRIPTION, SUBSCRIPTION, import_logs, log_document, make_subscription, make_waiting_log
from .visitor import TICKED, Page, Visitor, words

pytestmark = pytest.mark.django_db
MINUTES = [2, 3, 4, 5]  # how old the failures are


def document(minutes: int, **fields) -> dict:
    at = timezone.now() - timedelta(minutes=minutes)
    down = {"status": 502, "response": "502 Bad Gateway", "retry": 3}
    event = {"data": {"_id": f"{minutes:024x}"}}
    return (
        log_document(event=event)
        | {"_id": objectid.new_objectid(at), "createdAt": f"{at:%Y-%m-%dT%H:%M:%S}.000Z"}
        | down
        | fields
    )


@pytest.fixture
def visitor(client, member):
    """An operator, while two subscriptions have failed in the last minutes and one of them has recovered."""
    operator = member("Administrator")
    client.force_login(operator)
    make_subscription()
    make_subscription(OTHER_SUBSCRIPTION, name="Deliveries")
    failed = [document(minutes) for minutes in MINUTES]
    others = [document(minutes, subscription=OTHER_SUBSCRIPTION, response="504") for minutes in (6, 7)]
    import_logs(*failed, *others, document(1, status=200, response="OK", retry=1))
    visitor = Visitor(client)
    visitor.operator = operator
    visitor.failed = [log["_id"] for log in failed]
    return visitor


def assert_is_plan(visitor: Visitor, page: Page, of: int, source: str) -> None:
    """The button plans so many logs, says so, and the plan links back to the list of its logs."""
    bulk = BulkRedelivery.objects.get(pk=re.fullmatch(r"/redeliveries/(\d+)/", page.path)[1])
    assert (bulk.state, bulk.problem, bulk.source, bulk.items.count()) == (BulkRedeliveryState.PLANNED, "", source, of)
    to_send = str(bulk.items.filter(outcome="planned").count())
    assert page.html.h1["id"] == "plan-title"
    assert page.html.h1.text.endswith(f"{of} log{'s' if of > 1 else ''}, {to_send} to send")
    assert page.html.find(id="plan-total").b.text == to_send
    if source == SelectionSource.FILTER:
        [back] = page.links_to_logs
        assert logs_listed(visitor.open(back)) == of


def logs_listed(page: Page) -> int:
    return number_in(words(page.html.find("h2", {"data-announce": True})))


def number_in(text: str) -> int:
    [number] = re.findall(r"\d+", text)
    return int(number)


def press_every_button(visitor: Visitor, page: Page, default: int = TICKED) -> list[str]:
    """Press each button that leads to a plan; their labels. `default`: the number of logs if a label has none."""
    buttons = page.ways_to_a_plan()
    for way in buttons:
        if way.selection not in visitor.seen:  # the same selection from another page is the same request
            visitor.seen.add(way.selection)
            of = number_in(way.label) if re.search(r"\d", way.label) else default
            assert_is_plan(visitor, way.go(), of, way.source)
    return [way.label for way in buttons]


@pytest.mark.parametrize("range_", TIME_RANGES)
def test_every_list_of_the_overview_leads_to_a_preview(visitor, range_):
    lists = visitor.open(f"/?range={range_}").links_to_logs
    assert f"/logs/?range={range_}&state=failed" in lists
    for address in dict.fromkeys(lists):
        page = visitor.open(address)
        assert press_every_button(visitor, page) == ["Plan a bulk redelivery…", f"Redeliver all {logs_listed(page)}…"]


def form_with(page: Page, field: str):
    [form] = [form for form in dict.fromkeys(page.answer.forms.values()) if field in form.fields]
    return form


def test_the_page_of_a_subscription_leads_to_a_preview(visitor):
    page = visitor.open(f"/subscriptions/{SUBSCRIPTION}/")
    assert press_every_button(visitor, page, default=4) == ["Redeliver 4…", "Plan a bulk redelivery…"]


def test_the_waiting_events_of_a_queue_lead_to_a_preview(visitor):
    for number in range(3):
        make_waiting_log(Subscription.objects.get(pk=OTHER_SUBSCRIPTION), number)
    Subscription.objects.filter(pk=OTHER_SUBSCRIPTION).update(paused_at=timezone.now())
    [waiting] = [href for href in visitor.open("/queues/").links_to_logs if "state=pending" in href]
    assert press_every_button(visitor, visitor.open(waiting)) == ["Plan a bulk redelivery…", "Redeliver all 3…"]


@pytest.mark.parametrize(
    "time", ["range=24h", "since=2022-05-05", "until=2105-01-01", "since=2022-05-05+12:00&until=2105-01-01"]
)
def test_filters_with_times_in_any_zone_and_saved_views_lead_to_a_preview(visitor, time):
    visitor.app.set_cookie("timezone", "America/Santiago")
    page = visitor.open(f"/logs/?state=failed&{time}")
    assert press_every_button(visitor, page) == ["Plan a bulk redelivery…", "Redeliver all 6…"]
    save = form_with(page, "is_shared")
    save["name"], save["is_shared"] = "The night", True
    assert logs_listed(Page(save.submit().follow())) == 6
    view = SavedView.objects.get()
    views = visitor.open("/saved-views/")
    [saved] = [href for href in views.links_to_logs if href == view.get_absolute_url()]
    assert press_every_button(visitor, visitor.open(saved))[1] == "Redeliver all 6…"


def test_pasted_ids_lead_to_a_preview(visitor):
    form = form_with(visitor.open("/redeliveries/new/"), "ids")
    form["ids"] = "\n".join(visitor.failed)
    assert_is_plan(visitor, Page(form.submit().follow()), 4, SelectionSource.IDS)


def test_the_logs_similar_to_a_log_lead_to_a_preview(visitor):
    """From the page of a log, by each of its links to others."""
    lists = visitor.open(f"/logs/{visitor.failed[0]}/").links_to_logs
    assert lists
    for address in lists:
        page = visitor.open(address)
        assert press_every_button(visitor, page)[-1] == f"Redeliver all {logs_listed(page)}…"


def test_the_remaining_failures_of_a_bulk_redelivery_lead_to_a_preview(visitor):
    bulk = start_redelivery(visitor.operator, WebhookLog.objects.filter(pk__in=visitor.failed))
    stop_bulk(bulk, by=visitor.operator)
    [way] = visitor.open(bulk.get_absolute_url()).ways_to_a_plan()
    assert way.label == "Redeliver the logs still failing"
    assert_is_plan(visitor, way.go(), 4, SelectionSource.STILL_FAILING)


def test_a_shared_view_with_a_time_is_listed_changed_and_deleted(visitor, client, member):
    """By the one who made it, and by those with whom it is shared."""
    for user, actions in ((member("Operator"), 0), (visitor.operator, 2)):
        SavedView.objects.get_or_create(
            name="The night", query="since=2022-05-05T00:00Z&state=failed", is_shared=True, owner=visitor.operator
        )
        client.force_login(user)
        page = Visitor(client).open("/saved-views/")
        assert "From 2022-05-05 00:00" in words(page.html.main)
        ways = [link["href"] for link in page.html.main.find_all("a", class_="btn") if "/saved-views/" in link["href"]]
        assert len(ways) == actions
        for address in ways:
            forms = dict.fromkeys(Visitor(client).open(address).answer.forms.values())
            [form] = [form for form in forms if (form.method, form.action) == ("post", "")]
            assert form.submit().status_int == 302
    assert not SavedView.objects.exists()
