"""The brake on signing in: so many tries for an account and from an address, then refusals (docs/adr/0022).

It is an authentication backend, so whatever signs people in by name and password is braked by it, as allauth would be.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from cotadmin.client_address import client_address, network_of

from ..models import AuditAction, AuditEntry, SignInTries

MAX_ACCOUNT_ATTEMPTS = 10
MAX_ADDRESS_ATTEMPTS = 50  # many people may have one address


class SignInThrottle:
    """Refuses or lets pass; who may come in is for the backends behind it to say."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **credentials: Any) -> None:
        if request is None or not username:
            return
        address = network_of(client_address(request))
        account_key, address_key = _key("account", username.casefold()), _key("address", address)
        account, address_of = SignInTries.count(account_key), SignInTries.count(address_key)
        over = [
            (tries - most, seconds)
            for (tries, seconds), most in ((account, MAX_ACCOUNT_ATTEMPTS), (address_of, MAX_ADDRESS_ATTEMPTS))
            if tries > most
        ]
        if over:
            if any(by == 1 for by, _seconds in over):  # on record once, not for each that follows
                _record(request, AuditAction.SIGN_IN_BLOCKED, username)
            request.sign_in_wait = max(seconds for _by, seconds in over)  # type: ignore[attr-defined]
            raise PermissionDenied
        request.sign_in_keys = (account_key, address_key)  # type: ignore[attr-defined]


def seconds_to_wait(request: HttpRequest) -> int:
    """Until somebody may try again; 0 where the brake did not refuse."""
    return getattr(request, "sign_in_wait", 0)


def forget_attempt(request: HttpRequest) -> None:
    """The password was right: the try counts no more."""
    if keys := getattr(request, "sign_in_keys", None):
        SignInTries.take_back(*keys)


@receiver(user_logged_in)
def _note_success(request: HttpRequest, **_more: Any) -> None:
    forget_attempt(request)


@receiver(user_login_failed)
def _note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:
    if request is None or seconds_to_wait(request):
        return
    SignInTries.forget_old()
    _record(request, AuditAction.SIGN_IN_FAILED, credentials.get(get_user_model().USERNAME_FIELD, ""))


def _record(request: HttpRequest, action: AuditAction, typed: str) -> None:
    """A name that no account has is not written down: people type their password there."""
    user = get_user_model().objects.filter(username=typed).first()
    named = f"“{user.get_username()}”" if user else "no account"
    AuditEntry.record(None, action, detail=f"{named}, from {client_address(request) or 'an unknown address'}")


def _key(kind: str, text: str) -> str:
    return salted_hmac(f"cotadmin.sign_in.{kind}", text, algorithm="sha256").hexdigest()
