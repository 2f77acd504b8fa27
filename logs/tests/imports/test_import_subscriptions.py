import json

import pytest
from django.core.management import call_command

from logs.cotalker.documents import write_subscription
from logs.imports.importer import Importer, ImportSummary
from logs.models import AuditAction, AuditEntry, Company, Subscription, WebhookLog
from logs.payloads.masking import masked_keys

from ..factories import (
    COMPANY,
    OTHER_SUBSCRIPTION,
    SAMPLES,
    SUBSCRIPTION,
    import_logs,
    make_subscription,
    make_waiting_log,
    sample,
)

pytestmark = pytest.mark.django_db
SAMPLE = sample("webhook_subscription")
LOG = sample("webhook_log_task_create_failed")
FOREIGN = "625bcbdcc9a8e3a86dbf041c"


def imported(*documents, user=None) -> tuple[ImportSummary, list[str]]:
    """The summary of an import, and its rejections as a person reads them."""
    rejections: list[str] = []
    importer = Importer(masked_keys(), user, on_rejection=lambda rejection: rejections.append(str(rejection)))
    lines = "\n".join(json.dumps(document) for document in documents)
    return importer.import_subscriptions([lines.encode()]), rejections


def document() -> dict:
    return json.loads(write_subscription(Subscription.objects.get(pk=SUBSCRIPTION)))


def test_the_command_imports_the_sample(capsys):
    call_command("import_subscriptions", str(SAMPLES / "webhook_subscription.json"))
    assert capsys.readouterr().out == "read 1, new 1, unchanged 0, updated 0, rejected 0\n"
    stored = Subscription.objects.get()
    assert (stored.pk, stored.company_id, stored.code, stored.is_active) == (SUBSCRIPTION, COMPANY, "wo_update", True)
    assert (stored.is_placeholder, stored.secret, stored.edited_fields) == (False, "", [])
    assert document() == SAMPLE


def test_importing_again_changes_nothing():
    imported(SAMPLE)
    before = Subscription.objects.values().get()
    pretty = json.dumps(SAMPLE, indent=4).encode()
    assert imported(SAMPLE)[0] == ImportSummary(read=1, unchanged=1)
    assert Importer(masked_keys()).import_subscriptions([pretty]) == ImportSummary(read=1, unchanged=1)
    assert Subscription.objects.values().get() == before


def test_changes_at_cotalker_are_updated():
    imported(SAMPLE)
    changed = SAMPLE | {"name": "New", "isActive": False, "url": "https://new", "more": 1, "context": {"taskGroup": ""}}
    assert imported(changed)[0] == ImportSummary(read=1, updated=1)
    assert document() == changed
    assert Subscription.objects.get().name == "New"


def test_workers_notice_only_a_changed_url_or_activation():
    imported(SAMPLE)
    changed = SAMPLE
    for change, versions in [({"name": "New"}, 0), ({"url": "https://new"}, 1), ({"isActive": False}, 2)]:
        changed = changed | change
        imported(changed)
        assert Subscription.objects.get().queue_version == versions


def test_a_subscription_activated_at_cotalker_no_longer_drains():
    imported(SAMPLE | {"isActive": False})
    Subscription.objects.update(is_draining=True)
    imported(SAMPLE)
    assert Subscription.objects.values_list("is_active", "is_draining").get() == (True, False)


def kept_event():
    """Waits in the queue of a subscription that was deactivated."""
    imported(SAMPLE | {"isActive": False})
    return make_waiting_log(Subscription.objects.get())


@pytest.mark.django_db(transaction=True)
def test_an_import_that_activates_a_subscription_sends_no_kept_events(receiver, deliver, django_user_model):
    """Their queue is paused, and new events wait behind them until a user resumes it."""
    kept = kept_event()
    Subscription.objects.update(url=receiver.url, edited_fields=["url"])
    other = make_subscription(OTHER_SUBSCRIPTION, url=receiver.url)
    ana = django_user_model.objects.create_superuser("ana")
    assert imported(SAMPLE, user=ana)[0] == ImportSummary(read=1, updated=1)
    subscription = Subscription.objects.get(pk=SUBSCRIPTION)
    assert (subscription.is_active, subscription.paused_at is None) == (True, False)
    behind, elsewhere = make_waiting_log(subscription, 1), make_waiting_log(other)
    deliver(until=WebhookLog.objects.delivered())
    assert receiver.ids == [elsewhere.pk]
    audit_entry = AuditEntry.objects.get(target=SUBSCRIPTION)
    assert (audit_entry.actor, audit_entry.action) == (ana, AuditAction.QUEUE_PAUSED)
    assert audit_entry.detail == "an import activated the subscription while it had kept events"
    subscription.resume(by=ana)
    deliver()
    assert receiver.ids == [elsewhere.pk, kept.pk, behind.pk]


def test_an_import_pauses_no_queue_without_kept_events():
    imported(SAMPLE | {"isActive": False})
    imported(SAMPLE)
    assert Subscription.objects.values_list("is_active", "paused_at").get() == (True, None)


def test_an_import_pauses_no_queue_whose_kept_events_are_being_sent():
    kept_event()
    Subscription.objects.get().send_waiting(by=None)
    imported(SAMPLE)
    assert Subscription.objects.values_list("is_active", "paused_at").get() == (True, None)


def test_an_import_leaves_a_paused_queue_as_it_is():
    kept_event()
    Subscription.objects.get().pause(by=None)
    paused_at = Subscription.objects.get().paused_at
    imported(SAMPLE)
    assert Subscription.objects.values_list("is_active", "paused_at").get() == (True, paused_at)
    assert AuditEntry.objects.count() == 1


def test_an_import_that_leaves_a_subscription_inactive_pauses_nothing():
    kept_event()
    imported(SAMPLE | {"isActive": False, "name": "New"})
    assert Subscription.objects.values_list("is_active", "paused_at").get() == (False, None)


def test_a_changed_unknown_field_is_a_change():
    imported(SAMPLE)
    assert imported(SAMPLE | {"__v": 1})[0] == ImportSummary(read=1, updated=1)
    assert document() == SAMPLE | {"__v": 1}


def test_fields_edited_here_and_the_secret_stay():
    imported(SAMPLE)
    stored = Subscription.objects.get()
    stored.url, stored.is_active, stored.secret = "https://ours", False, "whsec_" + "QUJD" * 8
    stored.track_edit(["url", "is_active"])
    stored.save()
    assert imported(SAMPLE)[0] == ImportSummary(read=1, unchanged=1)
    assert imported(SAMPLE | {"url": "https://theirs", "name": "Theirs"})[0] == ImportSummary(read=1, updated=1)
    stored.refresh_from_db()
    assert (stored.url, stored.is_active, stored.name) == ("https://ours", False, "Theirs")
    assert stored.secret == "whsec_" + "QUJD" * 8
    assert document() == SAMPLE | {"url": "https://ours", "isActive": False, "name": "Theirs"}


def test_a_placeholder_is_filled_in():
    import_logs(LOG)
    placeholder = Subscription.objects.get()
    assert placeholder.company_id == LOG["company"] != SAMPLE["company"]
    assert imported(SAMPLE)[0] == ImportSummary(read=1, updated=1)
    filled = Subscription.objects.get()
    assert (filled.is_placeholder, filled.company_id, filled.url) == (False, COMPANY, "https://www.server.com")
    assert document() == SAMPLE
    assert filled.logs.count() == 1


def test_two_subscriptions_with_the_same_code_in_a_company_are_rejected():
    summary, rejections = imported(
        SAMPLE, SAMPLE | {"_id": OTHER_SUBSCRIPTION}, SAMPLE | {"_id": "f" * 24, "company": FOREIGN}
    )
    assert summary == ImportSummary(read=3, new=2, rejected=1)
    assert rejections == ["document 2, line 2: /code: the company has another subscription with this code"]
    assert not Subscription.objects.filter(pk=OTHER_SUBSCRIPTION).exists()


def test_a_code_changed_to_a_used_one_is_rejected_and_nothing_changes():
    imported(SAMPLE, SAMPLE | {"_id": OTHER_SUBSCRIPTION, "code": "other"})
    summary, _rejections = imported(SAMPLE | {"code": "other", "name": "Changed"})
    assert summary == ImportSummary(read=1, rejected=1)
    assert document() == SAMPLE


def test_a_bad_document_is_rejected_and_the_rest_is_imported():
    summary, rejections = imported(SAMPLE | {"trigger": ""}, [1], SAMPLE, "text")
    assert summary == ImportSummary(read=4, new=1, rejected=3)
    assert [rejection.split(": ")[0] for rejection in rejections] == [
        "document 1, line 1",
        "document 2, line 2",
        "document 4, line 4",
    ]


def test_html_is_kept_as_it_is():
    html = SAMPLE | {"name": "<script>alert(1)</script>", "description": "<b>", "<i>": "<u>"}
    imported(html)
    assert document() == html


class TestReach:
    def test_a_user_imports_into_their_own_company(self, user):
        assert imported(SAMPLE, user=user)[0] == ImportSummary(read=1, new=1)

    def test_a_foreign_company_is_rejected(self, user):
        summary, rejections = imported(SAMPLE | {"company": FOREIGN}, user=user)
        assert summary == ImportSummary(read=1, rejected=1)
        assert rejections == ["document 1, line 1: /company: you do not belong to this company"]
        assert not Subscription.objects.exists()
        assert not Company.objects.filter(pk=FOREIGN).exists()

    def test_a_foreign_subscription_cannot_be_taken_over(self, user):
        imported(SAMPLE | {"company": FOREIGN})
        summary, rejections = imported(SAMPLE, user=user)
        assert summary == ImportSummary(read=1, rejected=1)
        assert rejections[0].startswith("document 1, line 1: /_id: you do not belong to this company")
        assert document() == SAMPLE | {"company": FOREIGN}

    def test_a_subscription_cannot_be_moved_to_another_company(self, user):
        imported(SAMPLE)
        assert imported(SAMPLE | {"company": FOREIGN}, user=user)[0] == ImportSummary(read=1, rejected=1)
        assert document() == SAMPLE

    def test_a_superuser_can_import_for_every_company(self, admin_user):
        assert imported(SAMPLE, user=admin_user)[0] == ImportSummary(read=1, new=1)
