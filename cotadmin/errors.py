"""What is answered where a page could not be made."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from logs.database import forget_idle_connections, is_unavailable

RETRY_SECONDS = 3


def server_error(request: HttpRequest) -> HttpResponse:
    """503 where the database does not answer, which passes; else 500. Django calls it while it handles the error."""
    error = sys.exc_info()[1]
    if error is None or not is_unavailable(error):
        return defaults.server_error(request)
    forget_idle_connections()
    headers = {"Retry-After": str(RETRY_SECONDS), "Cache-Control": "no-store"}
    return HttpResponse(render_to_string("503.html"), status=503, headers=headers)
