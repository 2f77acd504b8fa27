"""Imports by upload: the web process keeps the file, a worker imports it, the page shows how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ..masked_keys import masked_keys
from ..models import Import, ImportChunk, ImportKind, ImportState, RefusedDocument
from .importing import Importer, Refusal, Summary

CHUNK = 1 << 20


class Interrupted(Exception):
    """The worker is stopping; the import begins again on the next one, and what is stored is found unchanged."""


def receive(file: UploadedFile, kind: str, user) -> Import:
    """Keep an uploaded file and queue its import; one transaction, so there is never the one without the other."""
    from ..tasks import run_import

    with transaction.atomic():
        upload = Import.objects.create(
            kind=kind, file_name=(file.name or "")[-255:], size=file.size or 0, uploaded_by=user
        )
        for number, data in enumerate(file.chunks(CHUNK)):
            ImportChunk.objects.create(upload=upload, number=number, data=data)
        run_import.defer(import_id=upload.pk)
    return upload


def run(import_id: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Import an upload. Safe to run again; raises Interrupted where `should_stop` says so."""
    upload = Import.objects.get(pk=import_id)
    if upload.is_finished:
        return
    try:
        summary = _import(upload, should_stop)
    except Interrupted:
        raise
    except Exception:
        _finish(upload, error=_("an unexpected fault; the worker's log tells more"))
        raise
    _finish(upload, error=summary.error)


def _import(upload: Import, should_stop: Callable[[], bool]) -> Summary:
    upload.refused_documents.all().delete()
    upload.bytes_read = 0

    def save_progress(summary: Summary) -> None:
        for name, value in asdict(summary).items():
            setattr(upload, name, value)
        upload.state = ImportState.RUNNING
        upload.save()
        if should_stop():
            raise Interrupted

    def keep_refused(refusal: Refusal) -> None:
        piece = refusal.piece
        RefusedDocument.objects.create(
            upload=upload, number=piece.number, line=piece.line, reason=refusal.reason, data=piece.data
        )

    def counted(chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            upload.bytes_read += len(chunk)
            yield chunk

    importer = Importer(masked_keys(), upload.uploaded_by, on_refusal=keep_refused, on_batch=save_progress)
    work = importer.import_logs if upload.kind == ImportKind.LOGS else importer.import_subscriptions
    summary = work(counted(upload.chunks()))
    save_progress(summary)
    return summary


def _finish(upload: Import, error: str) -> None:
    upload.error = error
    upload.state = ImportState.BROKEN if error else ImportState.DONE
    upload.finished_at = timezone.now()
    upload.save()
    upload.file_chunks.all().delete()
