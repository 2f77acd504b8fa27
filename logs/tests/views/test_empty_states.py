"""What an empty page says, by the role of the reader: what they can do, or whom to ask."""

from __future__ import annotations

import pytest

from logs.models import Company

from ..factories import make_company
from ..html import text_of

pytestmark = pytest.mark.django_db
PAGES = ["/", "/logs/", "/subscriptions/", "/queues/", "/incidents/", "/redeliveries/"]
ASK_TO_BE_ADDED = "Ask an administrator to add you to a company."
ASK_FOR_LOGS = "Ask an operator or an administrator to import the logs from Cotalker."
ASK_FOR_SUBSCRIPTIONS = "Ask an administrator to import or create the subscriptions."


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("role", ["Viewer", "Operator", "Administrator"])
def test_without_a_company_every_list_says_whom_to_ask(client, member, role, address):
    client.force_login(member(role))
    assert ASK_TO_BE_ADDED not in text_of(client.get(address))
    Company.users.through.objects.all().delete()
    page = text_of(client.get(address))
    assert ASK_TO_BE_ADDED in page
    assert "Import a file" not in page


@pytest.mark.parametrize("address", PAGES)
def test_a_superuser_sees_all_companies_and_need_not_be_added(admin_client, address):
    assert ASK_TO_BE_ADDED not in text_of(admin_client.get(address))


def test_the_inbound_endpoints_say_whom_to_ask(client, administrator):
    Company.users.through.objects.all().delete()
    assert ASK_TO_BE_ADDED in text_of(client.get("/inbound-endpoints/"))


def test_a_form_that_needs_a_company_says_whom_to_ask(client, administrator):
    Company.users.through.objects.all().delete()
    assert ASK_TO_BE_ADDED in text_of(client.get("/subscriptions/new/"))


@pytest.mark.parametrize(
    ("role", "asks_for_logs", "asks_for_subscriptions"),
    [("Viewer", True, True), ("Operator", False, True), ("Administrator", False, False)],
)
def test_those_who_may_not_import_are_told_whom_to_ask(client, member, role, asks_for_logs, asks_for_subscriptions):
    client.force_login(member(role, make_company()))
    for address in ("/", "/logs/"):
        page = text_of(client.get(address))
        assert (ASK_FOR_LOGS in page, "Import a file" in page) == (asks_for_logs, not asks_for_logs)
    page = text_of(client.get("/subscriptions/"))
    assert (ASK_FOR_SUBSCRIPTIONS in page, "New subscription" in page) == (
        asks_for_subscriptions,
        not asks_for_subscriptions,
    )


def test_a_viewer_is_not_told_to_redeliver(client, viewer):
    page = client.get("/redeliveries/")
    assert "Operators and administrators can redeliver logs." in text_of(page)
    assert "Show the failed logs" not in text_of(page)
