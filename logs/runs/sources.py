"""Where the logs of a run come from, in words and as the way back to them."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import QueryDict
from django.urls import reverse

from ..logsearch.filterset import ActiveFilter, WebhookLogFilter
from ..models import Run, Source


@dataclass(frozen=True)
class Origin:
    """`address`: of the explorer with the filter, or of the run that came before; "" where the logs were chosen by hand."""

    address: str = ""
    active: tuple[ActiveFilter, ...] = ()


def origin_of(run: Run, user) -> Origin:
    if run.source == Source.FILTER:
        asked = WebhookLogFilter(QueryDict(run.query), user=user)
        return Origin(f"{reverse('logs:webhook_log_list')}?{run.query}", tuple(asked.active))
    if run.source == Source.STILL_FAILING and run.parent_id:
        return Origin(reverse("logs:run_detail", args=[run.parent_id]))
    return Origin()
