"""Completions through HTTP: they come only from data that the user may see."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.stats.compaction import compact

from ..factories import OTHER_COMPANY, OTHER_SUBSCRIPTION, import_logs, log_document, make_company, make_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def logs(monkeypatch):
    """Two companies with a subscription each, whose logs have a status and a payload of their own."""
    monkeypatch.setattr("logs.logsearch.completion_sources.COMPLETION_TIMEOUT_SECONDS", 30)
    make_subscription(name="Work Orders Update", code="wo_update")
    other = make_company(OTHER_COMPANY, "Boreal")
    make_subscription(OTHER_SUBSCRIPTION, name="Work of others", code="secret_code", company=other)
    data = {"_id": "62742b7562f37034d9399914", "name": "P", "password": "x", "owner": {"apiKey": "x", "city": "x"}}
    data |= {"<b>": 1, "two words": 1, "tags": [{"colour": "red"}]}
    diff = {"/owner/city": {"previous": "x"}, "/apiKey": {"previous": "x"}}
    import_logs(
        log_document(1, {"data": data}, status=409),
        log_document(2, {"data": data}, status=409),
        log_document(3, {"data": data, "diff": diff}, status=502),
        log_document(4, {"data": {"theirs": 1}}, status=418, subscription=OTHER_SUBSCRIPTION),
    )


def offered(client, text: str, cursor: int | str = "") -> list[str]:
    response = client.get(reverse("logs:webhook_log_completions"), {"q": text, "cursor": cursor})
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    options = re.findall(r'data-before="([^"]*)" data-after="([^"]*)"', response.content.decode())
    return [html.unescape(f"{before}|{after}") for before, after in options]


def test_fields_and_values_are_offered_in_words(client, member):
    client.force_login(member("Viewer"))
    page = client.get(reverse("logs:webhook_log_completions"), {"q": "cause:time"}).content.decode()
    assert "<b>timeout</b> <span>No answer in time</span>" in page
    assert offered(client, "sta") == ["state:|", "status:|"]
    assert offered(client, "sta bomba", 3) == ["state:| bomba", "status:| bomba"]
    assert offered(client, "failed") == ["failed:|", "state:failed |"]
    assert offered(client, "was:") == ["was:failed |"]
    assert offered(client, "failed:") == ["failed:-1h.. |", "failed:today |", "failed:yesterday |"]
    assert offered(client, "type:ele") == ["type:property |"]


@pytest.mark.parametrize("is_compacted", [False, True])
def test_only_visible_statuses_are_offered_most_frequent_first(client, member, is_compacted):
    if is_compacted:
        compact()
    client.force_login(member("Viewer"))
    assert offered(client, "status:")[:3] == ["status:409 |", "status:502 |", "status:success |"]
    assert offered(client, "status:conflict") == ["status:409 |"]
    assert offered(client, "status:418") == []


def test_a_superuser_is_offered_values_of_all_companies(client, admin_user):
    client.force_login(admin_user)
    assert offered(client, "status:41") == ["status:418 |"]
    assert offered(client, "sub:wo") == ['sub:"Work Orders Update" |', 'sub:"Work of others" |']


def test_only_visible_subscriptions_and_companies_are_offered(client, member):
    client.force_login(member("Viewer"))
    assert offered(client, "sub:") == ['sub:"Work Orders Update" |']
    assert offered(client, "sub:secret") == []
    assert offered(client, "company:") == ["company:Austral |"]


def test_paths_come_from_visible_payloads_and_are_never_masked(client, member):
    client.force_login(member("Viewer"))
    assert offered(client, "data.") == ["data._id:|", "data.name:|", "data.owner.city:|", "data.tags.colour:|"]
    assert offered(client, "DATA.NA") == ["data.name:|"]
    assert offered(client, "diff.") == ["diff.owner.city.previous:|"]
    assert offered(client, "data.pass") == offered(client, "data.owner.api") == offered(client, "data.theirs") == []


@pytest.mark.parametrize("text", ["", "sta", "failed", "status:", "sub:", "company:", "data.", "data.name:x"])
def test_it_takes_three_queries_at_most(client, member, text):
    client.force_login(member("Viewer"))
    with CaptureQueriesContext(connection) as queries:
        offered(client, text)
    of_people = ("auth_", "django_session", "SAVEPOINT", "set_config")
    statements = [query["sql"] for query in queries]
    searched = [sql for sql in statements if not any(word in sql.partition("WHERE")[0] for word in of_people)]
    assert len(searched) <= 3, searched


@pytest.mark.parametrize("cursor", ["", "-1", "x", "99999", "1e3", "²"])
def test_an_invalid_caret_means_the_end(client, member, cursor):
    client.force_login(member("Viewer"))
    assert offered(client, "bomba sta", cursor)[0] == "bomba state:|"


@pytest.mark.parametrize("text", ["x" * 501, "\x00", "sub:\x00", 'sub:"', "data.\x00", "<script>", "status:\ud800"])
def test_any_text_is_answered(client, member, text):
    client.force_login(member("Viewer"))
    assert offered(client, text.encode("utf-8", "surrogatepass")) == offered(client, text.encode("utf-8", "replace"))


def test_hostile_names_do_not_become_markup(client, member):
    name = """<img src=x onerror=alert(1)> 'x' {{ 7*7 }}"""
    make_subscription("62685990d918fb5557f9f994", name=name)
    make_subscription("62685990d918fb5557f9f995", name='"quoted"', code="by_code")
    client.force_login(member("Viewer"))
    page = client.get(reverse("logs:webhook_log_completions"), {"q": "sub:"}).content.decode()
    assert "<img" not in page
    assert f'sub:"{name}" |' in offered(client, "sub:")
    assert "sub:by_code |" in offered(client, "sub:")


def test_without_the_permission_nothing_is_offered(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("nobody"))
    assert client.get(reverse("logs:webhook_log_completions"), {"q": "sub:"}).status_code == 403
