"""Imports documents from files: rejects bad ones, stores new ones, updates changed ones, and keeps what was done here.

Logs are stored in batches, together with how far the file was read. So an import that was stopped continues from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from ..cotalker.documents import InvalidDocument, LogDocument, SubscriptionDocument, read_log, read_subscription
from ..cotalker.json_stream import RawDocument, iter_documents
from ..cotalker.unpacking import FileTooLarge, UnreadableFile
from ..delivery.fingerprint_limit import DailyFingerprints
from ..payloads.masking import MaskedKeys
from ..stats.compaction import compact
from .company_scope import ImportScope
from .log_writer import StoreResult, store_logs
from .subscription_writer import store_subscription

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BATCH_SIZE = 1000
BATCH_BYTES = 8 * 1024 * 1024


@dataclass
class ImportSummary:
    """What became of the documents.

    `company_differs`: logs that name another company than their subscription. `corrected`: documents from which comments or
    commas had to be removed first. `error`: why the file could not be read to its end; "" if it was.
    """

    read: int = 0
    new: int = 0
    unchanged: int = 0
    updated: int = 0
    rejected: int = 0
    company_differs: int = 0
    corrected: int = 0
    error: str = ""


@dataclass
class Rejection:
    """A document that was rejected, and why."""

    piece: RawDocument
    reason: str

    def __str__(self) -> str:
        return f"document {self.piece.number}, line {self.piece.line}: {self.reason}"


@dataclass
class Importer:
    """One import of one file.

    `user`: the documents must belong to this user's companies; None (the command line) may store those of all companies.
    `on_rejection` is called for each rejected document. `on_batch` is called with the result for the first `summary.read`
    documents, within the transaction that stores the last of them: if it raises, that transaction is rolled back. `on_work`
    is called repeatedly, outside of transactions, and may raise as well.
    `limit`: the bytes that may be read of a file, unpacked. `summary`: that of an import that broke off, to continue after
    these documents.
    """

    masked_keys: MaskedKeys
    user: User | None = None
    on_rejection: Callable[[Rejection], None] = lambda rejection: None
    on_batch: Callable[[ImportSummary], None] = lambda summary: None
    on_work: Callable[[], None] = lambda: None
    limit: int | None = None
    summary: ImportSummary = field(default_factory=ImportSummary)

    def __post_init__(self) -> None:
        self.reach = ImportScope(self.user)
        self.is_done_before = self.summary.read
        self.kinds = DailyFingerprints()

    def import_logs(self, chunks: Iterable[bytes]) -> ImportSummary:
        """Store COTWebhookLogs from the bytes of a file."""
        batch: dict[str, tuple[RawDocument, LogDocument]] = {}
        size = number = unsaved = 0
        for piece, log in self._documents(chunks, read_log):
            if log is not None and log.id in batch:
                self._store_batch(batch, number)
                batch, size, unsaved = {}, 0, 0
            if log is not None:
                batch[log.id] = piece, log
            size += len(piece.data)
            number, unsaved = piece.number, unsaved + 1
            if unsaved >= BATCH_SIZE or size >= BATCH_BYTES:
                self._store_batch(batch, number)
                batch, size, unsaved = {}, 0, 0
        self._store_batch(batch, max(number, self.is_done_before))
        while compact():  # there may be no worker to do it
            self.on_work()
        return self.summary

    def import_subscriptions(self, chunks: Iterable[bytes]) -> ImportSummary:
        """Store COTWebhooks from the bytes of a file. They replace the placeholders that logs have left."""
        for piece, document in self._documents(chunks, read_subscription):
            with transaction.atomic():
                if document is not None:
                    self._store_subscription(piece, document)
                self.summary.read = piece.number
                self.on_batch(self.summary)
        return self.summary

    def _documents(self, chunks: Iterable[bytes], read: Callable[[bytes], Any]) -> Iterator[tuple[RawDocument, Any]]:
        """Each piece of the file, with its document; None instead of the document if it is rejected."""
        last = RawDocument(0, 0, b"")
        try:
            for piece in iter_documents(chunks, self.limit, self.on_work):
                last = piece
                if piece.number <= self.is_done_before:
                    continue
                document = None
                try:
                    if piece.problem:
                        raise InvalidDocument(piece.problem)
                    document = read(piece.data)
                except InvalidDocument as error:
                    self._reject(piece, error)
                else:
                    self.summary.corrected += document.is_corrected
                yield piece, document
        except FileTooLarge:
            self.summary.error = _(
                "it contains more than %(limit)s, the limit for an import; the last document read was "
                "number %(number)s, on line %(line)s"
            ) % {"limit": filesizeformat(self.limit or 0), "number": last.number, "line": last.line}
        except UnreadableFile as error:
            self.summary.error = str(error)

    def _store_batch(self, batch: dict[str, tuple[RawDocument, LogDocument]], number: int) -> None:
        """Store `batch`, the documents among the first `number` that are not stored yet."""

        def save(stored: StoreResult) -> None:
            self.summary.read = number
            self.summary.new += stored.new
            self.summary.updated += stored.updated
            self.summary.unchanged += stored.unchanged
            self.summary.company_differs += stored.company_differs
            for log_id, error in stored.rejected.items():
                self._reject(batch[log_id][0], error)
            self.on_batch(self.summary)

        store_logs([log for piece, log in batch.values()], self.masked_keys, self.reach, self.kinds, save)
        self.on_work()

    def _store_subscription(self, piece: RawDocument, document: SubscriptionDocument) -> None:
        try:
            outcome = store_subscription(document, self.reach)
        except InvalidDocument as error:
            self._reject(piece, error)
        else:
            setattr(self.summary, outcome, getattr(self.summary, outcome) + 1)

    def _reject(self, piece: RawDocument, error: InvalidDocument) -> None:
        self.summary.rejected += 1
        reason = str(error)
        if error.offset is not None:
            before = piece.data.decode(errors="replace")[: error.offset]
            reason += f" (line {piece.line + before.count(chr(10))}, column {len(before) - before.rfind(chr(10))})"
        self.on_rejection(Rejection(piece, reason))
