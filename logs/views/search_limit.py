"""Limit how many searches one user runs at once, across all processes. Each search takes one of the user's two slots.

A slot is a PostgreSQL advisory lock. It ends with the transaction, so none is left behind however a process ends.

Pages that search: a user may have two at once. A search without a slot gets only a short time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

MAX_SEARCHES_PER_USER = 2
_KIND = 0x636F7401  # distinguishes these locks; one number per slot, from this one up


def take_search_slot(user_id: int) -> bool:
    """Take a slot until the transaction ends; False if all are taken."""
    with connection.cursor() as cursor:
        for number in range(MAX_SEARCHES_PER_USER):
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_KIND + number, user_id])
            if cursor.fetchone() == (True,):
                return True
    return False


RETRY_SECONDS = 5


def limits_searches(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Pass `has_place` to the view: whether it has a slot. "Keep searching" takes long, so it's refused without one."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        is_extended = "extend" in request.GET
        if not is_extended and not request.GET.get("q", "").strip():
            return view(request, *args, **kwargs)
        with transaction.atomic():
            has_place = take_search_slot(request.user.pk)  # type: ignore[arg-type]  # signed in
            if is_extended and not has_place:
                return _too_many(request)
            return view(request, *args, has_place=has_place, **kwargs)

    return wrapper


def _too_many(request: HttpRequest) -> HttpResponse:
    answer = render(request, "429.html", status=429)
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer
