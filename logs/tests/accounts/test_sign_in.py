"""Signing in: how often it can fail, client addresses, the audit log, and changing the own password."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from cotadmin.client_address import client_address, network_of
from logs.accounts.sign_in_throttle import MAX_ACCOUNT_ATTEMPTS, MAX_ADDRESS_ATTEMPTS
from logs.models import AuditEntry, SignInAttempts

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in/"
PASSWORD = "plum-kite-harbour-9"


@pytest.fixture
def ana(db):
    return get_user_model().objects.create_user("ana", password=PASSWORD)


def sign_in(client, name: str, password: str, address: str = "192.0.2.1", **headers):
    return client.post(SIGN_IN, {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers)


def fail(client, name: str, times: int, address: str = "192.0.2.1") -> list[int]:
    return [sign_in(client, name, f"wrong {number}", address).status_code for number in range(times)]


def a_quarter_of_an_hour_later() -> None:
    SignInAttempts.objects.update(since=F("since") - timedelta(minutes=15, seconds=1))


def test_after_ten_failed_sign_ins_an_account_refuses_even_the_right_password(client, ana):
    assert [sign_in(client, "ana", "wrong", f"192.0.2.{n}").status_code for n in range(MAX_ACCOUNT_ATTEMPTS)] == [
        200
    ] * 10
    answer = sign_in(client, "ana", PASSWORD, "198.51.100.7")
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 900) == (429, True)
    assert "Too many attempts. Try again in 15 minutes." in answer.content.decode()
    assert "_auth_user_id" not in client.session
    a_quarter_of_an_hour_later()
    assert sign_in(client, "ana", PASSWORD).status_code == 302


def test_an_ip_address_has_fifty_failed_sign_ins_for_any_names(client, ana):
    assert [sign_in(client, f"nobody {n}", "x").status_code for n in range(MAX_ADDRESS_ATTEMPTS)] == [200] * 50
    assert sign_in(client, "ana", PASSWORD).status_code == 429
    assert sign_in(client, "ana", PASSWORD, "198.51.100.7").status_code == 302


def test_the_response_does_not_reveal_which_accounts_exist(client, ana):
    pages = {}
    for name in ("ana", "eve"):
        answers = [sign_in(client, name, "wrong", f"192.0.2.{n}") for n in range(MAX_ACCOUNT_ATTEMPTS + 1)]
        pages[name] = [(answer.status_code, answer.content.decode().count('role="alert"')) for answer in answers]
    assert pages["ana"] == pages["eve"]


def test_a_successful_sign_in_resets_the_count_of_the_account(client, ana):
    fail(client, "ana", MAX_ACCOUNT_ATTEMPTS - 1)
    assert sign_in(client, "ana", PASSWORD).status_code == 302
    assert sign_in(Client(), "ana", "wrong").status_code == 200
    assert sorted(SignInAttempts.objects.values_list("attempts", flat=True)) == [1, MAX_ACCOUNT_ATTEMPTS]


@pytest.mark.django_db(transaction=True)
def test_concurrent_sign_ins_are_counted_one_by_one():
    passed = []
    barrier = threading.Barrier(30, timeout=60)

    def attempt() -> None:
        barrier.wait()
        passed.append(SignInAttempts.count_attempt("a" * 64)[0])
        connection.close()

    threads = [threading.Thread(target=attempt) for _n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(passed) == list(range(1, 31))


def test_the_admin_site_has_the_same_sign_in_page(client, ana):
    answer = client.get("/admin/login/?next=/admin/logs/")
    assert answer["Location"] == "/sign-in/?next=/admin/logs/"
    answer = client.post("/admin/login/", {"username": "ana", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/admin/")
    assert "_auth_user_id" not in client.session


def test_users_who_may_not_enter_the_admin_site_see_a_message(client, ana):
    client.force_login(ana)
    answer = client.get("/admin/", follow=True)
    assert (answer.status_code, "You don’t have access" in answer.content.decode()) == (403, True)


def test_staff_sign_in_on_the_page_of_the_site(client, admin_user):
    answer = client.get("/admin/", follow=True)
    [(_first, _status), (address, _last)] = answer.redirect_chain
    answer = client.post(address, {"username": "admin", "password": "password", "next": "/admin/"}, follow=True)
    assert answer.request["PATH_INFO"] == "/admin/"


# The audit log


def test_failed_sign_ins_are_recorded_without_the_typed_text(client, ana):
    sign_in(client, "ana", "my secret word")
    sign_in(client, "my other secret", "x", "2001:db8::7")
    fail(client, "ana", MAX_ACCOUNT_ATTEMPTS + 3)
    entries = list(AuditEntry.objects.order_by("id").values_list("action", "actor", "detail"))
    assert entries[:2] == [
        ("sign_in_failed", None, "“ana”, from 192.0.2.1"),
        ("sign_in_failed", None, "no account, from 2001:db8::7"),
    ]
    assert [action for action, _actor, _detail in entries].count("sign_in_blocked") == 1
    assert len(entries) == MAX_ACCOUNT_ATTEMPTS + 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT array_agg(key)::text FROM logs_signinattempts")
        assert "secret" not in cursor.fetchone()[0] + str(entries)


# Client addresses


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),
        (2, "10.9.9.9, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "nonsense", "192.0.2.1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "2001:db8::7", "2001:db8::7"),
    ],
)
def test_only_the_configured_proxies_are_trusted(settings, rf, proxies, forwarded, address):
    settings.PROXIES = proxies
    assert client_address(rf.get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})) == address


def test_without_a_proxy_the_address_cannot_be_forged(client, ana):
    for number in range(MAX_ADDRESS_ATTEMPTS):
        sign_in(client, f"nobody {number}", "x", **{"X-Forwarded-For": f"203.0.113.{number}"})
    assert sign_in(client, "ana", PASSWORD, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 429


def test_an_ipv6_network_counts_as_one_client():
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert network_of("192.0.2.1") == "192.0.2.1"


# The own password


def change(client, old: str, new: str):
    return client.post(reverse("password_change"), {"old_password": old, "new_password1": new, "new_password2": new})


def test_changing_the_own_password_ends_other_sessions(client, ana):
    other = Client()
    for browser in (client, other):
        browser.force_login(ana)
    assert '<a href="/password/"' in client.get("/preferences/").content.decode()
    answer = change(client, PASSWORD, "oak-ferry-lantern-4")
    assert answer["Location"] == "/preferences/"
    assert "Your password was changed." in client.get("/preferences/").content.decode()
    assert other.get("/preferences/").status_code == 302
    ana.refresh_from_db()
    assert ana.check_password("oak-ferry-lantern-4")
    assert list(AuditEntry.objects.values_list("action", "actor")) == [("password_changed", ana.pk)]


@pytest.mark.parametrize(
    ("old", "new", "said"), [("wrong", "oak-ferry-lantern-4", "old password"), (PASSWORD, "123", "too short")]
)
def test_an_invalid_form_does_not_change_the_password(client, ana, old, new, said):
    client.force_login(ana)
    answer = change(client, old, new)
    assert (answer.status_code, said in answer.content.decode()) == (422, True)
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_an_open_session_cannot_be_used_to_guess_the_password(client, ana):
    client.force_login(ana)
    for number in range(MAX_ACCOUNT_ATTEMPTS):
        change(client, f"wrong {number}", "oak-ferry-lantern-4")
    assert "Too many attempts" in change(client, PASSWORD, "oak-ferry-lantern-4").content.decode()
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)
