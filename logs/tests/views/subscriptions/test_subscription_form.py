"""Creating and editing a subscription."""

import json
import re

import pytest
from django.db import connection

from logs.cotalker import objectid
from logs.cotalker.documents import write_subscription
from logs.models import Company, Subscription, Trigger

from .factories import (
    ADDRESS,
    SECRET,
    address_of,
    make_imported,
    make_placeholder,
    make_subscription,
    posted,
    record_of,
)

pytestmark = pytest.mark.django_db


class TestCreate:
    address = "/subscriptions/new/"

    def test_a_subscription_is_created_in_the_only_company_with_a_code_from_its_name(self, client, company):
        response = client.post(self.address, posted(name="Órdenes de trabajo"))
        created = Subscription.objects.get()
        assert response.headers["Location"] == created.get_absolute_url()
        assert (created.company, created.code, created.url) == (company, "ordenes_de_trabajo", ADDRESS)
        assert (created.is_active, created.edited_fields) == (True, [])
        assert record_of(created) == [("subscription_created", "")]

    def test_a_suggested_code_is_unique_in_the_company(self, client, company, foreign):
        make_subscription(company, code="pump_alarms")
        make_subscription(company, code="pump_alarms_2")
        client.post(self.address, posted())
        assert Subscription.objects.filter(code="pump_alarms_3").exists()

    def test_a_user_of_several_companies_selects_one(self, client, company, operator):
        other = Company.objects.create(id=objectid.new_objectid())
        other.users.add(operator)
        assert client.post(self.address, posted()).status_code == 422
        client.post(self.address, posted(company=other.pk))
        assert Subscription.objects.get().company == other

    def test_a_subscription_cannot_be_created_in_another_company(self, client, company, operator, foreign):
        Company.objects.create(id=objectid.new_objectid()).users.add(operator)
        assert client.post(self.address, posted(company=foreign.company_id)).status_code == 422
        assert Subscription.objects.count() == 1

    def test_the_form_says_when_the_user_has_no_company(self, client, company):
        company.users.clear()
        assert "No company available" in client.get(self.address).content.decode()
        assert client.post(self.address, posted()).status_code == 422

    @pytest.mark.parametrize(
        ("changes", "field", "message"),
        [
            ({"name": ""}, "name", "required"),
            ({"code": "WO-update"}, "code", "Only a–z, 0–9 and _ are allowed."),
            ({"code": "taken"}, "code", "another subscription with this code"),
            ({"url": ""}, "url", "required"),
            ({"url": "ftp://example.com/"}, "url", "not an http or https URL"),
            ({"url": "https://exa mple.com/"}, "url", "not an http or https URL"),
            ({"url": "https://" + "a" * 64 + ".example/"}, "url", "This host name is not valid in DNS."),
            ({"url": "http://[::1/"}, "url", "URL"),
            ({"url": "http://10.0.4.12/hook"}, "url", "DELIVERY_ALLOWED_NETWORKS"),
            ({"url": "http://169.254.169.254/"}, "url", "never allowed"),
            ({"trigger": "everything"}, "trigger", "not one of the available choices"),
            ({"context_task_group": "12"}, "context_task_group", "24 digits"),
            ({"secret_choice": "own", "own_secret": "short"}, "own_secret", "24 to 64 bytes"),
            ({"timeout": "0"}, "timeout", "greater than or equal to 1"),
            ({"timeout": "121"}, "timeout", "less than or equal to 120"),
            ({"timeout": "soon"}, "timeout", "whole number"),
            ({"headers": "X-Tenant"}, "headers", "Line 1: there is no colon"),
            ({"pause_on_exhausted": None}, "pause_on_exhausted", "required"),
        ],
    )
    def test_mistakes_are_shown_at_their_field(self, client, company, changes, field, message):
        make_subscription(company, code="taken")
        response = client.post(self.address, posted(description="kept", **changes))
        assert response.status_code == 422
        assert list(response.context["form"].errors) == [field]
        assert message in response.context["form"].errors[field][0]
        page = response.content.decode()
        assert f'href="#id_{field}"' in page
        assert f'id="id_{field}_error"' in page
        assert "kept</textarea>" in page
        assert re.search(rf'aria-describedby="[^"]*id_{field}_error', page)
        assert Subscription.objects.count() == 1

    def test_a_typed_secret_is_not_sent_back(self, client, company):
        response = client.post(self.address, posted(name="", secret_choice="own", own_secret=SECRET))
        assert SECRET not in response.content.decode()

    def test_a_name_that_does_not_resolve_is_only_a_warning(self, client, company):
        response = client.post(self.address, posted(url="https://receiver.invalid/hook"), follow=True)
        assert Subscription.objects.get().url == "https://receiver.invalid/hook"
        assert "does not resolve right now" in response.content.decode()

    @pytest.mark.parametrize(
        ("trigger", "kept"),
        [
            ("create-edit-delete-task", ["context_task_group"]),
            ("create-edit-delete-survey", ["context_survey", "context_group"]),
            ("logout-user", []),
        ],
    )
    def test_context_outside_the_trigger_is_dropped(self, client, company, trigger, kept):
        names = ["context_task_group", "context_survey", "context_group"]
        given = {name: "62742B759D46B3000797F1FC" if name in kept else "nonsense, longer than an id" for name in names}
        client.post(self.address, posted(trigger=trigger, **given))
        created = Subscription.objects.get()
        assert {name for name in names if getattr(created, name) == "62742b759d46b3000797f1fc"} == set(kept)
        assert {name for name in names if getattr(created, name) == ""} == set(names) - set(kept)

    def test_a_generated_secret_is_shown_once(self, client, company):
        page = client.post(self.address, posted(secret_choice="generate"), follow=True).content.decode()
        created = Subscription.objects.get()
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", created.secret)
        assert f'data-copy="{created.secret}"' in page
        assert created.secret not in client.get(address_of(created)).content.decode()
        assert record_of(created) == [("subscription_created", ""), ("secret_changed", "")]

    def test_a_typed_secret_is_stored_and_not_shown(self, client, company):
        page = client.post(self.address, posted(secret_choice="own", own_secret=SECRET), follow=True).content.decode()
        assert Subscription.objects.get().secret == SECRET
        assert SECRET not in page

    def test_a_secret_is_generated_by_default(self, client, company):
        choices = client.get(self.address).context["form"]["secret_choice"]
        assert choices.initial == "generate"
        assert [radio.data["value"] for radio in choices if radio.data["selected"]] == ["generate"]

    def test_the_delivery_options_are_stored(self, client, company):
        data = posted(timeout="7", pause_on_exhausted="True", headers="X-Tenant: austral")
        client.post(self.address, data)
        created = Subscription.objects.get()
        assert (created.timeout, created.pause_on_exhausted) == (7, True)
        assert created.headers == [("X-Tenant", "austral")]

    def test_a_code_that_was_taken_meanwhile_is_an_error_of_the_form(self, client, company, operator):
        def take(execute, sql, params, many, context):
            """Another request creates one between the check and the insert."""
            if sql.startswith("INSERT") and not taken:
                taken.append(True)
                make_subscription(company, code="pump")
            return execute(sql, params, many, context)

        taken = []
        with connection.execute_wrapper(take):
            response = client.post(self.address, posted(code="pump"))
        assert response.status_code == 422
        assert list(response.context["form"].errors) == ["code"]

    def test_it_needs_the_permission(self, client, operator):
        operator.user_permissions.clear()
        assert client.get(self.address).status_code == 403
        assert client.post(self.address, posted()).status_code == 403


class TestCode:
    address = "/subscriptions/code/"

    def test_the_form_suggests_a_code_for_the_name(self, client, company):
        make_subscription(company, code="pump_alarms")
        page = client.get(self.address, {"name": "Pump alarms"}).content.decode()
        assert page.count('value="pump_alarms_2"') == 1

    def test_a_suggestion_follows_the_name(self, client, company):
        query = {"name": "Pump al", "code": "pump", "suggested": "pump"}
        assert 'value="pump_al"' in client.get(self.address, query).content.decode()

    def test_a_typed_code_is_kept(self, client, company):
        query = {"name": "Pump al", "code": "mine", "suggested": "pump"}
        assert client.get(self.address, query).status_code == 204

    def test_another_company_reveals_no_codes(self, client, company, foreign):
        page = client.get(self.address, {"name": "Foreign", "company": foreign.company_id}).content.decode()
        assert "foreign_2" not in page


class TestEdit:
    def test_a_changed_field_is_marked_and_audited(self, client, company):
        imported = make_imported(company)
        response = client.post(address_of(imported, "edit"), posted(name="Orders", url=ADDRESS + "/v2", is_active=None))
        assert response.headers["Location"] == imported.get_absolute_url()
        imported.refresh_from_db()
        assert (imported.url, imported.is_active) == (ADDRESS + "/v2", False)
        assert imported.edited_fields == ["is_active", "url"]
        assert json.loads(write_subscription(imported))["url"] == ADDRESS + "/v2"
        assert record_of(imported) == [("subscription_changed", "url, is_active")]

    def test_saving_without_a_change_leaves_no_trace(self, client, company):
        imported = make_imported(company)
        Subscription.objects.update(description="Two\nlines")
        client.post(address_of(imported, "edit"), posted(name="Orders", description="Two\r\nlines"))
        imported.refresh_from_db()
        assert (imported.edited_fields, record_of(imported)) == ([], [])

    def test_changed_delivery_options_are_not_a_difference_to_cotalker(self, client, company):
        imported = make_imported(company)
        data = posted(name="Orders", timeout="7", pause_on_exhausted="True")
        client.post(address_of(imported, "edit"), data)
        imported.refresh_from_db()
        assert (imported.timeout, imported.pause_on_exhausted, imported.edited_fields) == (7, True, [])
        assert record_of(imported) == [("subscription_changed", "timeout, pause_on_exhausted")]
        assert client.get(address_of(imported)).context["differences"] == []
        client.post(address_of(imported, "edit"), data | {"timeout": ""})
        imported.refresh_from_db()
        assert imported.timeout is None

    def test_the_default_timeout_is_named(self, client, subscription, settings):
        settings.DELIVERY_TIMEOUT = 17
        assert "Leave empty for the default, 17." in client.get(address_of(subscription, "edit")).content.decode()

    @pytest.mark.parametrize(
        ("changes", "versions"),
        [
            ({"url": ADDRESS + "/v2"}, 1),
            ({"headers": "X-Tenant: austral"}, 1),
            ({"timeout": "7"}, 1),
            ({"secret_choice": "generate"}, 1),
            ({"is_active": None}, 1),
            ({"url": ADDRESS + "/v2", "secret_choice": "generate"}, 1),
            ({"description": "Pumps"}, 0),
            ({}, 0),
        ],
    )
    def test_workers_notice_changes_of_the_next_request(self, client, subscription, changes, versions):
        client.post(address_of(subscription, "edit"), posted(name="Work Orders", **changes))
        assert Subscription.objects.get(pk=subscription.pk).queue_version == versions

    def test_context_cleared_with_its_trigger_is_edited(self, client, company):
        subscription = make_subscription(company, context_task_group=objectid.new_objectid())
        client.post(address_of(subscription, "edit"), posted(name=subscription.name, trigger="create-edit-delete-note"))
        subscription.refresh_from_db()
        assert (subscription.context_task_group, subscription.edited_fields) == ("", ["context_task_group", "trigger"])

    def test_a_blocked_url_that_came_with_an_import_does_not_block_other_edits(self, client, company):
        blocked = make_subscription(company, url="http://10.0.4.12/hook")
        edit = address_of(blocked, "edit")
        assert client.post(edit, posted(url="http://10.0.4.12/hook", description="Old")).status_code == 302
        assert client.post(edit, posted(url="http://10.0.4.12/other")).status_code == 422

    def test_code_and_company_cannot_be_edited(self, client, subscription, foreign):
        changes = posted(code="other", company=foreign.company_id)
        client.post(address_of(subscription, "edit"), changes)
        stored = Subscription.objects.get(pk=subscription.pk)
        assert (stored.code, stored.company_id, stored.name) == ("wo", subscription.company_id, "Pump alarms")

    def test_the_first_sequence_of_the_queue_is_not_reset(self, client, subscription):
        def move_on(execute, sql, params, many, context):
            """A worker advances the queue during the check of the form."""
            if "FOR UPDATE" in sql:
                Subscription.objects.filter(pk=subscription.pk).update(first_sequence=7)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(move_on):
            client.post(address_of(subscription, "edit"), posted())
        assert Subscription.objects.get(pk=subscription.pk).first_sequence == 7

    def test_a_placeholder_becomes_a_subscription(self, client, company):
        placeholder = make_placeholder(company)
        client.post(address_of(placeholder, "edit"), posted(code="pumps"))
        placeholder.refresh_from_db()
        assert (placeholder.is_placeholder, placeholder.code, placeholder.is_active) == (False, "pumps", True)

    def test_a_placeholder_needs_a_trigger(self, client, company):
        placeholder = make_placeholder(company)
        assert client.post(address_of(placeholder, "edit"), posted(trigger=None)).status_code == 422
        placeholder.refresh_from_db()
        assert placeholder.is_placeholder

    def test_a_placeholder_imported_meanwhile_is_not_overwritten(self, client, company):
        placeholder = make_placeholder(company)

        def import_it(execute, sql, params, many, context):
            if "FOR UPDATE" in sql:
                Subscription.objects.filter(pk=placeholder.pk).update(
                    is_placeholder=False, code="imported", trigger=Trigger.NOTE
                )
            return execute(sql, params, many, context)

        with connection.execute_wrapper(import_it):
            response = client.post(address_of(placeholder, "edit"), posted(code="typed"))
        assert response.status_code == 422
        assert "was imported while you were editing it" in response.content.decode()
        assert Subscription.objects.get(pk=placeholder.pk).code == "imported"

    @pytest.mark.parametrize(("choice", "expected"), [("keep", SECRET), ("none", ""), ("own", "whsec_" + "WFla" * 8)])
    def test_the_secret_is_kept_removed_or_replaced(self, client, subscription, choice, expected):
        subscription.secret = SECRET
        subscription.save()
        data = posted(name="Work Orders", secret_choice=choice, own_secret="whsec_" + "WFla" * 8)
        client.post(address_of(subscription, "edit"), data)
        subscription.refresh_from_db()
        assert subscription.secret == expected
        assert record_of(subscription) == ([] if choice == "keep" else [("secret_changed", "")])

    def test_the_page_of_an_invalid_form_keeps_the_stored_name_in_its_title(self, client, subscription):
        response = client.post(address_of(subscription, "edit"), posted(name="Typed", url="nonsense"))
        assert "<h1>Edit Work Orders</h1>" in response.content.decode()
        assert 'value="Typed"' in response.content.decode()
