"""Retention deletes only what has expired: by the command and the nightly task, during deliveries."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.utils import timezone

from logs import tasks
from logs.cotalker import objectid
from logs.db.payload_partitions import month_start, partition_names
from logs.models import (
    Attempt,
    AuditEntry,
    BulkRedelivery,
    BulkRedeliveryItem,
    Payload,
    Retention,
    State,
    Subscription,
    WebhookLog,
)
from logs.retention import log_deletion, payload_expiry
from logs.retention import prune as running
from logs.stats.queries import TOTAL_WIDTH, log_counts

from ..factories import import_logs, log_document, make_log, make_subscription, make_waiting_log

MONTH = "logs_payload_2022_05"  # of the sample
JUNE = "logs_payload_2022_06"


@pytest.fixture
def keep():
    """`keep(payload_days=90)`: sets the retention."""

    def set_days(payload_days: int | None = None, log_days: int | None = None) -> Retention:
        Retention.change(payload_days=payload_days, log_days=log_days, by=None)
        return Retention.current()

    return set_days


def imported(at: datetime, number: int = 0, **fields) -> WebhookLog:
    """A delivered log of that time, in its id and its document."""
    pk = f"{objectid.lowest_objectid(at)[:8]}{number:016x}"
    import_logs(log_document(_id=pk, createdAt=f"{at:%Y-%m-%dT%H:%M:%S}.000Z", status=200, response="ok") | fields)
    return WebhookLog.objects.get(pk=pk)


def days_ago(days: float) -> datetime:
    return (timezone.now() - timedelta(days=days)).replace(microsecond=0)


def prune(*arguments: str, capsys) -> str:
    call_command("prune_logs", *arguments)
    return capsys.readouterr().out


def kept_payloads() -> set[str]:
    return set(Payload.objects.values_list("pk", flat=True))


def kept_logs() -> set[str]:
    return set(WebhookLog.objects.values_list("pk", flat=True))


def stored() -> list:
    """Everything that pruning could change."""
    rows = [sorted(model.objects.values_list("pk", flat=True)) for model in (Payload, WebhookLog, Attempt, AuditEntry)]
    return [*rows, partition_names(), Retention.objects.values().get()]


@pytest.mark.django_db(transaction=True)
def test_everything_is_kept_until_somebody_sets_days(capsys):
    make_subscription()
    make_log()
    assert "kept forever" in prune(capsys=capsys)
    tasks.prune.func(_Context(), 0)
    assert len(kept_payloads()) == len(kept_logs()) == 1
    assert MONTH in partition_names()


@pytest.mark.django_db
def test_a_month_of_payloads_expires_days_after_its_end_and_logs_stay(keep, capsys):
    make_subscription()
    old = make_log()
    first_of_month = month_start(timezone.now())
    last_month = imported(first_of_month - timedelta(days=1))
    this_month = imported(first_of_month)
    keep(payload_days=max((timezone.now() - first_of_month).days, 1) + 1)
    assert "2022-05: 1 payloads\n1 payloads and 0 logs were removed." in prune(capsys=capsys)
    assert kept_payloads() == {last_month.pk, this_month.pk}
    assert kept_logs() == {old.pk, last_month.pk, this_month.pk}
    assert MONTH not in partition_names()


@pytest.mark.django_db
def test_finished_logs_are_deleted_with_attempts_and_payloads_but_audit_entries_stay(keep, capsys, member):
    subscription = make_subscription()
    old = make_log()
    # Stores Cotalker's outcome as an attempt.
    assert old.redeliver(by=member("Operator"), expected_attempts=old.attempt_count)
    old.refresh_from_db()
    assert old.skip(by=member("Operator"), reason="no use")
    new = imported(days_ago(399))
    imported(days_ago(401))
    keep(log_days=400)
    assert "0 payloads and 2 logs were removed." in prune(capsys=capsys)
    assert kept_logs() == kept_payloads() == {new.pk}
    assert not Attempt.objects.filter(log=old.pk).exists()
    assert AuditEntry.objects.filter(target=old.pk).exists()
    assert Subscription.objects.get() == subscription


@pytest.mark.django_db
def test_open_logs_are_kept_regardless_of_age(keep, capsys):
    subscription = make_subscription()
    waiting = make_waiting_log(subscription)
    blocking = make_log(1)
    Subscription.objects.update(blocking_log=blocking.pk, paused_at=timezone.now())
    gone = make_log(2)
    keep(payload_days=30, log_days=30)
    assert "2022-05: 1 payloads, 2 kept because their logs are open" in prune(capsys=capsys)
    assert kept_logs() == kept_payloads() == {waiting.pk, blocking.pk}
    assert gone.pk not in kept_logs()
    Subscription.objects.update(blocking_log="", paused_at=None)
    WebhookLog.objects.update(state=State.DELIVERED, next_attempt_at=None)
    prune(capsys=capsys)
    assert kept_logs() == set()
    assert MONTH not in partition_names()


@pytest.mark.django_db
def test_a_log_that_waits_in_a_bulk_redelivery_is_kept(keep, capsys):
    make_subscription()
    log, gone = make_log(), make_log(1)
    _add_to_bulk_redelivery(log, "waiting")
    ended = _add_to_bulk_redelivery(gone, "skipped")
    keep(payload_days=30, log_days=30)
    dry = prune("--dry-run", capsys=capsys)
    assert "1 payloads and 1 logs would be removed." in dry
    assert "1 payloads and 1 logs were removed." in prune(capsys=capsys).replace("2022-05: ", "")
    assert kept_logs() == kept_payloads() == {log.pk}
    assert not BulkRedeliveryItem.objects.filter(pk=ended.pk).exists()


def test_pruning_knows_every_table_that_refers_to_a_log():
    pointing = {
        relation.related_model._meta.db_table
        for relation in WebhookLog._meta.related_objects
        if not relation.many_to_many
    }
    assert pointing == {statement.split()[2] for statement in log_deletion._DELETE} - {WebhookLog._meta.db_table}


@pytest.mark.django_db
def test_a_dry_run_changes_nothing_and_prints_the_same_numbers(keep, capsys):
    subscription = make_subscription()
    make_waiting_log(subscription)
    for number in range(1, 4):
        make_log(number)
    imported(datetime(2022, 6, 10, tzinfo=UTC))
    imported(datetime(1990, 1, 1, tzinfo=UTC), createdAt="2022-06-10T00:00:00.000Z")  # has no month
    imported(days_ago(20))
    keep(payload_days=30, log_days=60)
    before = stored()
    dry = prune("--dry-run", capsys=capsys)
    assert stored() == before
    real = prune(capsys=capsys)
    assert "2022-05: 3 payloads, 1 kept because their logs are open" in real
    assert "2022-06: 1 payloads" in real
    assert "without a month: 1 payloads" in real
    assert "5 payloads and 5 logs were removed." in real
    assert dry.replace("would be removed", "were removed").replace(" would expire", "") == real


@pytest.mark.django_db(transaction=True)
def test_log_counts_follow_deletions(keep, capsys):
    make_subscription()
    for number in range(3):
        make_log(number)
    imported(days_ago(1))
    keep(log_days=30)
    prune(capsys=capsys)
    call_command("log_counts", "verify")
    assert log_counts(None, None, None).aggregate(n=TOTAL_WIDTH)["n"] == 1


@pytest.mark.django_db(transaction=True)
def test_the_task_does_the_same_and_records_when_it_ran(keep):
    make_subscription()
    make_log()
    keep(payload_days=30, log_days=30)
    tasks.prune.func(_Context(), 0)
    assert kept_logs() == kept_payloads() == set()
    retention = Retention.current()
    assert (retention.run_payloads, retention.run_logs, retention.run_busy_months) == (1, 1, 0)
    assert retention.run_at is not None
    assert retention.payloads_expired_before == month_start(timezone.now() - timedelta(days=30))


@pytest.mark.django_db
def test_the_next_job_continues_interrupted_pruning(keep, monkeypatch, capsys):
    for module in (log_deletion, payload_expiry):
        monkeypatch.setattr(module, "DELETE_BATCH_SIZE", 2)
    make_subscription()
    for number in range(5):
        make_log(number)
    keep(log_days=30)
    outcome = running.prune(should_stop=lambda: WebhookLog.objects.count() <= 3)
    assert (outcome.logs, len(kept_logs())) == (2, 3)
    assert Retention.current().run_logs == 2
    assert "3 logs were removed" in prune(capsys=capsys)
    assert kept_logs() == set()


@pytest.mark.django_db(transaction=True)
def test_the_numbers_of_an_interrupted_job_cover_the_whole_night(keep, monkeypatch):
    for module in (log_deletion, payload_expiry):
        monkeypatch.setattr(module, "DELETE_BATCH_SIZE", 2)
    make_subscription()
    for number in range(5):
        make_log(number)
    keep(payload_days=30, log_days=30)
    running.prune(should_stop=lambda: WebhookLog.objects.count() <= 3)
    tasks.prune.func(_Context(attempts=1), 0)
    assert (Retention.current().run_payloads, Retention.current().run_logs) == (5, 5)


@pytest.mark.django_db
def test_pruning_stops_when_the_retention_is_extended_meanwhile(keep, monkeypatch):
    monkeypatch.setattr(log_deletion, "DELETE_BATCH_SIZE", 2)
    make_subscription()
    for number in range(5):
        make_log(number)
    keep(log_days=30)
    outcome = running.prune(on_step=lambda outcome: keep() if outcome.logs else None)
    assert (outcome.logs, len(kept_logs())) == (2, 3)


@pytest.mark.django_db(transaction=True)
def test_one_process_prunes_at_a_time(keep):
    keep(payload_days=30)
    seen: list[BaseException] = []

    def another() -> None:
        try:
            call_command("prune_logs")
        except CommandError as error:
            seen.append(error)
        finally:
            connections.close_all()

    def meanwhile(outcome) -> None:
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()

    running.prune(on_step=meanwhile)
    assert "Another process is pruning" in str(seen[0])


# Beside others


@pytest.mark.django_db(transaction=True)
def test_a_month_is_dropped_while_deliveries_go_on(keep, receiver, deliver, monkeypatch):
    monkeypatch.setattr("logs.retention.payload_expiry.LOCK_TIMEOUT", "30s")
    subscription = make_subscription(url=receiver.url)
    make_log()
    imported(datetime(2022, 6, 10, tzinfo=UTC))
    now = timezone.now()
    for number in range(30):
        _waiting_now(subscription, now, number)
    keep(payload_days=30)
    errors: list[BaseException] = []

    def prune_in_a_thread() -> None:
        try:
            running.prune()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    pruning_thread = threading.Thread(target=prune_in_a_thread)
    pruning_thread.start()
    deliver()
    pruning_thread.join()
    assert errors == []
    assert len(receiver.requests) == 30
    assert {MONTH, JUNE}.isdisjoint(partition_names())
    assert WebhookLog.objects.filter(state=State.DELIVERED).count() == 31


@pytest.mark.django_db(transaction=True)
def test_a_month_in_use_is_left_for_next_time_and_blocks_nobody(keep, capsys):
    make_subscription()
    make_log()
    keep(payload_days=30)
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM logs_payload")
            reading.set()
            done.wait(30)
        connections.close_all()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(30)
    assert "2022-05: in use, left for the next run" in prune(capsys=capsys)
    assert Retention.current().run_busy_months == 1
    done.set()
    reader.join()
    assert "2022-05: 1 payloads" in prune(capsys=capsys)
    assert MONTH not in partition_names()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["queued", "blocking", "in a bulk redelivery"])
def test_a_month_whose_log_is_queued_at_the_last_moment_is_not_dropped(keep, monkeypatch, capsys, what):
    """`_drop` is called after all logs of the month were found to be finished."""
    make_subscription()
    log = make_log()
    drop = payload_expiry._drop

    def after_somebody_else(month: datetime) -> bool:
        if what == "queued":
            assert log.redeliver(by=None, expected_attempts=log.attempt_count)
        elif what == "blocking":
            Subscription.objects.update(blocking_log=log.pk, paused_at=timezone.now())
        else:
            _add_to_bulk_redelivery(log, "waiting")
        return drop(month)

    monkeypatch.setattr(payload_expiry, "_drop", after_somebody_else)
    keep(payload_days=30)
    assert "2022-05: in use, left for the next run" in prune(capsys=capsys)
    assert kept_payloads() == {log.pk}


@pytest.mark.django_db
def test_old_logs_can_be_imported_again_into_a_month_that_was_dropped(keep, capsys):
    make_subscription()
    make_log()
    keep(payload_days=30)
    prune(capsys=capsys)
    make_log(1)
    assert MONTH in partition_names()
    assert len(kept_payloads()) == 1
    prune(capsys=capsys)
    assert MONTH not in partition_names()


@pytest.mark.django_db
def test_days_beyond_the_first_id_expire_nothing(keep, capsys):
    make_subscription()
    make_log()
    keep(payload_days=36_500)
    assert "0 payloads and 0 logs were removed." in prune(capsys=capsys)


def _waiting_now(subscription: Subscription, now: datetime, number: int) -> None:
    log = make_waiting_log(subscription, number)
    pk = f"{objectid.lowest_objectid(now)[:8]}{number:016x}"
    Payload.objects.filter(pk=log.pk).update(log_id=pk)
    WebhookLog.objects.filter(pk=log.pk).update(id=pk)


def _add_to_bulk_redelivery(log: WebhookLog, outcome: str) -> BulkRedeliveryItem:
    bulk = BulkRedelivery.objects.create(planned_at=timezone.now())
    columns = {"subscription": log.subscription, "before_state": log.state}
    return BulkRedeliveryItem.objects.create(bulk_redelivery=bulk, log=log, number=1, outcome=outcome, **columns)


class _Context:
    """The numbers of a job that is not stopped, at its first or a later attempt."""

    def __init__(self, attempts: int = 0) -> None:
        self.job = SimpleNamespace(attempts=attempts)

    def should_abort(self) -> bool:
        return False
