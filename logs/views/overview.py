"""The Overview: what broke, since when, and whether it has recovered."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ..models import BulkRedelivery
from ..models.worker import OFFLINE_AFTER, Worker
from ..redelivery.progress import count_items
from ..stats.overview import build_overview
from ..stats.period import TIME_RANGES, Period
from .helpers import render_region

DEFAULT_RANGE = "24h"
BULK_REDELIVERIES_SHOWN = 5


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def overview(request: HttpRequest) -> HttpResponse:
    range_name = request.GET.get("range", DEFAULT_RANGE)
    is_known = range_name in TIME_RANGES and set(request.GET) <= {"range"}
    silence = Worker.silence()
    context: dict[str, Any] = {"ranges": list(TIME_RANGES), "range": range_name, "silence": silence}
    context["is_worker_missing"] = silence is None or silence > OFFLINE_AFTER
    if is_known:
        period = Period(range_name, timezone.now())
        context |= {"overview": build_overview(request.user, period), "period": period}
        bulks = list(BulkRedelivery.objects.visible_to(request.user).open().order_by("-pk")[:BULK_REDELIVERIES_SHOWN])
        context["bulk_redeliveries"] = list(zip(bulks, count_items(bulks).values(), strict=True))
    else:
        context["problem"] = _("There is no such range. Choose one above.")
    return render_region(
        request, "overview/overview.html", "overview/_content.html", context, status=200 if is_known else 422
    )
