"""The signing secret of a subscription: creating, rotating, revealing; and what a receiver can verify meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.urls import reverse
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from logs import signing
from logs.models import AuditEntry, Subscription

from ..factories import make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
ADDRESS = "http://127.0.0.1:9000/hook"  # the tests' settings allow it
SECRET = "whsec_" + "QUJD" * 8


def make_signed(url: str = ADDRESS, **fields) -> Subscription:
    subscription = make_subscription(url=url, **fields)
    subscription.secret = SECRET
    subscription.save()
    return subscription


def rotate(client, subscription, after: str = "", **options):
    return client.post(reverse("logs:subscription_secret_rotate", args=[subscription.pk]), {"after": after}, **options)


def reveal(client, subscription, **options):
    return client.post(reverse("logs:subscription_secret_reveal", args=[subscription.pk]), **options)


def record() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("action", "detail"))


def verifies(secret: str, request) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers)
    except WebhookVerificationError:
        return False
    return True


class TestRotation:
    def test_a_new_secret_is_shown_once_and_the_current_one_stays_for_a_day(self, client, administrator):
        subscription = make_signed(queue_version=3)
        before = timezone.now()
        page = rotate(client, subscription, follow=True).content.decode()
        subscription.refresh_from_db()
        signing.validate_secret(subscription.secret)
        assert subscription.secret != SECRET
        assert f'data-copy="{subscription.secret}"' in page
        assert "yes, with two secrets" in page
        assert timedelta(0) <= subscription.previous_secret_until - before - timedelta(hours=24) < timedelta(minutes=1)
        assert subscription.queue_version == 4
        assert record() == [("secret_changed", "")]
        assert subscription.secret not in client.get(subscription.get_absolute_url()).content.decode()

    def test_the_first_secret_has_no_previous_one(self, client, administrator):
        subscription = make_subscription(url=ADDRESS)
        rotate(client, subscription)
        subscription.refresh_from_db()
        signing.validate_secret(subscription.secret)
        assert (subscription.encrypted_previous_secret, subscription.previous_secret_until) == ("", None)

    def test_a_double_click_keeps_the_secret_of_the_receiver(self, client, administrator):
        subscription = make_signed()
        rotate(client, subscription)
        subscription.refresh_from_db()
        created = subscription.encrypted_secret
        assert "was replaced in the meantime" in rotate(client, subscription, follow=True).content.decode()
        subscription.refresh_from_db()
        assert subscription.encrypted_secret == created
        assert record() == [("secret_changed", "")]

    def test_the_page_says_which_rotation_it_shows(self, client, administrator):
        subscription = make_signed()
        rotate(client, subscription)
        subscription.refresh_from_db()
        created, after = subscription.secret, subscription.secret_rotation
        assert f'name="after" value="{after}"' in client.get(subscription.get_absolute_url()).content.decode()
        rotate(client, subscription, after)
        subscription.refresh_from_db()
        assert subscription.secret != created

    def test_an_unreadable_secret_is_replaced_and_no_longer_signs(self, client, administrator, settings):
        subscription = make_signed()
        settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        page = client.get(subscription.get_absolute_url()).content.decode()
        assert "The secret cannot be read with the keys in FIELD_ENCRYPTION_KEYS" in page
        rotate(client, subscription)
        subscription.refresh_from_db()
        assert subscription.is_secret_readable
        assert subscription.encrypted_previous_secret == ""

    @pytest.mark.parametrize("role", ["Viewer", "Operator"])
    def test_it_needs_the_permission(self, client, member, role):
        client.force_login(member(role))
        subscription = make_signed()
        assert rotate(client, subscription).status_code == 403
        assert "Rotate…" not in client.get(subscription.get_absolute_url()).content.decode()
        assert Subscription.objects.get().secret == SECRET


class TestReveal:
    def test_a_revealed_secret_is_audited_and_not_cached(self, client, administrator):
        response = reveal(client, make_signed())
        assert response.status_code == 200
        assert f'data-copy="{SECRET}"' in response.content.decode()
        assert "no-store" in response["Cache-Control"]
        assert record() == [("secret_revealed", "")]
        assert AuditEntry.objects.get().actor == administrator

    def test_an_unreadable_secret_is_reported(self, client, administrator, settings):
        subscription = make_signed()
        settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        response = reveal(client, subscription, follow=True)
        assert response.status_code == 200
        assert "The signing secret can’t be read with the keys in FIELD_ENCRYPTION_KEYS." in response.content.decode()
        assert record() == []

    def test_a_subscription_without_a_secret_has_nothing_to_reveal(self, client, administrator):
        subscription = make_subscription(url=ADDRESS)
        assert "There is no signing secret." in reveal(client, subscription, follow=True).content.decode()
        assert record() == []

    @pytest.mark.parametrize("role", ["Viewer", "Operator"])
    def test_it_needs_the_permission(self, client, member, role):
        client.force_login(member(role))
        subscription = make_signed()
        response = reveal(client, subscription)
        assert (response.status_code, record()) == (403, [])
        assert SECRET not in response.content.decode()
        assert "Reveal" not in client.get(subscription.get_absolute_url()).content.decode()


class TestForm:
    def post(self, client, subscription, **changes):
        names = ["name", "url", "trigger", "is_active", "pause_on_exhausted"]
        data = {name: getattr(subscription, name) for name in names} | changes
        assert client.post(reverse("logs:subscription_edit", args=[subscription.pk]), data).status_code == 302
        subscription.refresh_from_db()

    @pytest.mark.parametrize("choice", ["generate", "own"])
    def test_a_replaced_secret_signs_for_another_day(self, client, administrator, settings, choice):
        subscription = make_signed()
        own = "whsec_" + "WFla" * 8
        self.post(client, subscription, secret_choice=choice, own_secret=own if choice == "own" else "")
        previous = subscription.encrypted_previous_secret
        assert signing.decrypt_secret(previous, settings.FIELD_ENCRYPTION_KEYS) == SECRET
        assert subscription.previous_secret_signs_until is not None
        assert (subscription.secret == own) == (choice == "own")
        assert subscription.queue_version == 1

    def test_removing_the_secret_removes_the_previous_one_too(self, client, administrator):
        subscription = make_signed()
        subscription.replace_secret(signing.generate_secret())
        subscription.save()
        self.post(client, subscription, secret_choice="none")
        assert (subscription.encrypted_secret, subscription.encrypted_previous_secret) == ("", "")
        assert subscription.previous_secret_until is None


@pytest.mark.django_db(transaction=True)
class TestAtTheReceiver:
    def test_both_secrets_verify_after_a_rotation(self, client, administrator, receiver, deliver):
        subscription = make_signed(receiver.url)
        make_waiting_log(subscription)
        rotate(client, subscription)
        deliver()
        subscription.refresh_from_db()
        [request] = receiver.requests
        assert len(request.headers["webhook-signature"].split(" ")) == 2
        assert verifies(SECRET, request)
        assert verifies(subscription.secret, request)

    def test_only_the_new_secret_verifies_after_a_day(self, client, administrator, receiver, deliver):
        subscription = make_signed(receiver.url)
        make_waiting_log(subscription)
        rotate(client, subscription)
        Subscription.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
        deliver()
        subscription.refresh_from_db()
        [request] = receiver.requests
        assert not verifies(SECRET, request)
        assert verifies(subscription.secret, request)
        assert subscription.previous_secret_signs_until is None

    def test_a_rotation_applies_to_events_already_read(self, client, administrator, receiver, deliver):
        subscription = make_signed(receiver.url)
        for number in range(2):
            make_waiting_log(subscription, number)
        receiver.on_arrival = lambda: rotate(client, subscription)
        deliver()
        subscription.refresh_from_db()
        assert [verifies(subscription.secret, request) for request in receiver.requests] == [False, True]
