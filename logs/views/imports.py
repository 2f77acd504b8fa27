"""Context of the import pages.

Imports by upload: the form and the list, an import's progress, and the documents that it rejected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.db.models import BinaryField, Count, F, Func, Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from cotadmin.uploads import takes_files

from ..forms.imports import ImportForm, ImportListForm, RejectedListForm
from ..imports import uploads
from ..models import Import, ImportState, RejectedDocument
from ..payloads.masking import mask_json, mask_text, masked_keys
from .helpers import render_region, show_outcome, target_id

PAGE = 50
IMPORT_SLOW_AFTER = timedelta(seconds=10)  # a running worker picks up an import in well under a second
READ_OF_REJECTED = 16 * 1024  # most documents fit, so they can be masked by their structure
SHOWN_OF_REJECTED = 200


def list_context(imports: QuerySet[Import], before: int | None) -> dict[str, Any]:
    """Return a page of imports, newest first: those before the import numbered `before`."""
    if before:
        imports = imports.filter(pk__lt=before)
    rows = list(imports.order_by("-pk")[: PAGE + 1])
    return {"imports": rows[:PAGE], "next_before": rows[PAGE - 1].pk if len(rows) > PAGE else None}


@dataclass(frozen=True)
class RejectedRow:
    """A rejected document as it's shown: masked, then cut."""

    number: int
    line: int
    reason: str
    text: str


def progress_context(upload: Import, after: int | None) -> dict[str, Any]:
    """The import's progress and, once it has finished, a page of the documents that it rejected."""
    waited = (upload.finished_at or timezone.now()) - upload.uploaded_at
    context = {
        "elapsed_ms": waited.total_seconds() * 1000,
        "is_left_alone": upload.state == ImportState.WAITING and waited > IMPORT_SLOW_AFTER,
    }
    return context | _rejected_context(upload, after) if upload.is_finished else context


def _rejected_context(upload: Import, after: int | None) -> dict[str, Any]:
    # A document may have 16 MiB: read only its beginning from the database.
    beginning = Func(F("data"), Value(1), Value(READ_OF_REJECTED), function="substring", output_field=BinaryField())
    documents = RejectedDocument.objects.filter(upload=upload).defer("data").annotate(beginning=beginning)
    if after:
        documents = documents.filter(number__gt=after)
    page = list(documents[: PAGE + 1])
    kept = RejectedDocument.objects.filter(upload=upload).aggregate(
        number=Count("pk"), cut=Count("pk", filter=Q(is_cut=True))
    )
    rows = [
        RejectedRow(document.number, document.line, document.reason, _shown(bytes(document.beginning)))
        for document in page[:PAGE]
    ]
    next_after = page[PAGE - 1].number if len(page) > PAGE else None
    return {"rejected": rows, "kept": kept["number"], "cut": kept["cut"], "next_after": next_after}


def _shown(data: bytes) -> str:
    """Mask by JSON structure first, which also works on cut or broken text. Then mask whatever else looks like a secret."""
    text = mask_text(mask_json(data.decode(errors="replace"), masked_keys()), masked_keys())
    return text if len(text) <= SHOWN_OF_REJECTED else text[:SHOWN_OF_REJECTED] + "…"


DOCUMENTS_AT_ONCE = 10  # each may have 16 MiB


@takes_files("logs.add_webhooklog", lambda: settings.MAX_UPLOAD_BYTES)
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_list(request: HttpRequest) -> HttpResponse:
    """The import form above the user's imports; also handles its POST."""
    if request.method == "POST":
        return _import_create(request)
    return _list_page(request, ImportForm(user=request.user))


def _import_create(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES, user=request.user)
    if not form.is_valid():
        return _list_page(request, form)
    upload = uploads.receive_upload(form.cleaned_data["file"], form.cleaned_data["kind"], request.user)
    return HttpResponseRedirect(upload.get_absolute_url(), status=303)


def _list_page(request: HttpRequest, form: ImportForm) -> HttpResponse:
    place = ImportListForm(request.GET)
    context = {"form": form, "place": place}
    if place.is_valid():
        imports = Import.objects.visible_to(request.user).select_related("uploaded_by")
        context |= list_context(imports, place.cleaned_data["before"])
    status = 422 if form.errors or place.errors else 200
    return render_region(request, "imports/list.html", "imports/_rows.html", context, status)


@require_safe
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """The import's progress; the page polls until the import has finished."""
    upload = visible_import(request, pk)
    place = RejectedListForm(request.GET)
    context = {"import": upload, "place": place}
    if place.is_valid():
        context |= progress_context(upload, place.cleaned_data["after"])
    partial = "imports/_rejected_rows.html" if target_id(request) == "load-more" else "imports/_progress.html"
    if place.errors:
        partial = "imports/_page_errors.html"
    return render_region(request, "imports/detail.html", partial, context, 422 if place.errors else 200)


@require_POST
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel the import: it stops before its next batch, and stored documents stay."""
    upload = visible_import(request, pk)
    show_outcome(request, uploads.cancel_import(upload), "", _("Nothing was cancelled: the import has finished."))
    return HttpResponseRedirect(upload.get_absolute_url(), status=303)


@require_safe
@permission_required("logs.add_webhooklog", raise_exception=True)
def import_rejected(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Download the rejected documents as they are in the file, to correct and import again. Cut documents are left out.

    Nothing is masked: it's the user's own file, and a masked document couldn't be imported.
    """
    upload = visible_import(request, pk)
    response = StreamingHttpResponse(_lines(upload), content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, f"{upload.file_name}.rejected.json") or ""
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def visible_import(request: HttpRequest, pk: int) -> Import:
    """Return the import; 404 if it doesn't exist or belongs to someone else."""
    return get_object_or_404(Import.objects.visible_to(request.user), pk=pk)


def _lines(upload: Import) -> Iterator[bytes]:
    rejected = RejectedDocument.objects.filter(upload=upload, is_cut=False).values_list("data", flat=True)
    for data in rejected.iterator(chunk_size=DOCUMENTS_AT_ONCE):
        yield bytes(data) + b"\n"
