"""Who may see which page: every URL for every role."""

import re

import pytest
from django.urls import NoReverseMatch, get_resolver, reverse

from ..factories import make_company, make_log, make_subscription

pytestmark = pytest.mark.django_db
OBJECT = "62742dd824c886d54e60f02b"
# For scripts, with a secret in the URL or in a header instead of a session.
SCRIPT_ENDPOINTS = ["event_receive", "event_receive_short", "event_create", "test_event_send"]
# For the receiver's team, with a share link.
LINKS = ["shared_log", "shared_payload"]
# For machines: figures that contain no data of a company.
PROBES = ["healthz", "readyz", "metrics"]


def addresses() -> list[str]:
    """Every URL for people, with the id of the sample's log if it takes one."""
    urls = []
    for pattern in get_resolver("logs.urls").url_patterns:
        if pattern.name in SCRIPT_ENDPOINTS + LINKS + PROBES:
            continue
        try:
            urls.append(reverse(f"logs:{pattern.name}"))
        except NoReverseMatch:
            kinds = re.findall(r"<(\w+):", str(pattern.pattern))
            urls.append(reverse(f"logs:{pattern.name}", args=[1 if kind == "int" else OBJECT for kind in kinds]))
    return urls


@pytest.mark.parametrize("address", addresses())
@pytest.mark.parametrize("method", ["get", "post"])
def test_every_page_needs_a_sign_in(client, address, method):
    response = getattr(client, method)(address)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize(("name", "status"), list(zip(SCRIPT_ENDPOINTS, [404, 404, 401, 401], strict=True)))
def test_endpoints_for_scripts_need_their_own_secret_despite_a_session(client, member, name, status):
    client.force_login(member("Administrator"))
    address = reverse(f"logs:{name}", args=[] if name == "event_create" else [OBJECT])
    assert client.post(address, b"{}", content_type="application/json").status_code == status
    assert client.get(address).status_code == 405


@pytest.mark.parametrize("address", addresses())
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_user_without_permissions_is_refused(client, django_user_model, address, method):
    client.force_login(django_user_model.objects.create_user("nobody"))
    assert getattr(client, method)(address).status_code in (403, 405)


@pytest.mark.parametrize("address", [address for address in addresses() if OBJECT in address])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_administrator_of_another_company_finds_nothing(client, member, address, method):
    make_subscription(pk=OBJECT)
    make_log(subscription=OBJECT)
    client.force_login(member("Administrator", make_company("625be93a286ef83c1c0e0000", "Other")))
    assert getattr(client, method)(address, {"expected_attempts": 3, "pointer": ""}).status_code in (404, 405)


def test_an_htmx_request_without_a_session_loads_the_whole_sign_in_page(client):
    response = client.get(
        reverse("logs:webhook_log_list"),
        headers={"hx-request": "true", "hx-current-url": "http://testserver/logs/?state=failed"},
    )
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=/logs/%3Fstate%3Dfailed"


def test_lists_show_only_rows_of_the_users_companies(client, member):
    make_subscription()
    log = make_log()
    client.force_login(member("Viewer", make_company("625be93a286ef83c1c0e0000", "Other")))
    for name in ("overview", "incident_list", "webhook_log_list", "subscription_list"):
        page = client.get(reverse(f"logs:{name}")).content.decode()
        assert log.pk not in page
        assert "Work Orders Update" not in page
