"""Pages that search, of which one person may have two at once. A search without a place looks only for a moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ..search_places import take_place

RETRY_SECONDS = 5


def searches(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view gets `has_place`. To look further is refused without one, since that is to look for long."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        is_further = "further" in request.GET
        if not is_further and not request.GET.get("q", "").strip():
            return view(request, *args, **kwargs)
        with transaction.atomic():
            has_place = take_place(request.user.pk)  # type: ignore[arg-type]  # signed in
            if is_further and not has_place:
                return _too_many(request)
            return view(request, *args, has_place=has_place, **kwargs)

    return wrapper


def _too_many(request: HttpRequest) -> HttpResponse:
    answer = render(request, "429.html", status=429)
    answer["Retry-After"] = str(RETRY_SECONDS)
    answer["Cache-Control"] = "no-store"
    return answer
