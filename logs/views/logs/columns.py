"""The columns of the log table. They're a preference of the browser, so a cookie keeps them."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ...logsearch.columns import COLUMNS_COOKIE, columns_cookie, known_columns
from ..helpers import back_url

YEAR = 365 * 24 * 3600


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def log_columns_update(request: HttpRequest) -> HttpResponse:
    answer = redirect(back_url(request) or "logs:webhook_log_list")
    if "reset" in request.POST:
        answer.delete_cookie(COLUMNS_COOKIE)
    else:
        columns = columns_cookie(known_columns(request.POST.getlist("column")))
        answer.set_cookie(
            COLUMNS_COOKIE, columns, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
        )
    return answer
