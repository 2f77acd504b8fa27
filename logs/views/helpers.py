"""What views share: the way back, the message of an action, the missing worker, and a region alone or within its page.

A region may refresh itself once what it shows is stale.
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from ..models.worker import OFFLINE_AFTER, Worker
from ..stats.live_state import live_state


def back_url(request: HttpRequest) -> str:
    """Return the URL that the form or link passed as `next`; "" if there is none, or if it leads to another site."""
    address = request.POST.get("next") or request.GET.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    is_path = address.startswith("/")  # redirect() would read other text as a view name
    return address if is_ours and is_path else ""


def show_outcome(request: HttpRequest, has_changed: bool, done: str, unchanged: str) -> None:
    """Say what an action did: `done`, or why it has changed nothing. `done` "": the page itself shows it."""
    if not has_changed:
        messages.info(request, unchanged)
    elif done:
        messages.success(request, done)


def worker_context() -> dict[str, Any]:
    """Whether a worker is missing, and for how long; for components/_worker_missing.html."""
    silence = Worker.silence()
    return {"silence": silence, "is_worker_missing": silence is None or silence > OFFLINE_AFTER}


def live_context(request: HttpRequest) -> dict[str, Any]:
    """For a page with a region that refreshes itself. Call it first: what changes while the page is built is then stale."""
    state = live_state(request.user)
    return {"live_counts": state.counts, "live_mark": state.mark}


# The ids of the regions that show queues: one queue on its subscription's page, and all queues.
QUEUE_REGIONS = ("queue", "queues")


def wants_partial(request: HttpRequest) -> bool:
    """Whether to render only the region. A response that the browser may restore from its history must be a whole page."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
    return bool(htmx) and not htmx.history_restore_request


def target_id(request: HttpRequest) -> str:
    """Return the id of the element that the response will replace; "" if htmx doesn't send it."""
    return request.htmx.target or ""  # type: ignore[attr-defined]


def current_path(request: HttpRequest) -> str:
    """Return the path of the page that sent the request; "" if htmx doesn't send it."""
    return (request.htmx.current_url_abs_path or "").partition("?")[0]  # type: ignore[attr-defined]


def render_region(
    request: HttpRequest, template: str, partial: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return render_part(request, partial if wants_partial(request) else template, context, status)


def render_part(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """Render a page or a part of it that share one URL. On Back, a browser must not show one instead of the other."""
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    response["Cache-Control"] = "no-store"
    return response
