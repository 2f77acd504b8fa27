"""Accepts events from the shell."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser

from logs.ingest import events
from logs.ingest.events import MAX_BATCH_BYTES, MIB, CompanyScope, PayloadTooLarge, partition_results, read_events
from logs.ingest.intake import AcceptResult, accept_events
from logs.models import Company


class Command(BaseCommand):
    help = (
        "Accepts Cotalker events (COTEvent) from a file as if they were posted over HTTP: each "
        "is stored for every subscription that it matches, and delivered. Prints the ids of the "
        "logs. Takes one event, a JSON array or NDJSON; all are stored in one transaction. An "
        "event that was accepted in the last 24 hours is not stored again. Exit status 1 if an "
        "event was rejected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a file to read; - for standard input")
        parser.add_argument(
            "--again",
            action="store_true",
            help="also send events that were accepted in the last 24 hours, as new events",
        )

    def handle(self, *args, **options) -> None:
        name, is_again = options["file"], options["again"]
        scope = CompanyScope(set(Company.objects.values_list("pk", flat=True)), "unknown company")
        try:
            # The idempotency key identifies an event: a random key makes it a new one.
            key = secrets.token_hex() if is_again else ""
            batch = partition_results(read_events(events.iter_any(_read(name)), scope, key))
        except PayloadTooLarge as error:
            place = "" if error.index is None else f"event {error.index}: "
            raise CommandError(f"{place}{error}; nothing was sent") from error
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}") from error
        if batch.is_empty:
            raise CommandError(f"{name}: no event found")
        for result in accept_events(batch.events):
            self._report(result)
        for problem in batch.errors:
            self.stderr.write(f"event {problem.index}: {': '.join(filter(None, [problem.path, problem.reason]))}")
        if batch.errors_left_out:
            self.stderr.write(f"and {batch.errors_left_out} more errors")
        if batch.errors:
            sys.exit(1)

    def _report(self, result: AcceptResult) -> None:
        """Only the ids go to standard output, so that another command can read them."""
        for log in result.logs:
            self.stdout.write(log)
        if result.is_known:
            self.stderr.write(f"event {result.event.index}: already accepted; use --again to send it anyway")
        elif not result.logs:
            self.stderr.write(f"event {result.event.index}: matches no active subscription that cotadmin delivers")


def _read(name: str) -> Iterator[bytes]:
    """Yield the bytes of a file. Raises OSError, and PayloadTooLarge if it is larger than a batch may be."""
    size = 0
    with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
        while chunk := file.read(MIB):
            size += len(chunk)
            if size > MAX_BATCH_BYTES:
                raise PayloadTooLarge(MAX_BATCH_BYTES)
            yield chunk
