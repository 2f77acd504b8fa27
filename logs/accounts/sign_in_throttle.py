"""The sign-in throttle: a limit of attempts per account and per address, then rejections (docs/adr/0022).

It is an authentication backend, so it throttles everything that signs people in by name and password, such as allauth.
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

from ..models import AuditAction, AuditEntry, SignInAttempts

MAX_ACCOUNT_ATTEMPTS = 10
MAX_ADDRESS_ATTEMPTS = 50  # many people may share one address


class SignInThrottle:
    """Rejects the attempt or lets it pass; the backends after it decide who may sign in."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **credentials: Any) -> None:
        if request is None or not username:
            return
        address = network_of(client_address(request))
        account_key, address_key = _key("account", username.casefold()), _key("address", address)
        by_account, by_address = SignInAttempts.count_attempt(account_key), SignInAttempts.count_attempt(address_key)
        exceeded = [
            (attempts - limit, seconds)
            for (attempts, seconds), limit in ((by_account, MAX_ACCOUNT_ATTEMPTS), (by_address, MAX_ADDRESS_ATTEMPTS))
            if attempts > limit
        ]
        if exceeded:
            # One audit entry, not another for each attempt that follows.
            if any(excess == 1 for excess, _seconds in exceeded):
                _record(request, AuditAction.SIGN_IN_BLOCKED, username)
            request.sign_in_wait = max(seconds for _excess, seconds in exceeded)  # type: ignore[attr-defined]
            raise PermissionDenied
        request.sign_in_keys = (account_key, address_key)  # type: ignore[attr-defined]


def seconds_to_wait(request: HttpRequest) -> int:
    """Seconds until the next attempt is allowed; 0 if the throttle did not reject this one."""
    return getattr(request, "sign_in_wait", 0)


def forget_attempt(request: HttpRequest) -> None:
    """The password was right: the attempt no longer counts."""
    if keys := getattr(request, "sign_in_keys", None):
        SignInAttempts.reset(*keys)


@receiver(user_logged_in)
def _note_success(request: HttpRequest, **_more: Any) -> None:
    forget_attempt(request)


@receiver(user_login_failed)
def _note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:
    if request is None or seconds_to_wait(request):
        return
    SignInAttempts.purge()
    _record(request, AuditAction.SIGN_IN_FAILED, credentials.get(get_user_model().USERNAME_FIELD, ""))


def _record(request: HttpRequest, action: AuditAction, typed: str) -> None:
    """Write an audit entry. A name without an account is not stored: people type their password there."""
    user = get_user_model().objects.filter(username=typed).first()
    named = f"“{user.get_username()}”" if user else "no account"
    AuditEntry.record(None, action, detail=f"{named}, from {client_address(request) or 'an unknown address'}")


def _key(kind: str, text: str) -> str:
    return salted_hmac(f"cotadmin.sign_in.{kind}", text, algorithm="sha256").hexdigest()
