"""The Overview: what broke, since when, and whether it has recovered."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ..forms.list_filters import RangeForm
from ..incidents.listing import pressing_incidents
from ..models import BulkRedelivery
from ..redelivery.recovery import recovery_of
from ..stats.overview import build_overview
from ..stats.period import TIME_RANGES, Period
from .bulk_redeliveries.listed import listed_bulk_redeliveries
from .helpers import live_context, render_region, worker_context

BULK_REDELIVERIES_SHOWN = 5
INCIDENTS_SHOWN = 5


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def overview(request: HttpRequest) -> HttpResponse:
    search = RangeForm(request.GET)
    context: dict[str, Any] = {"ranges": list(TIME_RANGES), **worker_context()}
    if search.is_valid():
        context |= live_context(request)
        period = Period(search.range_name, timezone.now())
        context |= {"overview": build_overview(request.user, period), "period": period, "range": search.range_name}
        bulks = list(
            BulkRedelivery.objects.visible_to(request.user)
            .select_related("incident")
            .open()
            .order_by("-pk")[:BULK_REDELIVERIES_SHOWN]
        )
        incidents = pressing_incidents(request.user, INCIDENTS_SHOWN)
        context["incidents"] = incidents
        if incidents and request.user.has_perm("logs.redeliver_webhooklog"):
            context["recovery"] = recovery_of(incidents[0], request.user)
        context["bulk_redeliveries"] = listed_bulk_redeliveries(bulks, request.user)
    else:
        context["problem"] = _("There is no such range. Choose one above.")
    status = 200 if search.is_valid() else 422
    return render_region(request, "overview/overview.html", "overview/overview.html#content", context, status)
