"""Who delivers the events of a subscription: what its page says, and how an administrator switches."""

import pytest
from django.test import Client
from django.urls import reverse

from logs.models import AuditEntry, Subscription, WebhookLog

from ..events import as_bytes, at_once, make_endpoint, make_event, post
from ..factories import COMPANY, SUBSCRIPTION, import_subscriptions, make_company, make_subscription, sample

pytestmark = pytest.mark.django_db
ADDRESS = reverse("logs:subscription_delivery", args=[SUBSCRIPTION])
HERE, THERE = "cotadmin delivers the events.", "Cotalker delivers the events; cotadmin only keeps the log."


def page_of(client, subscription) -> str:
    return " ".join(client.get(subscription.get_absolute_url()).content.decode().split())


def switch(client, delivered_by: str, **options):
    return client.post(ADDRESS, {"delivered_by": delivered_by}, **options)


def record() -> list[str]:
    return list(AuditEntry.objects.filter(target=SUBSCRIPTION).order_by("id").values_list("action", flat=True))


def imported(**changes) -> Subscription:
    """As Cotalker publishes it, and therefore delivered by Cotalker."""
    make_company()
    assert import_subscriptions(sample("webhook_subscription") | {"company": COMPANY} | changes).rejected == 0
    return Subscription.objects.get(pk=SUBSCRIPTION)


def accepted(client) -> int:
    """Post an event; in how many queues it waits."""
    answer = post(client, make_endpoint(), as_bytes(make_event(WebhookLog.objects.count())))
    return len(answer.json()["accepted"])


def test_the_page_says_who_delivers(client, administrator):
    assert THERE in page_of(client, imported())
    Subscription.objects.update(is_delivered_here=True)
    assert HERE in page_of(client, Subscription.objects.get())


def test_the_page_explains_the_steps_at_cotalker_before_switching(client, administrator):
    imported()
    page = client.get(ADDRESS).content.decode()
    assert "Let cotadmin deliver?" in page
    assert page.index("Switch here.") < page.index("URL in Cotalker to the inbound endpoint")
    assert reverse("logs:inbound_endpoint_list") in page
    Subscription.objects.update(is_delivered_here=True)
    page = client.get(ADDRESS).content.decode()
    assert "Let Cotalker deliver?" in page
    assert page.index("receiver’s own URL") < page.index("Then switch here.")
    assert record() == []


def test_events_are_accepted_after_switching(client, administrator):
    imported()
    assert accepted(client) == 0
    answer = switch(client, "cotadmin", follow=True)
    assert "cotadmin now delivers this subscription’s events." in answer.content.decode()
    assert accepted(client) == 1
    assert record()[0] == "delivery_here"
    assert AuditEntry.objects.filter(action="delivery_here").get().actor == administrator


def test_after_switching_back_no_events_are_accepted_and_waiting_ones_are_kept(client, administrator):
    imported()
    switch(client, "cotadmin")
    accepted(client)
    switch(client, "cotalker")
    assert accepted(client) == 0
    assert Subscription.objects.get().waiting().count() == 1
    assert record()[-1] == "delivery_at_cotalker"


def test_waiting_events_are_sent_even_if_cotalker_delivers_again(client, administrator, receiver, deliver):
    imported(url=receiver.url)
    switch(client, "cotadmin")
    accepted(client)
    switch(client, "cotalker")
    deliver()
    assert receiver.ids == [WebhookLog.objects.get().pk]


def test_an_import_does_not_take_over_the_url_of_the_inbound_endpoint(client, administrator):
    imported(url="https://receiver.example/hook")
    switch(client, "cotadmin")
    assert imported(url="https://cotadmin.example/in/secret").url == "https://receiver.example/hook"


def test_a_missing_secret_is_created_and_shown_once(client, administrator):
    imported()
    page = switch(client, "cotadmin", follow=True).content.decode()
    secret = Subscription.objects.get().secret
    assert secret in page and secret not in page_of(client, Subscription.objects.get())
    assert record() == ["delivery_here", "secret_changed"]


def test_an_existing_secret_stays(client, administrator):
    subscription = imported()
    subscription.secret = secret = "whsec_" + "QUJD" * 8
    subscription.save()
    assert secret not in switch(client, "cotadmin", follow=True).content.decode()
    assert Subscription.objects.get().secret == secret
    assert record() == ["delivery_here"]


@pytest.mark.django_db(transaction=True)
def test_only_one_of_eight_clicks_switches(client, administrator):
    imported()

    def click() -> None:
        browser = Client()
        browser.force_login(administrator)
        switch(browser, "cotadmin")

    at_once([click] * 8)
    assert record() == ["delivery_here", "secret_changed"]


def test_a_second_switch_says_that_nothing_changed(client, administrator):
    make_subscription()
    assert "that was already the setting" in switch(client, "cotadmin", follow=True).content.decode()
    assert record() == []


@pytest.mark.parametrize("delivered_by", ["", "nobody", "COTADMIN"])
def test_an_unknown_value_switches_nothing(client, administrator, delivered_by):
    make_subscription()
    assert switch(client, delivered_by).status_code == 422
    assert Subscription.objects.get().is_delivered_here


def test_a_placeholder_is_not_switched(client, administrator):
    make_subscription(url="", code="", trigger="", is_placeholder=True, is_active=False, is_delivered_here=False)
    assert "has not been imported yet" in client.get(ADDRESS).content.decode()
    switch(client, "cotadmin")
    assert not Subscription.objects.get().is_delivered_here
    assert record() == []


@pytest.mark.parametrize("role", ["Viewer", "Operator"])
def test_only_administrators_switch(client, member, role):
    imported()
    client.force_login(member(role))
    assert (client.get(ADDRESS).status_code, switch(client, "cotadmin").status_code) == (403, 403)
    assert ADDRESS not in page_of(client, Subscription.objects.get())
    assert not Subscription.objects.get().is_delivered_here
