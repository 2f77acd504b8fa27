"""The Failures page: failure groups, with what broke, how often, and whether it has recovered."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from ..forms.list_filters import FailureFilterForm
from ..stats.failure_groups import list_failures
from ..stats.period import TIME_RANGES, Period
from .helpers import live_context, render_region


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def failure_list(request: HttpRequest) -> HttpResponse:
    search = FailureFilterForm(request.GET, user=request.user)
    context: dict[str, Any] = {"search": search}
    if search.is_valid():
        context |= live_context(request)
        period = Period(search.range_name, timezone.now())
        context["failures"] = list_failures(
            request.user,
            period,
            search.chosen_subscriptions,
            search.cleaned_data["cause"],
            newest_first=search.sort_name == "last",
            all_=search.shows_all,
        )
        context |= {"period": period, "ranges": [(name, search.address(range=name)) for name in TIME_RANGES]}
        context["all_address"] = search.address(all="1")
    status = 200 if search.is_valid() else 422
    return render_region(request, "failures/list.html", "failures/list.html#content", context, status)
