"""Imports during deliveries: changes of a log while the import waits for its row stay."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from logs.models import Attempt, AttemptTrigger, RedeliveryRefused, State, Subscription, WebhookLog

from ..factories import import_logs, log_document, make_company, make_log, make_subscription
from ..processes import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "625bc5429a54e8868bd89be2"


def while_it_waits(work: Callable, change: Callable[[], object]) -> Any:
    """The result of `work` in another connection. It waits for the logs that `change` changes in a transaction of this one."""
    results: list = []
    thread = threading.Thread(target=lambda: (results.append(work()), connection.close()))
    with transaction.atomic():
        assert WebhookLog.objects.select_for_update().filter(pk=WebhookLog.objects.earliest("pk").pk)
        thread.start()
        wait_until(somebody_waits_for_a_lock)
        change()
    thread.join()
    [result] = results
    return result


def test_an_outcome_delivered_meanwhile_stays_and_the_log_can_be_redelivered(admin_user, receiver, deliver):
    make_subscription(url=receiver.url)
    log = make_log()

    def deliver_it() -> None:
        log.redeliver(by=admin_user, expected_attempts=3)
        Attempt.objects.create(
            log=log, number=4, trigger=AttemptTrigger.MANUAL, started_at=timezone.now(), status=200, response="ours"
        )
        outcome = {"state": State.DELIVERED, "status": 200, "attempt_count": 4, "response": "ours", "cause": ""}
        WebhookLog.objects.filter(pk=log.pk).update(next_attempt_at=None, **outcome)

    changed = log_document(0, status=500, retry=3, response="theirs")
    summary = while_it_waits(lambda: import_logs(changed), deliver_it)
    assert (summary.updated, summary.unchanged) == (0, 1)
    stored = WebhookLog.objects.get()
    assert (stored.state, stored.status, stored.attempt_count, stored.response) == (State.DELIVERED, 200, 4, "ours")
    assert stored.redeliver(by=admin_user, expected_attempts=4, is_confirmed=True)
    deliver()
    assert list(stored.attempts.values_list("number", "status")) == [(3, 409), (4, 200), (5, 200)]


def test_a_log_moved_to_another_company_meanwhile_is_not_overwritten(django_user_model):
    user = django_user_model.objects.create_user("operator")
    make_subscription(company=make_company())
    make_company().users.add(user)
    theirs = make_subscription(pk="6" * 24, company=make_company(OTHER))
    log = make_log()
    changed = log_document(0, status=500)
    move = WebhookLog.objects.filter(pk=log.pk).update
    summary = while_it_waits(lambda: import_logs(changed, user=user), lambda: move(subscription=theirs))
    assert (summary.updated, summary.rejected) == (0, 1)
    assert WebhookLog.objects.values_list("subscription", "status").get() == (theirs.pk, 409)


def test_two_imports_lock_changed_logs_in_the_order_of_their_ids():
    make_subscription()
    logs = [make_log(number) for number in range(3)]
    changed = [log_document(number, status=500) for number in (2, 1, 0)]

    def others_are_free() -> None:
        assert len(WebhookLog.objects.select_for_update(nowait=True)) == len(logs)

    assert while_it_waits(lambda: import_logs(*changed), others_are_free).updated == 3


def test_a_log_is_not_queued_if_its_subscription_is_deactivated_meanwhile(admin_user):
    subscription = make_subscription()
    log = make_log()

    def redeliver() -> object:
        try:
            return log.redeliver(by=admin_user, expected_attempts=3)
        except RedeliveryRefused as error:
            return str(error)

    def deactivate() -> None:
        Subscription.objects.filter(pk=subscription.pk).update(is_active=False)

    log.subscription  # noqa: B018  read before the wait, as by a page
    assert while_it_waits(redeliver, deactivate) == "Its subscription is not active. Activate it first."
