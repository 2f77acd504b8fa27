"""Imports by upload: the web process stores the file, a worker imports it, and the page shows the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import Error, connection, transaction
from django.db.models import Count, F, Func, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from cotadmin.database import is_connection_lost

from ..background.jobs import JobInterrupted
from ..models import Import, ImportChunk, ImportKind, ImportState, RejectedDocument
from ..payloads.masking import masked_keys
from .importer import Importer, ImportSummary, Rejection

UPLOAD_CHUNK_SIZE = 1 << 20
CANCEL_CHECK_SECONDS = 1.0  # between two checks for a cancellation
SUMMARY_COUNTS = ("read", "new", "unchanged", "updated", "rejected", "company_differs", "corrected")
# How much of the rejected documents is kept per import. All of them are counted.
MAX_KEPT_REJECTIONS = 10_000
MAX_KEPT_REJECTION_BYTES = 64 * 1024 * 1024
MAX_KEPT_DOCUMENT_BYTES = 4 * 1024 * 1024
MAX_KEPT_FRAGMENT_BYTES = 64 * 1024  # a document that is longer than the limit
MAX_FAILED_STARTS = 5  # workers in a row that took it and stored nothing
_LOST = """
SELECT id FROM logs_import upload WHERE state IN ('waiting', 'running') AND NOT EXISTS (
    SELECT FROM procrastinate_jobs job
    WHERE job.task_name = 'logs.tasks.run_import' AND job.status IN ('todo', 'doing')
        AND job.args ->> 'import_id' = upload.id::text
)
"""


def receive_upload(file: UploadedFile, kind: str, user) -> Import:
    """Store an uploaded file and queue its import. One transaction, so there is never one without the other."""
    with transaction.atomic():
        upload = Import.objects.create(
            kind=kind, file_name=(file.name or "")[-255:], size=file.size or 0, uploaded_by=user
        )
        for number, data in enumerate(file.chunks(UPLOAD_CHUNK_SIZE)):
            ImportChunk.objects.create(upload=upload, number=number, data=data)
        app.configure_task("logs.tasks.run_import", allow_unknown=False).defer(import_id=upload.pk)
    return upload


def cancel_import(upload: Import) -> bool:
    """Stop it before the next batch; what is stored stays. Returns False if it has finished."""
    return bool(
        Import.objects.unfinished().filter(pk=upload.pk).update(state=ImportState.CANCELLED, finished_at=timezone.now())
    )


def run_import(import_id: int, should_stop: Callable[[], bool] = lambda: False) -> None:
    """Import an upload, or the rest of it. Safe to run again. Raises JobInterrupted if `should_stop` returns True."""
    upload = _begin(import_id)
    if upload is None:
        return
    session = _ImportSession(upload, should_stop)
    try:
        error = session.run().error
    except _Ended:
        ImportChunk.objects.filter(upload__in=Import.objects.finished().filter(pk=upload.pk)).delete()
    except JobInterrupted:
        raise
    except Exception as fault:
        if not (
            isinstance(fault, Error) and (should_stop() or is_connection_lost(fault))
        ):  # those are not the import's fault: the job is retried
            _finish(upload, _("an unexpected error; see the worker’s log for details"))
        raise
    else:
        _finish(upload, error)


def lost_imports() -> list[int]:
    """Ids of the imports that are not finished, but have no job, for whatever reason."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST)
        return [pk for (pk,) in cursor.fetchall()]


def purge_uploaded_files() -> None:
    """Delete the files of imports that were cancelled while no worker ran."""
    ImportChunk.objects.filter(upload__in=Import.objects.finished()).delete()


def _begin(import_id: int) -> Import | None:
    """Take it over for this worker; None if there is nothing to do. The worker that had it before stores nothing more."""
    with transaction.atomic():
        upload = Import.objects.select_for_update(of=("self",)).filter(pk=import_id).first()
        if upload is None:
            return None
        if upload.is_finished:
            upload.file_chunks.all().delete()
            return None
        upload.state, upload.epoch, upload.failed_starts = (
            ImportState.RUNNING,
            upload.epoch + 1,
            upload.failed_starts + 1,
        )
        upload.save(update_fields=["state", "epoch", "failed_starts"])
    if upload.failed_starts > MAX_FAILED_STARTS:
        _finish(
            upload,
            _("the worker stopped %(number)s times while reading the same documents") % {"number": MAX_FAILED_STARTS},
        )
        return None
    return upload


class _Ended(Exception):
    """Somebody has cancelled or deleted the import, or another worker has taken it over."""


class _ImportSession:
    """One worker's part of an import: from where it was left to the end, unless it is interrupted."""

    def __init__(self, upload: Import, should_stop: Callable[[], bool]) -> None:
        self.upload = upload
        self.should_stop = should_stop
        self.bytes_read = 0
        self.waiting: list[RejectedDocument] = []
        kept = upload.rejected_documents.aggregate(
            number=Count("pk"), size=Sum(Func(F("data"), function="octet_length"))
        )
        self.room, self.room_bytes = (
            MAX_KEPT_REJECTIONS - kept["number"],
            MAX_KEPT_REJECTION_BYTES - (kept["size"] or 0),
        )
        self._next_check = 0.0

    def run(self) -> ImportSummary:
        importer = Importer(
            masked_keys(),
            self.upload.uploaded_by,
            on_rejection=self._keep,
            on_batch=self._save,
            on_work=self._check,
            limit=settings.IMPORT_LIMIT,
            summary=ImportSummary(**{name: getattr(self.upload, name) for name in SUMMARY_COUNTS}),
        )
        work = importer.import_logs if self.upload.kind == ImportKind.LOGS else importer.import_subscriptions
        try:
            return work(self._chunks())
        except ImportChunk.DoesNotExist:
            raise _Ended from None

    def _chunks(self) -> Iterator[bytes]:
        for chunk in self.upload.chunks():
            self.bytes_read += len(chunk)
            yield chunk

    def _keep(self, rejection: Rejection) -> None:
        piece = rejection.piece
        most = MAX_KEPT_DOCUMENT_BYTES if not piece.is_too_long else MAX_KEPT_FRAGMENT_BYTES
        data = piece.data[:most]
        if self.room <= 0 or len(data) > self.room_bytes:
            return
        self.room, self.room_bytes = self.room - 1, self.room_bytes - len(data)
        is_cut = len(data) < len(piece.data)
        self.waiting.append(
            RejectedDocument(
                upload=self.upload,
                number=piece.number,
                line=piece.line,
                reason=rejection.reason,
                data=data,
                is_cut=is_cut,
            )
        )

    def _save(self, summary: ImportSummary) -> None:
        """Runs in the transaction that stores the counted documents."""
        self._update(**{name: getattr(summary, name) for name in SUMMARY_COUNTS}, failed_starts=0)
        RejectedDocument.objects.bulk_create(self.waiting)
        self.waiting = []

    def _check(self) -> None:
        if self.should_stop():
            self._update(failed_starts=0)  # a file that crashed its worker does not get here
            raise JobInterrupted
        if time.monotonic() >= self._next_check:
            self._update()
            self._next_check = time.monotonic() + CANCEL_CHECK_SECONDS

    def _update(self, **counted: int) -> None:
        mine = Import.objects.filter(pk=self.upload.pk, epoch=self.upload.epoch, state=ImportState.RUNNING)
        if not mine.update(bytes_read=self.bytes_read, **counted):
            raise _Ended


def _finish(upload: Import, error: str) -> None:
    mine = Import.objects.filter(pk=upload.pk, epoch=upload.epoch, state=ImportState.RUNNING)
    state = ImportState.FAILED if error else ImportState.DONE
    with transaction.atomic():
        mine.update(error=error, state=state, finished_at=timezone.now())
        ImportChunk.objects.filter(upload__in=Import.objects.finished().filter(pk=upload.pk)).delete()
