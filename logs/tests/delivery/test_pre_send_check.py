"""Decisions while a log waits in a worker's memory for a free request or for memory for its payload."""

import pytest
from django.test import Client
from django.urls import reverse

from logs.models import State, Subscription, WebhookLog

from ..bulk_redeliveries import outcomes, start_redelivery
from ..factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db(transaction=True)

SUBSCRIPTIONS = ("62685990d918fb5557f90001", "62685990d918fb5557f90002")


@pytest.fixture(params=["place", "memory"])
def one_at_a_time(request, settings) -> None:
    """A worker reads both logs and has room for one request, or for one payload."""
    if request.param == "place":
        settings.DELIVERY_CONCURRENCY = 1
    else:
        settings.DELIVERY_CONCURRENCY, settings.DELIVERY_MEMORY = 2, 1


@pytest.fixture
def logs(receiver, one_at_a_time) -> list[WebhookLog]:
    """The next events of two queues."""
    return [
        make_waiting_log(make_subscription(pk, url=receiver.url), number) for number, pk in enumerate(SUBSCRIPTIONS)
    ]


def when_one_arrives(receiver, decide) -> None:
    """Calls `decide(other)` with the waiting log before the first request is answered."""

    def decide_once() -> None:
        receiver.on_arrival = None
        decide(WebhookLog.objects.exclude(pk=receiver.ids[0]).get(next_attempt_at__isnull=False))

    receiver.on_arrival = decide_once


def signed_in(admin_user) -> Client:
    client = Client()
    client.force_login(admin_user)
    return client


PAGES = {
    "skip": ("logs:log_skip", {"reason": "the order was cancelled"}),
    "pause": ("logs:queue_pause", {}),
    "deactivation": ("logs:subscription_deactivate", {}),
}


@pytest.mark.parametrize("verb", PAGES)
def test_a_log_that_may_not_be_sent_is_not_sent(verb, admin_user, logs, receiver, deliver):
    name, form = PAGES[verb]

    def forbid(log: WebhookLog) -> None:
        target = log.pk if verb == "skip" else log.subscription_id
        assert signed_in(admin_user).post(reverse(name, args=[target]), form).status_code == 302

    when_one_arrives(receiver, forbid)
    deliver(WebhookLog.objects.filter(next_attempt_at=None, state=State.DELIVERED))
    deliver(WebhookLog.objects.filter(pk=make_waiting_log(make_subscription(url=receiver.url), 9).pk, attempt_count=1))
    [first, last] = receiver.ids
    [forbidden] = [log for log in logs if log.pk != first]
    assert forbidden.pk != last
    forbidden.refresh_from_db()
    assert (forbidden.state, forbidden.attempt_count) == (State.SKIPPED if verb == "skip" else State.PENDING, 0)


def test_it_uses_the_url_and_the_secret_that_were_changed_meanwhile(logs, receiver, deliver):
    def change(log: WebhookLog) -> None:
        subscription = Subscription.objects.get(pk=log.subscription_id)
        subscription.url, subscription.secret = f"{receiver.url}/moved", "whsec_" + "A" * 32
        subscription.save()
        subscription.notify_workers()

    when_one_arrives(receiver, change)
    deliver()
    first, second = receiver.requests
    assert (first.path != "/hook/moved", second.path) == (True, "/hook/moved")
    assert "webhook-signature" not in first.headers and second.headers["webhook-signature"].startswith("v1,")


def test_an_item_of_a_stopped_bulk_redelivery_is_not_sent(admin_user, receiver, deliver_bulk, one_at_a_time):
    subscriptions = [make_subscription(pk, url=receiver.url) for pk in SUBSCRIPTIONS]
    logs = [
        make_waiting_log(subscription, number, state=State.FAILED, next_attempt_at=None)
        for number, subscription in enumerate(subscriptions)
    ]
    bulk = start_redelivery(admin_user, logs)

    def stop(_log: WebhookLog) -> None:
        assert signed_in(admin_user).post(reverse("logs:bulk_redelivery_stop", args=[bulk.pk])).status_code == 302

    when_one_arrives(receiver, stop)
    deliver_bulk(bulk)
    assert len(receiver.ids) == 1
    assert sorted(outcome for outcome, _reason in outcomes(bulk).values()) == ["delivered", "skipped"]


def test_an_item_that_was_superseded_meanwhile_is_skipped(admin_user, receiver, deliver_bulk, one_at_a_time):
    logs = [
        make_waiting_log(make_subscription(pk, url=receiver.url), number, state=State.FAILED, next_attempt_at=None)
        for number, pk in enumerate(SUBSCRIPTIONS)
    ]
    bulk = start_redelivery(admin_user, logs)

    def deliver_a_newer_one(log: WebhookLog) -> None:
        newer = make_waiting_log(log.subscription, 7, state=State.DELIVERED, next_attempt_at=None, attempt_count=1)
        WebhookLog.objects.filter(pk=newer.pk).update(object_id=log.object_id)

    when_one_arrives(receiver, deliver_a_newer_one)
    deliver_bulk(bulk)
    assert len(receiver.ids) == 1
    assert sorted(outcomes(bulk).values()) == [("delivered", ""), ("skipped", "superseded")]
