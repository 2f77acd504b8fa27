"""Which columns the table of logs has: a matter of the browser, so a cookie keeps it."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from ..explorer.columns import COOKIE, as_cookie, known_columns

YEAR = 365 * 24 * 3600


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def log_columns_update(request: HttpRequest) -> HttpResponse:
    answer = redirect(_next(request))
    if "reset" in request.POST:
        answer.delete_cookie(COOKIE)
    else:
        columns = as_cookie(known_columns(request.POST.getlist("column")))
        answer.set_cookie(COOKIE, columns, max_age=YEAR, httponly=True, samesite="Lax", secure=request.is_secure())
    return answer


def _next(request: HttpRequest) -> str:
    """Where the person came from, unless it leads elsewhere."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else "logs:webhook_log_list"
