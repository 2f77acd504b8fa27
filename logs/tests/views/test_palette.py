"""The palette's options: only what the user may open, found by a part of its name, its code or its id."""

from __future__ import annotations

import html
import re

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logs.models import BulkRedelivery, SavedView

from ..bulk_redeliveries import plan_logs, start_redelivery
from ..factories import OTHER_COMPANY, OTHER_SUBSCRIPTION, make_company, make_log, make_subscription

pytestmark = pytest.mark.django_db
OPTION = re.compile(r'role="option"[^>]*href="([^"]*)"[^>]*>\s*([^<]*?)\s*(?:<span>([^<]*)</span>\s*)?</a>')
OWN_QUERIES = 5
SESSION_QUERIES = 4  # the session, the user, and the user's and groups' permissions


def options(client, text: str = "") -> list[tuple[str, str, str]]:
    """Label, kind and URL of each."""
    answer = client.get("/palette/", {"q": text})
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    found = OPTION.findall(answer.content.decode())
    return [(html.unescape(label), kind, html.unescape(url)) for url, label, kind in found]


def labels(client, text: str, kind: str) -> list[str]:
    return [label for label, of_kind, _ in options(client, text) if of_kind == kind]


@pytest.fixture
def other_subscription(db):
    """Of a company that nobody here belongs to."""
    return make_subscription(OTHER_SUBSCRIPTION, name="Work of others", company=make_company(OTHER_COMPANY, "Boreal"))


@pytest.mark.parametrize("role", ["Viewer", "Operator", "Administrator"])
def test_every_page_that_is_offered_opens_and_the_navigation_is_among_them(client, member, role):
    client.force_login(member(role))
    offered = {url for letter in "aeiou" for _, kind, url in options(client, letter) if kind == "Page"}
    assert {client.get(url).status_code for url in offered} == {200}
    navigation = re.findall(r'<li>\s*<a href="([^"]+)"', client.get("/nothing/").content.decode())
    assert set(navigation) <= offered


def test_a_viewer_is_offered_no_page_of_other_roles(client, viewer):
    assert labels(client, "import", "Page") == []
    assert labels(client, "new sub", "Page") == []
    assert labels(client, "administration", "Page") == []


def test_without_a_text_the_first_pages_and_the_pinned_views_are_offered(client, viewer, subscription):
    SavedView.objects.create(owner=viewer, name="Night", query="state=failed").pinned_by.add(viewer)
    SavedView.objects.create(owner=viewer, name="Day", query="state=skipped")
    assert options(client) == [
        ("Overview", "Page", "/"),
        ("Incidents", "Page", "/incidents/"),
        ("Logs", "Page", "/logs/"),
        ("Queues", "Page", "/queues/"),
        ("Redeliveries", "Page", "/redeliveries/"),
        ("Subscriptions", "Page", "/subscriptions/"),
        ("Saved views", "Page", "/saved-views/"),
        ("Preferences", "Page", "/preferences/"),
        ("Password", "Page", "/password/"),
        ("Night", "Saved view", "/logs/?state=failed"),
    ]


def test_pages_are_found_in_the_readers_language_without_accents(client, viewer):
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    assert ("Reenvíos", "Página", "/redeliveries/") in options(client, "REENVIOS")


@pytest.mark.parametrize("text", ["orders up", "UPDATE", "code_6268", "62685990d918fb5557f9f992"])
def test_a_subscription_is_found_by_its_name_code_or_id(client, viewer, subscription, other_subscription, text):
    assert labels(client, text, "Subscription") == ["Work Orders Update"]


def test_subscriptions_of_other_companies_are_not_found(client, viewer, other_subscription):
    assert labels(client, "work", "Subscription") == []
    assert labels(client, other_subscription.pk, "Subscription") == []


def test_the_url_of_a_subscription_is_not_searched(client, viewer):
    make_subscription(url="https://www.server.com/?token=secret")
    assert labels(client, "secret", "Subscription") == []


def test_saved_views_are_the_users_own_and_those_pinned(client, viewer, member):
    colleague = member("Operator")
    SavedView.objects.create(owner=viewer, name="My failures", query="state=failed")
    SavedView.objects.create(owner=colleague, name="Private failures", query="state=failed")
    SavedView.objects.create(owner=colleague, name="Shared failures", query="state=failed", is_shared=True)
    pinned = SavedView.objects.create(owner=colleague, name="Pinned failures", query="state=failed", is_shared=True)
    pinned.pinned_by.add(viewer)
    assert labels(client, "failures", "Saved view") == ["My failures", "Pinned failures"]
    pinned.is_shared = False
    pinned.save()
    assert labels(client, "failures", "Saved view") == ["My failures"]


def test_the_views_that_everybody_has_are_found(client, viewer):
    assert ("Failed", "Saved view", "/logs/?state=failed") in options(client, "failed")


def test_the_id_of_a_visible_log_opens_it(client, viewer, subscription, other_subscription):
    log = make_log()
    hidden = make_log(1, subscription=OTHER_SUBSCRIPTION)
    assert options(client, log.pk.upper())[0] == (f"Open log {log.pk}", "Log", f"/logs/{log.pk}/")
    assert [kind for _, kind, _ in options(client, hidden.pk)] == [""]  # only the search of the logs


def test_the_id_of_an_object_opens_it_if_one_of_its_logs_is_visible(client, viewer, subscription, other_subscription):
    log = make_log(0, {"data": {"_id": "6" * 24}})
    make_log(1, {"data": {"_id": "7" * 24}}, subscription=OTHER_SUBSCRIPTION)
    assert log.object_id == "6" * 24
    assert options(client, "6" * 24)[0] == (f"Open object {log.object_id}", "Object", f"/objects/{log.object_id}/")
    assert labels(client, "7" * 24, "Object") == []


def test_the_number_of_a_visible_bulk_redelivery_opens_it(client, viewer, member, subscription):
    bulk = start_redelivery(member("Operator"), [make_log()])
    plan = plan_logs(member("Operator"), [make_log(1)])
    expected = (f"Open bulk redelivery {bulk.pk}", "Bulk redelivery", f"/redeliveries/{bulk.pk}/")
    assert options(client, str(bulk.pk))[0] == expected
    assert labels(client, str(plan.pk), "Bulk redelivery") == []  # a plan is its creator's


@pytest.mark.parametrize("text", ["0", "9" * 30, "-1", "٣", "1.5", "%", "_", "\\", "a" * 200, "🚚"])
def test_odd_texts_find_nothing_but_the_search_of_the_logs(client, viewer, text):
    assert [label for label, kind, _ in options(client, text)] == [f"Search logs for “{text}”"]
    assert not BulkRedelivery.objects.exists()


def test_the_last_option_searches_the_logs_for_the_text(client, viewer):
    [option] = options(client, 'Ñandú & "x"')
    assert option[2] == "/logs/?q=%C3%91and%C3%BA%20%26%20%22x%22"
    assert client.get(option[2]).status_code == 200


def test_stored_text_is_escaped(client, viewer):
    make_subscription(name="<img src=x onerror=alert(1)>")
    page = client.get("/palette/", {"q": "onerror"}).content.decode()
    assert "<img" not in page
    assert labels(client, "onerror", "Subscription") == ["<img src=x onerror=alert(1)>"]


@pytest.mark.parametrize("query", ["q=a&q=b", "colour=red", "q=%00", f"q={'a' * 201}"])
def test_an_invalid_query_gets_no_options(client, viewer, query):
    answer = client.get(f"/palette/?{query}")
    assert answer.status_code == 422
    assert "option" not in answer.content.decode()


def test_at_most_nine_of_a_kind_are_offered(client, viewer):
    for number in range(10):
        make_subscription(f"{number:024x}", name=f"Zeta {number}")
        SavedView.objects.create(owner=viewer, name=f"Zeta {number}", query="state=failed")
    names = [f"Zeta {number}" for number in range(9)]
    assert labels(client, "zeta", "Subscription") == names
    assert labels(client, "zeta", "Saved view") == names


@pytest.mark.parametrize("text", ["", "e", "12", "6" * 24])
def test_few_queries_are_enough(client, viewer, text):
    with CaptureQueriesContext(connection) as captured:
        options(client, text)
    assert len(captured) <= SESSION_QUERIES + OWN_QUERIES


def test_a_role_without_subscriptions_finds_none(client, django_user_model, subscription):
    user = django_user_model.objects.create_user("only logs")
    user.user_permissions.add(Permission.objects.get(codename="view_webhooklog"))
    subscription.company.users.add(user)
    client.force_login(user)
    assert labels(client, "work", "Subscription") == []
    assert labels(client, "queues", "Page") == []
    assert labels(client, "subscriptions", "Page") == []
