"""The rows of lists of logs: every value of a log is escaped."""

from __future__ import annotations

import html

import pytest

from logs.logsearch.columns import COLUMNS_COOKIE, LIST_COLUMNS, columns_cookie
from logs.models import State, Subscription, WebhookLog

from ..factories import make_log, make_subscription

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
