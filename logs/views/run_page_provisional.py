"""Stands in until the page of a plan and its run is there, which takes the place of this file."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ..models import Run


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def run_detail(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.visible_to(request.user), pk=pk)
    return render(request, "logs/run_page_provisional.html", {"run": run})
