"""The Overview: what broke, since when, and whether it has recovered."""

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from ..models import Run
from ..models.worker import OFFLINE_AFTER, Worker
from ..redelivery.progress import count_items
from ..stats.overview import build_overview
from ..stats.period import TIME_RANGES, Period
from .helpers import render_region

DEFAULT_RANGE = "24h"
RUNS_SHOWN = 5


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def overview(request: HttpRequest) -> HttpResponse:
    chosen = request.GET.get("range", DEFAULT_RANGE)
    is_known = chosen in TIME_RANGES and set(request.GET) <= {"range"}
    silence = Worker.silence()
    context: dict[str, Any] = {"ranges": list(TIME_RANGES), "range": chosen, "silence": silence}
    context["is_worker_missing"] = silence is None or silence > OFFLINE_AFTER
    if is_known:
        period = Period(chosen, timezone.now())
        context |= {"overview": build_overview(request.user, period), "period": period}
        runs = list(Run.objects.visible_to(request.user).open().order_by("-pk")[:RUNS_SHOWN])
        context["runs"] = list(zip(runs, count_items(runs).values(), strict=True))
    else:
        context["problem"] = _("There is no such range. Choose one above.")
    return render_region(
        request, "overview/overview.html", "overview/_content.html", context, status=200 if is_known else 422
    )
