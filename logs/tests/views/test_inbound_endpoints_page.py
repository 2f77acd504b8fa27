"""The page of the inbound endpoints: creating, revoking, and unmatched events."""

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.ingest import credentials
from logs.models import AuditAction, AuditEntry, InboundEndpoint, UnmatchedCount

from ..events import as_bytes, make_endpoint, make_event, post
from ..factories import COMPANY, OTHER_COMPANY, make_company

ADDRESS = "/inbound-endpoints/"
pytestmark = pytest.mark.django_db


def page(client) -> str:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_endpoint_is_created_and_its_url_shown_once(client, administrator):
    answer = client.post(ADDRESS, {"name": "Cotalker"}, follow=True)
    endpoint = InboundEndpoint.objects.get()
    shown = answer.content.decode()
    url = shown.split('data-copy="')[1].split('"')[0]
    assert answer.redirect_chain == [(ADDRESS, 302)]
    assert url.startswith("http://testserver/webhooks/in/")
    assert (endpoint.name, endpoint.company_id, endpoint.created_by) == ("Cotalker", COMPANY, administrator)
    assert url.endswith(endpoint.hint)
    assert url not in page(client)
    assert post(client, url.removeprefix("http://testserver"), as_bytes(make_event())).status_code == 202


def test_the_session_keeps_the_secret_encrypted_until_it_is_shown(client, administrator):
    client.post(ADDRESS, {"name": "Cotalker"})
    kept = str(dict(client.session))
    assert "endpoint_once" in kept
    assert "/in/" not in kept
    page(client)
    assert "endpoint_once" not in client.session


def test_the_page_with_the_url_is_not_cached(client, administrator):
    assert "no-store" in client.post(ADDRESS, {"name": "Cotalker"}, follow=True)["Cache-Control"]


def test_creating_and_revoking_are_audited(client, administrator):
    client.post(ADDRESS, {"name": "Cotalker"})
    client.post(f"{ADDRESS}{InboundEndpoint.objects.get().pk}/revoke/")
    entries = AuditEntry.objects.order_by("id").values_list("action", "target", "actor", "detail")
    assert list(entries) == [
        (AuditAction.ENDPOINT_CREATED, COMPANY, administrator.pk, "Cotalker"),
        (AuditAction.ENDPOINT_REVOKED, COMPANY, administrator.pk, "Cotalker"),
    ]


def test_a_revoked_endpoint_accepts_nothing_and_shows_since_when(client, administrator):
    address = make_endpoint()
    answer = client.post(f"{ADDRESS}{InboundEndpoint.objects.get().pk}/revoke/", follow=True)
    assert "The inbound endpoint “Cotalker” is revoked." in answer.content.decode()
    assert "Revoked" in page(client)
    assert "/revoke/" not in page(client)
    assert post(client, address, as_bytes(make_event())).status_code == 404


def test_a_second_revocation_changes_nothing(client, administrator):
    make_endpoint()
    for _time in range(2):
        answer = client.post(f"{ADDRESS}{InboundEndpoint.objects.get().pk}/revoke/", follow=True)
    assert "was already revoked" in answer.content.decode()
    assert AuditEntry.objects.filter(action=AuditAction.ENDPOINT_REVOKED).count() == 1


def test_an_endpoint_needs_a_name(client, administrator):
    answer = client.post(ADDRESS, {"name": " "})
    assert answer.status_code == 422
    assert 'href="#id_name"' in answer.content.decode()
    assert not InboundEndpoint.objects.exists()


def test_a_user_of_several_companies_chooses_one_of_them(client, administrator):
    second = make_company(OTHER_COMPANY, "Second")
    third = make_company("625be93a286ef83c1c0e0001", "Third")
    second.users.add(administrator)
    assert "Second" in page(client)
    assert "Third" not in page(client)
    assert client.post(ADDRESS, {"name": "A"}).status_code == 422
    assert client.post(ADDRESS, {"name": "A", "company": third.pk}).status_code == 422
    assert client.post(ADDRESS, {"name": "A", "company": second.pk}).status_code == 302
    assert InboundEndpoint.objects.get().company == second


def test_endpoints_of_other_companies_are_neither_seen_nor_revoked(client, administrator):
    make_endpoint(make_company(OTHER_COMPANY, "Other"), name="Theirs")
    assert "Theirs" not in page(client)
    assert client.post(f"{ADDRESS}{InboundEndpoint.objects.get().pk}/revoke/").status_code == 404
    assert not InboundEndpoint.objects.get().is_revoked


def test_an_operator_does_not_see_the_endpoints(client, member):
    client.force_login(member("Operator"))
    assert client.get(ADDRESS).status_code == 403
    assert ADDRESS not in client.get("/subscriptions/").content.decode()


def test_a_user_who_may_only_view_cannot_create_one(client, django_user_model):
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("looker")
    user.user_permissions.add(Permission.objects.get(codename="view_inboundendpoint"))
    make_company().users.add(user)
    make_endpoint()
    client.force_login(user)
    assert "door-form" not in page(client)
    assert "/revoke/" not in page(client)
    assert client.post(ADDRESS, {"name": "A"}).status_code == 403
    assert client.post(f"{ADDRESS}{InboundEndpoint.objects.get().pk}/revoke/").status_code == 403


def test_a_name_is_escaped(client, administrator):
    make_endpoint(name="<script>alert(1)</script>")
    assert "<script>alert" not in page(client)
    assert "&lt;script&gt;alert" in page(client)


def test_an_empty_page_explains_what_to_do(client, administrator):
    assert "No inbound endpoints yet" in page(client)
    assert "There were none." in page(client)


def test_without_a_company_there_is_no_form(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root"))
    assert "An inbound endpoint belongs to a company." in page(client)
    assert "door-form" not in page(client)
    assert client.post(ADDRESS, {"name": "A"}).status_code == 422


def test_unmatched_events_of_the_last_seven_days_are_summed(client, administrator):
    today = timezone.now().date()
    for days, number in ((0, 1200), (6, 34), (7, 100_000)):
        UnmatchedCount.objects.create(
            company_id=COMPANY, day=today - timedelta(days=days), event_type="COTNote", action="edit", count=number
        )
    theirs = make_company(OTHER_COMPANY, "Other")
    UnmatchedCount.objects.create(company=theirs, day=today, event_type="COTSecret", action="edit", count=1)
    shown = page(client)
    assert "COTNote" in shown
    assert "1,234" in shown
    assert "COTSecret" not in shown


def test_the_list_of_subscriptions_links_the_page(client, administrator):
    assert f'href="{ADDRESS}"' in client.get("/subscriptions/").content.decode()


def test_its_last_use_is_shown(client, administrator):
    address = make_endpoint()
    assert "never" in page(client)
    post(client, address, as_bytes(make_event()))
    assert "never" not in page(client)


def test_endpoints_in_the_admin_site_can_only_be_viewed_and_revoked(client, django_user_model):
    client.force_login(django_user_model.objects.create_superuser("root"))
    make_endpoint()
    endpoint = InboundEndpoint.objects.get()
    assert client.get("/admin/logs/inboundendpoint/add/").status_code == 403
    assert client.get(f"/admin/logs/inboundendpoint/{endpoint.pk}/change/").status_code == 200
    client.post("/admin/logs/inboundendpoint/", {"action": "revoke_selected", "_selected_action": [endpoint.pk]})
    assert InboundEndpoint.objects.get().is_revoked
    assert not credentials.revoke_credential(endpoint, by=None)
