"""API tokens: created on the command line and in the admin site, shown once, revoked."""

import io
import re

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from logs.models import ApiToken, AuditAction, AuditEntry

from ..events import as_bytes, make_event, make_token, post
from ..factories import COMPANY, OTHER_COMPANY, make_company, make_subscription

ADMIN = "/admin/logs/apitoken/"
TOKEN = re.compile(r"cot_[A-Za-z0-9_-]{43}")
pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_api_token", *arguments, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def staff(client, member):
    user = member("Administrator")
    user.is_staff = True
    user.save()
    client.force_login(user)
    return user


def test_the_command_prints_a_working_token(client):
    make_subscription()
    token = create("ERP bridge", "--company", COMPANY.upper())
    stored = ApiToken.objects.get()
    assert TOKEN.fullmatch(token)
    assert (stored.name, stored.hint, stored.created_by) == ("ERP bridge", token[-4:], None)
    assert token not in str(ApiToken.objects.values_list().get())
    assert post(client, "/api/v3/events", as_bytes(make_event()), token).status_code == 202


def test_a_token_can_be_for_several_companies():
    make_company()
    make_company(OTHER_COMPANY, "Other")
    create("Both", "--company", COMPANY, "--company", OTHER_COMPANY)
    assert {company.pk for company in ApiToken.objects.get().companies.all()} == {COMPANY, OTHER_COMPANY}
    audit_entries = AuditEntry.objects.filter(action=AuditAction.TOKEN_CREATED, detail="Both")
    assert {entry.target for entry in audit_entries} == {COMPANY, OTHER_COMPANY}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["A", "--company", OTHER_COMPANY], f"Unknown company: {OTHER_COMPANY}"),
        (["A"], "--company"),
        ([" ", "--company", COMPANY], "The name must have"),
        (["A" * 101, "--company", COMPANY], "The name must have"),
    ],
)
def test_an_invalid_command_creates_no_token(arguments, reason):
    make_company()
    with pytest.raises(CommandError, match=reason):
        create(*arguments)
    assert not ApiToken.objects.exists()


def test_the_admin_site_shows_a_token_once(client, staff):
    answer = client.post(f"{ADMIN}add/", {"name": "Script", "companies": [COMPANY]}, follow=True)
    [token] = set(TOKEN.findall(answer.content.decode()))
    stored = ApiToken.objects.get()
    assert (stored.name, stored.created_by) == ("Script", staff)
    assert [company.pk for company in stored.companies.all()] == [COMPANY]
    assert AuditEntry.objects.get(action=AuditAction.TOKEN_CREATED).actor == staff
    assert not TOKEN.search(client.get(f"{ADMIN}{stored.pk}/change/").content.decode())
    assert post(client, "/api/v3/events", as_bytes(make_event()), token).status_code == 202


def test_staff_can_choose_only_their_own_companies(client, staff):
    make_company(OTHER_COMPANY, "Other")
    assert "Other" not in client.get(f"{ADMIN}add/").content.decode()
    client.post(f"{ADMIN}add/", {"name": "Script", "companies": [OTHER_COMPANY]})
    assert not ApiToken.objects.exists()


def test_only_the_name_of_a_stored_token_can_be_changed(client, staff):
    other = make_company(OTHER_COMPANY, "Other")
    other.users.add(staff)
    make_token(name="Old")
    token = ApiToken.objects.get()
    client.post(f"{ADMIN}{token.pk}/change/", {"name": "New", "companies": [OTHER_COMPANY], "secret_hash": "0" * 64})
    changed = ApiToken.objects.get()
    assert (changed.name, changed.secret_hash) == ("New", token.secret_hash)
    assert [company.pk for company in changed.companies.all()] == [COMPANY]


def test_a_token_is_revoked_and_never_deleted(client, staff):
    text = make_token()
    token = ApiToken.objects.get()
    client.post(ADMIN, {"action": "revoke_selected", "_selected_action": [token.pk]})
    assert ApiToken.objects.get().is_revoked
    assert AuditEntry.objects.get(action=AuditAction.TOKEN_REVOKED).actor == staff
    assert post(client, "/api/v3/events", as_bytes(make_event()), text).status_code == 401
    assert client.post(f"{ADMIN}{token.pk}/delete/", {"post": "yes"}).status_code == 403


def test_staff_cannot_manage_a_token_of_other_companies_too(client, staff):
    other = make_company(OTHER_COMPANY, "Other")
    make_token(make_company(), other, name="Shared token")
    make_token(other, name="Their token")
    make_token(name="Own token")
    shown = client.get(ADMIN).content.decode()
    assert "Own token" in shown
    assert "Shared token" not in shown
    assert "Their token" not in shown
    everything = {"action": "revoke_selected", "_selected_action": [token.pk for token in ApiToken.objects.all()]}
    client.post(ADMIN, everything)
    assert [token.name for token in ApiToken.objects.exclude(revoked_at=None)] == ["Own token"]


def test_an_operator_on_the_staff_cannot_manage_tokens(client, staff):
    staff.groups.set([Group.objects.get(name="Operator")])
    make_token()
    assert client.get(ADMIN).status_code == 403
    assert client.get(f"{ADMIN}add/").status_code == 403


def test_staff_see_only_audit_entries_of_their_companies(client, staff):
    make_token(name="Own token")
    make_token(make_company(OTHER_COMPANY, "Other"), name="Their token")
    shown = client.get("/admin/logs/auditentry/").content.decode()
    assert "Own token" in shown
    assert "Their token" not in shown
