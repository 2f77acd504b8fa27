"""The log explorer and the page of a log, through the test client."""

import html
import json
import re
import shlex

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from logs.logsearch.filterset import NON_FILTER_PARAMS, WebhookLogFilterSet
from logs.models import Attempt, AttemptTrigger, AuditEntry, Payload, Subscription

from ..factories import (
    COMPANY,
    SUBSCRIPTION,
    import_logs,
    log_document,
    make_company,
    make_log,
    make_subscription,
    sample,
)
from ..html import HTMX, LOG_LIST, ids_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer")]
MOMENTS = ["0001-01-01", "1970-01-01", "2022-05-06", "2090-01-01", "9999-12-31T23:59:59.999999Z"]
NUMBERS = ["-1", "1e400", "NaN", "9" * 30, "٣", "2..1", f"-{'9' * 20}~{SUBSCRIPTION}"]
TEXTS = ["", "\0", "\uffff", "😀", "'", "%", "\\", "a:", "-", '"', "../x", "x" * 3000]


def test_the_newest_log_comes_first_and_fifty_fill_a_page(client, subscription):
    import_logs(*(log_document(number) for number in range(120)))
    first = client.get(LOG_LIST)
    expected = [log_document(number)["_id"] for number in reversed(range(120))]
    assert ids_in(first) == expected[:50]
    assert "120 logs" in text_of(first)
    more = re.search(r'href="(\?after=[^"]+)"', first.content.decode())[1]
    second = client.get(LOG_LIST + html.unescape(more))
    assert ids_in(second) == expected[50:100]
    rows = client.get(LOG_LIST + html.unescape(more), headers=HTMX)
    assert ids_in(rows) == expected[50:100]
    assert "<html" not in rows.content.decode()


def test_paging_neither_repeats_nor_omits_logs_of_the_same_time(client, subscription):
    same = "2022-05-05T20:04:40.084Z"
    import_logs(*(log_document(number, createdAt=same) for number in range(101)))
    ids, address = [], LOG_LIST
    while address:
        page = client.get(address)
        ids += ids_in(page)
        more = re.search(r'href="(\?after=[^"]+)"', page.content.decode())
        address = LOG_LIST + html.unescape(more[1]) if more else None
    assert len(ids) == 101
    assert ids == sorted(set(ids), reverse=True)


@pytest.fixture
def varied(subscription):
    """Five logs that differ in every filter."""
    other = make_subscription("62685990d918fb5557f9f993", name="Users", trigger="create-edit-delete-user")
    user_edit = sample("event_user_edit")
    return {
        "timeout": make_log(1),
        "delivered": make_log(2, status=200, retry=1, response="OK"),
        "server": make_log(3, status=502, response="Bad Gateway"),
        "user": make_log(4, event=user_edit, status=404, response="no such user", subscription=other.pk),
        "odd": make_log(5, event={"type": "COTMystery", "event": "explode"}, status=210, response=""),
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"timeout", "delivered", "server", "user", "odd"}),
        ("state=failed", {"timeout", "server", "user", "odd"}),
        ("state=failed&state=delivered", {"timeout", "delivered", "server", "user", "odd"}),
        ("result=SUCCESS", {"delivered"}),
        ("result=FAILED", {"timeout", "server", "user", "odd"}),
        ("cause=timeout", {"timeout"}),
        ("cause=http_5xx&cause=http_4xx", {"server", "user"}),
        ("status=success", {"delivered"}),
        ("status=2xx", {"odd"}),
        ("status=4xx&status=5xx", {"timeout", "server", "user"}),
        ("type=COTUser", {"user"}),
        ("type=other", {"odd"}),
        ("action=edit", {"user"}),
        ("action=other&action=edit", {"user", "odd"}),
        (f"subscription={SUBSCRIPTION}", {"timeout", "delivered", "server", "odd"}),
        (f"company={COMPANY}", {"timeout", "delivered", "server", "user", "odd"}),
        ("since=2022-05-05T20:07Z", {"server", "user", "odd"}),
        ("until=2022-05-05T20:06Z", {"timeout"}),
        ("since=2022-05-05T20:06Z&until=2022-05-05T20:08Z", {"delivered", "server"}),
        ("range=24h", set()),
        ("q=bad gateway", {"server"}),
        ("q=ETIMEDOUT", {"timeout"}),
        ("q=mechanic@acme.com", {"user"}),
        ("q=6261612a8f1e9999775c8be4", {"user"}),
        ("q=Thomas Gardner", {"user"}),
        ("q=XW1879594653754399642348", set()),
        ("q=sector&state=delivered", {"delivered"}),
        ("q=status:502", {"server"}),
        ("q=status:4xx,5xx", {"timeout", "server", "user"}),
        ("q=status:400..499", {"timeout", "user"}),
        ("q=-status:>=400", {"delivered", "odd"}),
        ("q=state:failed -cause:timeout", {"server", "user", "odd"}),
        ("q=result:success", {"delivered"}),
        ("q=type:user", {"user"}),
        ("q=type:other", {"odd"}),
        ("q=action:edit", {"user"}),
        ("q=sub:users", {"user"}),
        ("q=-sub:users status:5xx", {"server"}),
        (f"q=sub:{SUBSCRIPTION} attempts:1", {"delivered"}),
        (f"q={SUBSCRIPTION}", {"timeout", "delivered", "server", "odd"}),
        ("q=attempts:>1", {"timeout", "server", "user", "odd"}),
        ("q=test:yes", set()),
        ("q=test:no", {"timeout", "delivered", "server", "user", "odd"}),
        ("q=object:6261612a8f1e9999775c8be4", {"user"}),
        ("q=response:gateway", {"server"}),
        ('q="bad gateway"', {"server"}),
        ('q="gateway bad"', set()),
        ("q=-sector", {"user"}),
        ("q=diff./name/names:thomas", {"user"}),
        ("q=data.name.names:mechanic", {"user"}),
        ("q=data.name.names:thomas", set()),
        ("q=nothing-of-the-kind", set()),
    ],
)
def test_each_filter_finds_exactly_its_logs(client, varied, query, expected):
    answer = client.get(f"{LOG_LIST}?{query}")
    assert answer.status_code == 200
    assert ids_in(answer) == sorted((varied[name].pk for name in expected), reverse=True)


def test_a_log_is_found_by_its_own_id(client, varied):
    assert ids_in(client.get(LOG_LIST, {"q": varied["server"].pk.upper()})) == [varied["server"].pk]


@pytest.mark.parametrize(
    "query",
    [
        "state=broken",
        "colour=red",
        "range=5y",
        "range=24h&range=7d",
        "since=whenever",
        "since=2022-02-30",
        "since=0001-01-01",
        "since=2022-05-06T00:00Z&until=2022-05-05T00:00Z",
        "subscription=nonsense",
        "subscription=%00",
        "not_subscription=%00",
        "company=%00",
        "subscription=62685990d918fb5557f9ffff",
        "company=625be93a286ef83c1c0e0000",
        "after=nonsense",
        "after=-99999999999999999~62742dd824c886d54e60f02b",
        "q=" + "x" * 501,
        "q=%00",
        "q=state:broken",
        "q=sttate:failed",
        "q=sub:nobody",
        "q=company:nobody",
        "q=data.password:x",
        "q=duration:long",
        'q="never closed',
        "type=%27;--",
    ],
)
def test_a_wrong_filter_finds_nothing_and_says_so(client, varied, query):
    make_company("625be93a286ef83c1c0e0000", "Not mine")
    answer = client.get(f"{LOG_LIST}?{query}")
    assert answer.status_code == 422
    assert ids_in(answer) == []
    assert 'role="alert"' in answer.content.decode()


@pytest.mark.parametrize("name", [*WebhookLogFilterSet.base_filters, *sorted(NON_FILTER_PARAMS)])
def test_no_filter_value_causes_a_server_error(client, varied, name):
    for value in (*MOMENTS, *NUMBERS, *TEXTS):
        assert client.get(LOG_LIST, {name: value}, follow=True).status_code in (200, 422), value


@pytest.mark.parametrize(
    "query", ["state=broken", "colour=red", "range=24h&range=7d", "since=2022-05-06T00:00Z&until=2022-05-05T00:00Z"]
)
def test_actions_on_a_wrong_filter_get_no_logs(varied, query):
    assert WebhookLogFilterSet(QueryDict("")).criteria.logs().count() == 5
    filterset = WebhookLogFilterSet(QueryDict(query))
    with pytest.raises(ValueError, match="not valid"):
        filterset.criteria  # noqa: B018
    with pytest.raises(TypeError):
        filterset.qs  # noqa: B018


def test_an_empty_result_suggests_which_filter_to_remove(client, varied):
    text = text_of(client.get(LOG_LIST, {"state": "delivered", "cause": "timeout"}))
    assert "No results" in text
    assert re.search(r"Without\s+“State\s+Delivered\s*”\s+1", text)
    assert re.search(r"Without\s+“Cause\s+No answer in time\s*”\s+1", text)


@pytest.mark.parametrize(
    "query", ["until=2020-01-01T00:00Z", "until=2020-01-01T00:00Z&state=failed", "since=2090-01-01T00:00Z"]
)
def test_a_range_without_logs_is_not_an_error(client, varied, query):
    answer = client.get(f"{LOG_LIST}?{query}")
    assert answer.status_code == 200
    assert "No results" in text_of(answer)
    assert "data-range-select" not in answer.content.decode()
    name, value = query.partition("&")[0].split("=")
    assert f'name="{name}" size="16" value="{value[:10]} 00:00"' in answer.content.decode()  # to be changed


def test_the_page_without_any_logs_explains_how_to_get_them(client):
    assert "No logs yet" in text_of(client.get(LOG_LIST))


def test_htmx_gets_the_results_alone_and_a_restored_page_gets_all(client, varied):
    partial = client.get(LOG_LIST, headers=HTMX)
    assert partial.content.lstrip().startswith(b'<section class="stack" id="results"')
    restored = client.get(LOG_LIST, headers=HTMX | {"hx-history-restore-request": "true"})
    assert b"<!doctype html>" in restored.content
    for response in (partial, restored):
        assert "HX-Request" in response["Vary"]
        assert response["Cache-Control"] == "no-store"


def test_the_explorer_needs_no_more_queries_for_fifty_rows_than_for_one(client, subscription):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get(LOG_LIST)
        return len(captured)

    make_log(0)
    for_one = queries()
    import_logs(*(log_document(number) for number in range(1, 60)))
    assert queries() <= for_one <= 20


def test_a_log_shows_its_outcome_payload_and_facts(client, subscription):
    log = make_log()
    text = text_of(client.get(log.get_absolute_url()))
    assert "Cotalker tried 3 times and gave up: No answer in time" in text
    assert "connect ETIMEDOUT 67.225.146.248:443" in text
    assert "Equipment sector 1 - Equipment 1-A" in text
    assert "smStateMachine" in text
    assert log.pk in text


def test_the_company_that_differs_is_shown(client, subscription):
    text = text_of(client.get(make_log().get_absolute_url()))
    assert "Company mismatch." in text
    assert "625bcbdcc9a8e3a86dbf041c" in text


def test_changes_are_listed_with_before_and_after(client, subscription):
    log = make_log(event=sample("event_user_edit"))
    text = text_of(client.get(reverse("logs:webhook_log_changes", args=[log.pk])))
    assert re.search(r"/name/names\s+changed\s+Mechanic Profile I\s+Thomas", text)
    assert "627bc5a506dd19c495586ab2" in text


def test_a_masked_value_appears_nowhere(client, subscription):
    secret = "XW1879594653754399642348=="
    event = sample("event_user_edit")
    event["diff"]["/password"] = {"previous": "old-" + secret, "changedTo": secret}
    log = make_log(event=event, response=json.dumps({"token": "tk-" + secret}))
    Attempt.objects.create(
        log=log,
        number=4,
        trigger=AttemptTrigger.MANUAL,
        started_at=log.created_at,
        status=500,
        response=f"password={secret}",
        response_headers=[["set-cookie", secret], ["x-api-key", secret]],
    )
    names = ["detail", "changes", "request", "response", "row", "status"]
    addresses = [reverse(f"logs:webhook_log_{name}", args=[log.pk]) for name in names]
    addresses += [reverse(f"logs:payload_{name}", args=[log.pk]) for name in ("curl", "download")]
    chunk = reverse("logs:payload_chunk", args=[log.pk])
    addresses += [f"{chunk}?pointer={pointer}" for pointer in ("", "/data", "/diff", "/diff/~1password")]
    for address in (*addresses, LOG_LIST):
        response = client.get(address)
        assert response.status_code in (200, 400), address
        assert secret not in html.unescape(response.content.decode()), address
    assert ids_in(client.get(LOG_LIST, {"q": secret})) == []


def test_the_download_is_the_stored_event_except_masked_values(client, subscription):
    log = make_log()
    response = client.get(reverse("logs:payload_download", args=[log.pk]))
    assert response.content.decode() == Payload.objects.get(pk=log.pk).event
    assert response["Content-Disposition"] == f'attachment; filename="{log.pk}.json"'


def test_curl_is_quoted_for_a_shell(client, subscription):
    log = make_log(event={"data": {"_id": "62742b7562f37034d9399914", "name": "it's; rm -rf $HOME `x`"}})
    words = shlex.split(client.get(reverse("logs:payload_curl", args=[log.pk])).content.decode())
    assert words[:4] == ["curl", "--request", "POST", "https://www.server.com"]
    assert words[-1] == Payload.objects.get(pk=log.pk).event
    assert f"webhook-id: {log.pk}" in words


def test_a_node_opens_a_hundred_children_at_a_time(client, subscription):
    log = make_log(event={"data": {"_id": "62742b7562f37034d9399914", "many": list(range(250))}})
    chunk = reverse("logs:payload_chunk", args=[log.pk])
    first = client.get(chunk, {"pointer": "/data/many"}, headers=HTMX).content.decode()
    assert first.count('class="leaf"') == 101
    assert "100 of 250 shown" in text_of(client.get(chunk, {"pointer": "/data/many"}))
    last = client.get(chunk, {"pointer": "/data/many", "start": 200}, headers=HTMX).content.decode()
    assert last.count('class="leaf"') == 50


def test_a_word_is_found_in_the_payload_but_not_in_masked_values(client, subscription):
    log = make_log(event=sample("event_user_edit"))
    page = text_of(client.get(log.get_absolute_url(), {"find": "MECHANIC"}))
    assert "4 matches for “MECHANIC”" in page
    assert re.search(
        r"/data/email\s+mechanic\s*@acme.com\s+/data/jobTitle\s+mechanic\s+/data/name/names\s+Mechanic", page
    )
    assert "was not found in this payload" in text_of(
        client.get(log.get_absolute_url(), {"find": "XW1879594653754399642348"})
    )


@pytest.mark.parametrize("query", ["pointer=/nowhere", "pointer=x", "pointer=/data&start=x", "pointer=/type"])
def test_a_wrong_place_in_the_payload_is_a_clear_400(client, subscription, query):
    response = client.get(reverse("logs:payload_chunk", args=[make_log().pk]) + "?" + query)
    assert response.status_code == 400
    assert "There is nothing at this path" in response.content.decode()


def test_an_expired_payload_is_mentioned_on_the_page(client, subscription):
    log = make_log()
    Payload.objects.filter(pk=log.pk).delete()
    assert "The payload has expired." in text_of(client.get(log.get_absolute_url()))
    assert client.get(reverse("logs:payload_download", args=[log.pk])).status_code == 404


def test_without_the_permission_payloads_are_not_shown(client, django_user_model, subscription):
    log = make_log()
    user = django_user_model.objects.create_user("half")
    user.user_permissions.add(Permission.objects.get(codename="view_webhooklog"))
    make_company().users.add(user)
    client.force_login(user)
    text = text_of(client.get(log.get_absolute_url()))
    assert "You don’t have permission to see payloads." in text
    assert "smStateMachine" not in text
    assert client.get(reverse("logs:payload_download", args=[log.pk])).status_code == 403


def test_revealing_needs_a_permission_and_is_audited(client, member, subscription):
    log = make_log(event=sample("event_user_edit"))
    address = reverse("logs:reveal_create", args=[log.pk])
    assert client.post(address, {"pointer": "/data/password"}).status_code == 403
    administrator = member("Administrator")
    client.force_login(administrator)
    shown = client.post(address, {"pointer": "/data/password"}, headers=HTMX)
    assert "XW1879594653754399642348==" in shown.content.decode()
    [entry] = AuditEntry.objects.filter(target=log.pk)
    assert (entry.actor, entry.action, entry.detail) == (administrator, "revealed", "/data/password")
    page = client.post(address, {"pointer": "/data/password"})
    assert "XW1879594653754399642348==" in page.content.decode()


def test_hostile_text_is_escaped(client, subscription):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    event = {
        "data": {"_id": "62742b7562f37034d9399914", "name": hostile, hostile: {"a": hostile}},
        "diff": {hostile: hostile},
    }
    log = make_log(event=event, response=hostile)
    Subscription.objects.update(name=hostile)
    names = ["detail", "changes", "response"]
    for address in [
        LOG_LIST,
        reverse("logs:overview"),
        *(reverse(f"logs:webhook_log_{name}", args=[log.pk]) for name in names),
    ]:
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
