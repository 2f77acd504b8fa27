"""The destination check on the page and in the form of a subscription, with the name resolved."""

import socket
import threading

import pytest
from django.urls import reverse

from logs.delivery import url_check
from logs.delivery.url_check import CheckResult, check_destination, resolve_host
from logs.models import Subscription

from ..factories import COMPANY, make_company, make_subscription

URL = "https://receiver.example:8443/hook"
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


@pytest.fixture
def resolve_to(monkeypatch):
    """`resolve_to(PUBLIC, …)`: every name leads to these addresses; to none of them, it is not found."""

    def answer(*addresses: str) -> None:
        def getaddrinfo(host, port, *_args, **_kwargs):
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return answer


def end_lookups() -> None:
    for thread in threading.enumerate():
        if thread.name == "verdict":
            thread.join()


@pytest.fixture
def hanging_name_server(monkeypatch):
    """Answers only after the test; nothing may wait for it for long."""
    release = threading.Event()
    monkeypatch.setattr(url_check, "LOOKUP_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(url_check, "_places", threading.BoundedSemaphore(2))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: release.wait(30) and [])
    yield
    release.set()
    end_lookups()


@pytest.mark.parametrize(
    ("addresses", "allowed", "answer"),
    [
        ([PUBLIC], [], CheckResult.ALLOWED),
        ([PRIVATE], [], CheckResult.REFUSED),
        ([PUBLIC, PRIVATE], [], CheckResult.REFUSED),
        ([PRIVATE], ["10.0.0.0/8"], CheckResult.ALLOWED),
        ([PRIVATE], ["10.0.0.0/8:8443"], CheckResult.ALLOWED),
        ([PRIVATE], ["10.0.0.0/8:443"], CheckResult.REFUSED),
        (["169.254.169.254"], ["169.254.0.0/16"], CheckResult.REFUSED),
        ([], [], CheckResult.NO_SUCH_NAME),
    ],
)
def test_the_name_is_resolved_and_every_address_checked(resolve_to, settings, addresses, allowed, answer):
    settings.DELIVERY_ALLOWED_NETWORKS = allowed
    resolve_to(*addresses)
    check = check_destination(URL)
    assert (check.answer, list(check.addresses)) == (answer, addresses)


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("ftp://receiver.example/", CheckResult.REFUSED),
        ("https://169.254.169.254/", CheckResult.REFUSED),
        ("https://127.1/", CheckResult.REFUSED),
        ("https://" + "a" * 64 + ".example/", CheckResult.REFUSED),
        (f"https://{PUBLIC}/", CheckResult.ALLOWED),
    ],
)
def test_some_urls_need_no_name_server(settings, url, answer):
    settings.DELIVERY_ALLOWED_NETWORKS = []
    assert check_destination(url).answer == answer


def test_the_check_does_not_wait_for_a_name_server_that_hangs(hanging_name_server):
    assert [check_destination(URL).answer for _time in range(3)] == [CheckResult.TOO_SLOW] * 3
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("verdict") == 2  # the third did not even begin


def test_each_lookup_frees_its_slot_again(resolve_to, monkeypatch):
    monkeypatch.setattr(url_check, "_places", threading.BoundedSemaphore(1))
    for addresses in ([PUBLIC], []) * 3:
        resolve_to(*addresses)
        try:
            assert resolve_host("receiver.example", 443) == tuple(addresses)
        except OSError as error:
            assert not addresses and not isinstance(error, TimeoutError)
    end_lookups()


@pytest.mark.django_db
class TestPage:
    @pytest.fixture
    def ask(self, client, member, resolve_to):
        def ask(role: str, *addresses: str, htmx: bool = True) -> str:
            subscription = Subscription.objects.first() or make_subscription(url=URL)
            client.force_login(member(role))
            resolve_to(*addresses)
            address = reverse("logs:subscription_url_check", args=[subscription.pk])
            answer = client.get(address, headers={"hx-request": "true"} if htmx else {})
            assert answer["Cache-Control"] == "no-store"
            return answer.content.decode()

        return ask

    def test_an_allowed_url_is_shown_with_its_addresses(self, ask):
        answer = ask("Viewer", PUBLIC)
        assert "Allowed" in answer and PUBLIC in answer
        assert "<html" not in answer

    def test_without_javascript_it_is_a_page(self, ask):
        assert "<html" in ask("Viewer", PUBLIC, htmx=False)

    def test_it_says_that_a_name_does_not_resolve(self, ask):
        assert "The host name does not resolve." in ask("Viewer")

    def test_only_administrators_see_a_private_address(self, ask, settings):
        settings.DELIVERY_ALLOWED_NETWORKS = []
        assert PRIVATE in ask("Administrator", PRIVATE)
        for role in ("Operator", "Viewer"):
            answer = ask(role, PUBLIC, PRIVATE)
            assert "not public" in answer and PRIVATE not in answer

    def test_only_administrators_see_an_allowed_private_address(self, ask, settings):
        settings.DELIVERY_ALLOWED_NETWORKS = ["10.0.0.0/8"]
        assert PRIVATE in ask("Administrator", PRIVATE)
        answer = ask("Viewer", PRIVATE)
        assert "private network that is open" in answer and PRIVATE not in answer

    def test_it_says_that_a_name_server_hangs(self, client, member, hanging_name_server):
        subscription = make_subscription(url=URL)
        client.force_login(member("Viewer"))
        answer = client.get(reverse("logs:subscription_url_check", args=[subscription.pk]))
        assert "took too long" in answer.content.decode()

    def test_the_subscription_page_loads_the_check_and_resolves_nothing_itself(self, client, member, monkeypatch):
        subscription = make_subscription(url=URL)
        client.force_login(member("Viewer"))
        monkeypatch.setattr(socket, "getaddrinfo", None)
        page = client.get(subscription.get_absolute_url()).content.decode()
        address = reverse("logs:subscription_url_check", args=[subscription.pk])
        assert f'hx-get="{address}" hx-trigger="load"' in page
        assert f'<a href="{address}">' in page

    def test_without_a_url_there_is_no_check(self, client, member):
        subscription = make_subscription(url="")
        client.force_login(member("Viewer"))
        address = reverse("logs:subscription_url_check", args=[subscription.pk])
        assert address not in client.get(subscription.get_absolute_url()).content.decode()
        assert client.get(address).status_code == 200


@pytest.mark.django_db
class TestForm:
    @pytest.fixture
    def create(self, client, member):
        client.force_login(member("Administrator", make_company(COMPANY)))
        data = {"name": "ERP", "url": URL, "trigger": "logout-user", "secret_choice": "none"}
        data["pause_on_exhausted"] = "False"
        return lambda: client.post(reverse("logs:subscription_create"), data, follow=True)

    def test_a_name_that_resolves_to_a_private_address_is_refused(self, create, resolve_to):
        resolve_to(PUBLIC, PRIVATE)
        answer = create()
        assert answer.status_code == 422
        assert f"Deliveries to this URL would be blocked: {PRIVATE} is not a public address" in answer.content.decode()
        assert not Subscription.objects.exists()

    def test_a_name_server_that_hangs_is_only_a_warning(self, create, hanging_name_server):
        assert "does not resolve right now" in create().content.decode()
        assert Subscription.objects.get().url == URL
