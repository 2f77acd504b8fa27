"""Error pages. Unlike Django's own, they never read the submitted form: it may be the very thing that can't be read."""

from __future__ import annotations

import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt, requires_csrf_token

from cotadmin.database import drop_idle_connections, is_unavailable

RETRY_SECONDS = 3


def _page(status: int) -> Callable[..., HttpResponse]:
    @requires_csrf_token  # reads the cookie, so that the forms in the page's layout work
    @csrf_exempt  # the request was already rejected
    def page(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        return render(request, f"{status}.html", status=status)

    return page


bad_request, permission_denied, page_not_found = _page(400), _page(403), _page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 if the database is unavailable, which is temporary; else 500. Django calls it while it handles the error."""
    error = sys.exc_info()[1]
    if error is None or not is_unavailable(error):
        return HttpResponse(render_to_string("500.html"), status=500)
    drop_idle_connections()
    headers = {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"}
    return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
