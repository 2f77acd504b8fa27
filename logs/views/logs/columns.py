"""Which columns the table of logs has: a matter of the browser, so a cookie keeps it."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ...logsearch.columns import COOKIE, as_cookie, known_columns
from ..helpers import came_from

YEAR = 365 * 24 * 3600


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def log_columns_update(request: HttpRequest) -> HttpResponse:
    answer = redirect(came_from(request) or "logs:webhook_log_list")
    if "reset" in request.POST:
        answer.delete_cookie(COOKIE)
    else:
        columns = as_cookie(known_columns(request.POST.getlist("column")))
        answer.set_cookie(COOKIE, columns, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure())
    return answer
