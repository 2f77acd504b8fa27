"""The optional columns of the log table, and a person's choice of them. State and object are always shown."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

COLUMNS_COOKIE = "columns"
LIST_COLUMNS = {
    "age": _("Age"),
    "event": _("Event"),
    "subscription": _("Subscription"),
    "status": _("Status"),
    "cause": _("Cause and response"),
    "attempts": _("Attempts"),
    "took": _("Duration"),
    "id": _("Log id"),
}
DEFAULT_COLUMNS = ("age", "event", "subscription", "status", "cause", "attempts")


def chosen_columns(cookie: str | None) -> tuple[str, ...]:
    """In the order of `LIST_COLUMNS`. Unknown names are dropped: the cookie may come from another version."""
    return DEFAULT_COLUMNS if not cookie else known_columns(cookie.split("."))


def known_columns(names: Iterable[str]) -> tuple[str, ...]:
    chosen = set(names)
    return tuple(name for name in LIST_COLUMNS if name in chosen)


def columns_cookie(columns: Iterable[str]) -> str:
    return ".".join(columns) or "none"
