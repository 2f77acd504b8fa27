"""The way back to the page on which somebody pressed a button.

A region of a page, alone for htmx and within its page for everybody else.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails


def back_url(request: HttpRequest) -> str:
    """The address that the form or the link has told as `next`; "" where it tells none, or one that leads elsewhere."""
    address = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    is_path = address.startswith("/")  # another text, redirect() takes for the name of a view
    return address if is_ours and is_path else ""


# The ids of what shows lanes: one of them on the page of its subscription, and all.
QUEUE_REGIONS = ("lane", "lanes")


def wants_partial(request: HttpRequest) -> bool:
    """An answer that the browser may restore from its history must be a whole page."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
    return bool(htmx) and not htmx.history_restore_request


def target_id(request: HttpRequest) -> str:
    """The id of the element that the answer will replace, "" where htmx does not say."""
    return request.htmx.target or ""  # type: ignore[attr-defined]


def current_path(request: HttpRequest) -> str:
    """The path of the page that asked, "" where htmx does not say."""
    return (request.htmx.current_url_abs_path or "").partition("?")[0]  # type: ignore[attr-defined]


def render_region(
    request: HttpRequest, template: str, partial: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return render_part(request, partial if wants_partial(request) else template, context, status)


def render_part(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """What a page and a part of it have the same address for: no browser may take one for the other when it goes back."""
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response
