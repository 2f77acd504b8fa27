"""What the import pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import BinaryField, Count, F, Func, Q, QuerySet, Value
from django.utils import timezone

from ..models import Import, ImportState, RefusedDocument
from ..payloads.masking import mask_json, mask_text, masked_keys

PAGE = 50
PATIENCE = timedelta(seconds=10)  # a worker that runs takes an import in well under a second
READ_OF_REFUSED = 16 * 1024  # enough for most documents to be read whole, and so to be masked by their structure
SHOWN_OF_REFUSED = 200


def list_context(imports: QuerySet[Import], before: int | None) -> dict[str, Any]:
    """A page of imports, newest first: those before the import numbered `before`."""
    if before:
        imports = imports.filter(pk__lt=before)
    found = list(imports.order_by("-pk")[: PAGE + 1])
    return {"imports": found[:PAGE], "next_before": found[PAGE - 1].pk if len(found) > PAGE else None}


@dataclass(frozen=True)
class RefusedRow:
    """A refused document as it is shown: masked, then cut."""

    number: int
    line: int
    reason: str
    text: str


def progress_context(upload: Import, after: int | None) -> dict[str, Any]:
    """How far the import is, and once it has finished, a page of what it refused."""
    waited = (upload.finished_at or timezone.now()) - upload.uploaded_at
    context = {
        "elapsed_ms": waited.total_seconds() * 1000,
        "is_left_alone": upload.state == ImportState.WAITING and waited > PATIENCE,
    }
    return context | _refused_context(upload, after) if upload.is_finished else context


def _refused_context(upload: Import, after: int | None) -> dict[str, Any]:
    # A document may have 16 MiB: only its beginning leaves the database.
    beginning = Func(F("data"), Value(1), Value(READ_OF_REFUSED), function="substring", output_field=BinaryField())
    documents = RefusedDocument.objects.filter(upload=upload).defer("data").annotate(beginning=beginning)
    if after:
        documents = documents.filter(number__gt=after)
    found = list(documents[: PAGE + 1])
    kept = RefusedDocument.objects.filter(upload=upload).aggregate(
        number=Count("pk"), cut=Count("pk", filter=Q(is_cut=True))
    )
    rows = [RefusedRow(one.number, one.line, one.reason, _shown(bytes(one.beginning))) for one in found[:PAGE]]
    next_after = found[PAGE - 1].number if len(found) > PAGE else None
    return {"refused": rows, "kept": kept["number"], "cut": kept["cut"], "next_after": next_after}


def _shown(data: bytes) -> str:
    """By structure first, which also works where the text is cut or broken, then whatever else looks like a secret."""
    text = mask_text(mask_json(data.decode(errors="replace"), masked_keys()), masked_keys())
    return text if len(text) <= SHOWN_OF_REFUSED else text[:SHOWN_OF_REFUSED] + "…"
