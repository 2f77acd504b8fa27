"""The rows of lists of logs: every value of a log is escaped, and what went wrong is said in words."""

from __future__ import annotations

import html
import re

import pytest

from logs.logsearch.columns import COLUMNS_COOKIE, LIST_COLUMNS, columns_cookie
from logs.models import State, Subscription, WebhookLog

from ..factories import make_log, make_subscription
from ..html import ids_in, plain_text

pytestmark = pytest.mark.django_db
HOSTILE = """"><img src=x onerror=alert(1)>'{{ 7*7 }}%s"""


def test_nothing_in_a_log_becomes_markup(client, member):
    make_subscription()
    make_log(1)
    Subscription.objects.update(name=HOSTILE)
    WebhookLog.objects.update(
        event_type=HOSTILE,
        action=HOSTILE,
        object_name=HOSTILE,
        response=HOSTILE,
        fingerprint=HOSTILE,
        state=State.FAILED,
    )
    client.force_login(member("Operator"))
    client.cookies[COLUMNS_COOKIE] = columns_cookie(LIST_COLUMNS)
    page = " ".join(client.get("/logs/").content.decode().split())
    assert "<img" not in page
    page = page.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")  # as Jinja2 and as Django write them
    shown = html.escape(HOSTILE)
    for place in (
        f'aria-label="Select {shown}"',
        f'aria-label="Redeliver {shown}"',
        f"data-row-link>{shown}</a>",
        f">{shown} {shown}</a>",
        f'<code title="{shown}">{shown}</code>',
        f'<span title="{shown}">{shown}</span> <data value="1">1</data>',
        f'aria-label="Exclude {shown}"',
    ):
        assert place in page


@pytest.mark.parametrize(("state", "has_button"), [(State.FAILED, True), (State.DELIVERED, False)])
def test_users_with_the_permission_can_redeliver_failed_logs(client, member, state, has_button):
    make_subscription()
    log = make_log(1)
    WebhookLog.objects.update(state=state)
    button = f'hx-post="/logs/{log.pk}/redeliveries/'
    client.force_login(member("Operator"))
    assert (button in client.get("/logs/").content.decode()) is has_button
    client.force_login(member("Viewer"))
    assert button not in client.get("/logs/").content.decode()


def cell(client, log: WebhookLog, name: str) -> str:
    """The markup of a cell of the log's row."""
    row = re.search(rf'<tr data-log="{log.pk}".*?</tr>', client.get("/logs/").content.decode(), re.DOTALL)
    assert row
    match = re.search(rf'<td class="{name}">(.*?)</td>', row[0], re.DOTALL)
    assert match
    return html.unescape(" ".join(match[1].split()))


def test_the_cause_is_said_in_words_and_its_code_on_hover(client, viewer):
    make_subscription()
    log = make_log(1, status=502, response="Bad Gateway")
    shown = cell(client, log, "cause")
    assert plain_text(shown) == "Error at the receiver (5xx) Bad Gateway"
    assert 'href="/logs/?cause=http_5xx"' in shown
    assert 'title="Error at the receiver (5xx) · http_5xx"' in shown


@pytest.mark.parametrize(
    ("status", "response", "shown"),
    [
        (409, "connect ETIMEDOUT 67.225.146.248:443", "–"),  # the published sample
        (409, "certificate has expired", "–"),
        (500, "connect ECONNREFUSED 10.0.0.1:443", "–"),
        (409, '{"error":"duplicate"}', "409"),
        (408, "Request Timeout", "408"),
        (200, "OK", "200"),
    ],
)
def test_a_status_that_cotalker_logged_without_an_answer_is_a_dash(client, viewer, status, response, shown):
    make_subscription()
    log = make_log(1, status=status, response=response)
    found = cell(client, log, "status")
    assert plain_text(found) == shown
    note = f"The receiver didn’t answer. Cotalker logged {status} in place of an answer."
    assert (f'title="{note}"' in found) is (shown == "–")
    # The filter, and what is stored, keep Cotalker's status.
    assert f'href="/logs/?status={status}"' in found
    assert ids_in(client.get(f"/logs/?status={status}")) == [log.pk]
    assert WebhookLog.objects.get().status == status


def test_the_page_of_a_log_says_whose_status_it_is(client, viewer):
    make_subscription()
    unanswered, refused = make_log(1), make_log(2, response='{"error":"duplicate"}')
    note = "The receiver didn’t answer. Cotalker logged 409 in place of an answer."
    pages = [html.unescape(client.get(log.get_absolute_url()).content.decode()) for log in (unanswered, refused)]
    assert [f'title="{note}">409<' in page for page in pages] == [True, False]
    facts = [plain_text(page.partition('id="log-facts"')[2].partition("</dl>")[0]) for page in pages]
    assert f"FAILED, 409 {note} Cause No answer in time timeout" in facts[0]
    assert "FAILED, 409 Cause Refused by the receiver (4xx) http_4xx" in facts[1]
