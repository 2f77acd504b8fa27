"""Logs of a subscription that isn't imported yet: their company, and what happens once it is imported (ADR 0023)."""

import json
import threading

import pytest
from django.db import connection, transaction

from logs.cotalker.documents import write_log
from logs.models import BulkRedeliveryItem, Import, Subscription, WebhookLog

from ..factories import (
    COMPANY,
    SUBSCRIPTION,
    import_logs,
    import_subscriptions,
    log_document,
    make_company,
    make_subscription,
    sample,
)
from ..processes import somebody_waits_for_a_lock, wait_until
from .upload_files import lines, upload

pytestmark = pytest.mark.django_db
OTHER = "625bc5429a54e8868bd89be2"
ITS = sample("webhook_subscription")  # of COMPANY


def log(number: int, company: str = COMPANY, **fields) -> dict:
    return log_document(number, company=company, **fields)


@pytest.fixture
def owner(member):
    return member("Administrator")


@pytest.fixture
def squatter(member):
    return member("Administrator", make_company(OTHER, "Other"))


def seen_by(client, user) -> list[str]:
    """The logs that the page shows to the user."""
    client.force_login(user)
    page = client.get("/logs/").content.decode()
    return [pk for pk in WebhookLog.objects.order_by("pk").values_list("pk", flat=True) if f"/logs/{pk}/" in page]


def test_an_id_used_by_another_company_stays_free_and_every_log_keeps_its_company(client, owner, squatter):
    client.force_login(squatter)
    assert upload(client, lines(log(1, OTHER))).new == 1
    client.force_login(owner)
    assert upload(client, lines(log(2))).new == 1
    assert upload(client, lines(ITS), kind="subscriptions").rejected == 0
    assert upload(client, lines(log(3))).new == 1

    assert Subscription.objects.values_list("company", "url").get(pk=SUBSCRIPTION) == (COMPANY, ITS["url"])
    ids = [document["_id"] for document in (log(1), log(2), log(3))]
    assert seen_by(client, owner) == ids[1:]
    assert seen_by(client, squatter) == ids[:1]
    kept = WebhookLog.objects.get(pk=ids[0])
    assert json.loads(write_log(kept, kept.payload.event)) == log(1, OTHER)
    page = client.get(kept.subscription.get_absolute_url()).content.decode()
    assert f"Logs of your company refer to subscription {SUBSCRIPTION}." in page
    assert f"/logs/{kept.pk}/" in client.get(f"/logs/?q={SUBSCRIPTION}").content.decode()
    assert not Subscription.objects.filter(is_placeholder=True, company=COMPANY).exists()


def test_repeating_the_imports_changes_nothing(owner, squatter):
    documents = {owner: [log(1), log(2)], squatter: [log(3, OTHER)]}
    for user, its in documents.items():
        assert import_logs(*its, user=user).new == len(its)
    import_subscriptions(ITS, user=owner)
    before = sorted(WebhookLog.objects.values_list("pk", "subscription"))
    for user, its in documents.items():
        assert import_logs(*its, user=user).unchanged == len(its)
    assert import_subscriptions(ITS, user=owner).unchanged == 1
    assert sorted(WebhookLog.objects.values_list("pk", "subscription")) == before


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_superuser_who_imports_the_subscription_moves_no_log_to_another_company(
    client, admin_user, owner, squatter, is_superuser
):
    import_logs(log(1, OTHER), user=squatter)
    import_logs(log(2), user=owner)
    import_subscriptions(ITS, user=admin_user if is_superuser else None)
    assert seen_by(client, squatter) == [log(1)["_id"]]
    assert seen_by(client, owner) == [log(2)["_id"]]


def test_logs_of_the_command_line_move_with_the_subscription_it_imports(client, owner):
    """A log's company may differ from its subscription's, as in Cotalker's own samples."""
    import_logs(log(1, OTHER), log(2))
    assert import_subscriptions(ITS).updated == 1
    assert seen_by(client, owner) == [log(1)["_id"], log(2)["_id"]]
    assert Subscription.objects.get().pk == SUBSCRIPTION


def test_logs_of_the_command_line_keep_their_company_when_another_takes_the_id(client, owner, squatter):
    import_logs(log(1), log(2, OTHER))
    forged = ITS | {"company": OTHER}
    assert import_subscriptions(forged, user=squatter).updated == 1
    assert seen_by(client, owner) == [log(1)["_id"]]
    assert seen_by(client, squatter) == [log(2)["_id"]]


def test_each_company_sees_its_own_logs_of_an_unknown_subscription(client, owner, squatter):
    import_logs(log(1), log(2, OTHER))
    assert seen_by(client, owner) == [log(1)["_id"]]
    assert seen_by(client, squatter) == [log(2)["_id"]]


def test_items_of_bulk_redeliveries_move_along(owner, squatter):
    from logs.models import SelectionSource
    from logs.redelivery.drafts import build_plan, create_draft

    import_logs(log(1, OTHER), user=squatter)
    bulk = create_draft(SelectionSource.SELECTED, by=squatter)
    build_plan(bulk, [log(1)["_id"]])
    import_subscriptions(ITS, user=owner)
    assert BulkRedeliveryItem.objects.get().subscription_id == WebhookLog.objects.get().subscription_id != SUBSCRIPTION


@pytest.mark.django_db(transaction=True)
def test_a_subscription_claimed_during_an_import_gets_no_logs_of_another_company(owner, squatter):
    import_logs(log(1, OTHER), user=squatter)
    summaries: list = []
    storing = threading.Thread(
        target=lambda: (summaries.append(import_logs(log(2, OTHER), user=squatter)), connection.close())
    )
    with transaction.atomic():
        import_subscriptions(ITS, user=owner)
        storing.start()
        wait_until(somebody_waits_for_a_lock)
    storing.join()
    assert summaries[0].new == 1
    assert not WebhookLog.objects.filter(subscription=SUBSCRIPTION).exists()
    assert WebhookLog.objects.filter(subscription__company=OTHER).count() == 2


class TestMasked:
    """An import does not reveal whether a guess of a masked value is right."""

    SECRET, GUESS = "hunter2", "guessed"

    def document(self, secret: str, **fields) -> dict:
        event = log(1)["event"] | {"data": {"name": "Pump", "password": secret, "_id": "6" * 24}}
        return log(1, event=event, response=json.dumps({"token": secret}), more={"apiKey": secret}) | fields

    @pytest.fixture(autouse=True)
    def stored(self):
        make_subscription()
        assert import_logs(self.document(self.SECRET)).new == 1

    @pytest.mark.parametrize("secret", [SECRET, GUESS])
    def test_a_user_who_may_not_reveal_a_value_sees_unchanged_for_every_guess(self, client, member, secret):
        client.force_login(member("Operator"))
        imported: Import = upload(client, lines(self.document(secret)))
        assert (imported.unchanged, imported.updated, imported.rejected) == (1, 0, 0)
        assert self.SECRET in WebhookLog.objects.get().response

    def test_visible_values_are_compared_as_usual(self, client, member):
        client.force_login(member("Operator"))
        assert upload(client, lines(self.document(self.GUESS, status=500))).updated == 1
        other = self.document(self.SECRET)
        other["event"]["data"]["name"] = "Fan"
        assert upload(client, lines(other)).rejected == 1

    def test_a_user_who_may_reveal_the_value_gets_a_rejection(self, client, member):
        client.force_login(member("Administrator"))
        assert upload(client, lines(self.document(self.GUESS))).rejected == 1
