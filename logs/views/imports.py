"""Imports by upload: the form and what was uploaded, the progress of one, and what it refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ..forms_import import ImportForm
from ..ingest import uploads
from ..models import Import, ImportKind
from .rendering import render_region

PAGE = 50
EXCERPT = 200
PATIENCE = timedelta(seconds=10)  # an import that has waited longer probably waits for a worker that is not there


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_list(request: HttpRequest) -> HttpResponse:
    """The form, and the uploads that the person may see; POST uploads."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_bound and form.is_valid():
        kind = form.cleaned_data["kind"]
        if kind == ImportKind.SUBSCRIPTIONS and not request.user.has_perm("logs.add_subscription"):
            raise PermissionDenied
        return redirect(uploads.receive(form.cleaned_data["file"], kind, request.user))
    found, problem = (
        Import.objects.visible_to(request.user).select_related("uploaded_by"),
        _unknown(request, {"before"}),
    )
    if before := _number(request, "before"):
        found = found.filter(pk__lt=before)
    imports = [] if problem else list(found[: PAGE + 1])
    context = {
        "form": form,
        "imports": imports[:PAGE],
        "before": imports[PAGE - 1].pk if len(imports) > PAGE else None,
        "problem": problem,
    }
    return render(request, "logs/import_list.html", context, status=422 if form.is_bound or problem else 200)


@require_safe
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """How far an import is; the region asks for itself until it has ended."""
    upload = get_object_or_404(Import.objects.visible_to(request.user), pk=pk)
    problem = _unknown(request, {"after"})
    refused = upload.refused_documents.filter(number__gt=_number(request, "after")).order_by("number")
    documents = [] if problem else list(refused[: PAGE + 1])
    context: dict[str, Any] = {
        "upload": upload,
        "documents": [(one, bytes(one.data)[:EXCERPT].decode(errors="replace")) for one in documents[:PAGE]],
        "after": documents[PAGE - 1].number if len(documents) > PAGE else None,
        "is_forgotten": upload.state == "waiting" and timezone.now() - upload.uploaded_at > PATIENCE,
        "problem": problem,
    }
    status = 422 if problem else 200
    return render_region(request, "logs/import_detail.html", "logs/_import_progress.html", context, status)


@require_safe
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_refused(request: HttpRequest, pk: int) -> HttpResponse | StreamingHttpResponse:
    """What was refused, as it was uploaded, to be mended and imported again. Unmasked: it is the person's own file."""
    upload = get_object_or_404(Import.objects.visible_to(request.user), pk=pk)

    def documents() -> Iterator[bytes]:
        for data in upload.refused_documents.order_by("number").values_list("data", flat=True).iterator():
            yield bytes(data) + b"\n"

    response = StreamingHttpResponse(documents(), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="import-{upload.pk}-refused.json"'
    return response


def _unknown(request: HttpRequest, known: set[str]) -> str:
    """The first parameter of the address that is unknown or not a number, "" where all are right."""
    return next((name for name in request.GET if name not in known or not request.GET[name].isdecimal()), "")[:60]


def _number(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return min(int(text[:18]), 2**31 - 1) if text.isdecimal() else 0
