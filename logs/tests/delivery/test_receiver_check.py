"""The button that connects to a receiver now: it says what came of it, and sends nothing."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

import pytest
from django.urls import reverse

from logs.delivery import receiver_check
from logs.models import State, Subscription

from ..factories import OTHER_COMPANY, make_company, make_log_of_age, make_subscription

pytestmark = pytest.mark.django_db


def press(client, subscription: Subscription, page: str = "") -> str:
    """Press the button that the page shows (by default that of the subscription); the text of the answer."""
    address = reverse("logs:receiver_check", args=[subscription.pk])
    shown = client.get(page or subscription.get_absolute_url()).content.decode()
    assert f'hx-post="{address}"' in shown
    answer = client.post(address, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_receiver_that_works_is_reachable_and_gets_no_request(client, operator, receiver):
    subscription = make_subscription(url=receiver.url)
    text = press(client, subscription)
    assert text.startswith("Reachable now. It accepted a connection within")
    assert receiver.requests == []


def test_a_reachable_receiver_is_offered_a_test_event_if_its_subscription_may_get_one(client, operator, receiver):
    subscription = make_subscription(url=receiver.url)
    assert press(client, subscription).endswith("Check again Send test event")
    Subscription.objects.update(is_active=False)
    assert press(client, subscription).endswith("Check again")
    Subscription.objects.update(is_active=True, url=f"http://127.0.0.1:{closed_port()}/")
    assert press(client, subscription).endswith("Check again")


def test_a_receiver_that_is_down_is_not_reachable_and_the_cause_is_named(client, operator):
    subscription = make_subscription(url=f"http://127.0.0.1:{closed_port()}/")
    assert press(client, subscription).startswith("Not reachable now: Connection refused.")


def test_a_name_that_does_not_exist_is_not_reachable(client, operator):
    subscription = make_subscription(url="http://receiver.invalid/")
    assert press(client, subscription).startswith("Not reachable now: DNS lookup failed.")


def test_a_forbidden_destination_is_not_even_tried_and_operators_do_not_learn_the_address(client, member, operator):
    subscription = make_subscription(url="http://169.254.169.254/")
    text = press(client, subscription)
    assert text.startswith("Not reachable now: Blocked by the destination check.")
    assert "169.254" not in text
    client.force_login(member("Administrator"))
    assert "169.254.169.254" in press(client, subscription)


def test_the_button_stands_where_a_receiver_fails(client, operator, receiver):
    subscription = make_subscription(url=receiver.url)
    make_log_of_age(subscription, State.FAILED, cause="timeout", status=409)
    for page in (reverse("logs:overview"), subscription.get_absolute_url()):
        assert press(client, subscription, page).startswith("Reachable now.")


def test_without_javascript_the_answer_is_a_page(client, operator, receiver):
    subscription = make_subscription(url=receiver.url)
    page = client.post(reverse("logs:receiver_check", args=[subscription.pk])).content.decode()
    assert "<h1>Receiver check</h1>" in page
    assert "Reachable now." in page


def test_too_many_checks_at_once_are_asked_to_wait(client, operator, receiver):
    subscription = make_subscription(url=receiver.url)
    with ExitStack() as stack:
        for _number in range(receiver_check.MAX_CONCURRENT_CHECKS):
            stack.enter_context(receiver_check._places)
        assert press(client, subscription).startswith("Other checks are running.")
    assert press(client, subscription).startswith("Reachable now.")


def test_only_people_who_may_redeliver_within_the_company_can_check(client, member, receiver):
    subscription = make_subscription(url=receiver.url)
    address = reverse("logs:receiver_check", args=[subscription.pk])
    client.force_login(member("Viewer"))
    assert address not in client.get(subscription.get_absolute_url()).content.decode()
    assert client.post(address).status_code == 403
    client.force_login(member("Operator", make_company(OTHER_COMPANY, "Other")))
    assert client.post(address).status_code == 404
