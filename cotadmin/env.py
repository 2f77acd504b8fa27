"""Reads the environment. An invalid value is an error that names its variable; it never falls back to the default."""

from __future__ import annotations

import zoneinfo

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")


def boolean(name: str, default: bool) -> bool:
    text = env(name, default="1" if default else "0").strip().lower()
    if text not in _YES + _NO:
        raise ImproperlyConfigured(f"{name}={text!r} must be yes (1, true) or no (0, false).")
    return text in _YES


def decimal(name: str, default: float) -> float:
    """A number above zero."""
    text = env(name, default=str(default))
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise ImproperlyConfigured(f"{name}={text!r} is not a number above zero.")
    return value


def whole_number(name: str, default: int) -> int:
    """A whole number above zero."""
    value = decimal(name, default)
    if value != int(value):
        raise ImproperlyConfigured(f"{name}={value} is not a whole number.")
    return int(value)


def choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    text = env(name, default=default)
    if text not in choices:
        raise ImproperlyConfigured(f"{name}={text!r} must be one of {', '.join(choices)}.")
    return text


def time_zone(name: str, default: str) -> str:
    zone = env(name, default=default)
    if zone not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(f"{name}={zone!r} is not a time zone such as America/Santiago.")
    return zone


def encryption_keys(name: str) -> list[str]:
    """Fernet keys; the first one encrypts. [] if the variable is not set."""
    keys = env.list(name, default=[])
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{name} contains an invalid Fernet key: it must be 32 bytes in URL-safe base64."
            ) from error
    return keys
