"""What `import_logs` and `import_subscriptions` share: files in, a progress bar, a summary out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from logs.ingest.importing import Importer, Refusal, Summary
from logs.ingest.splitting import Piece
from logs.masked_keys import masked_keys

CHUNK = 1 << 20


class ImportCommand(BaseCommand):
    """Reads each file with the method of Importer that `importer_method` names. Exit status 1 when something was refused."""

    importer_method: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a file to read; - for standard input")
        parser.add_argument("--refused", metavar="FILE", help="write the documents that were refused to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        total = Summary()
        self.refused_file: IO[bytes] | None = None
        try:
            if options["refused"]:
                self.refused_file = Path(options["refused"]).open("wb")  # noqa: SIM115
            for name in options["files"]:
                self._add(total, self._import(name))
        except OSError as error:
            raise CommandError(f"{error.filename or ''}: {error.strerror}") from error
        finally:
            if self.refused_file:
                self.refused_file.close()
        self.stdout.write(
            f"read {total.read}, new {total.new}, unchanged {total.unchanged}, updated {total.updated}, refused {total.refused}"
        )
        if total.company_differs:
            self.stdout.write(f"{total.company_differs} name another company than their subscription; their pages say so")
        if total.refused or total.error:
            sys.exit(1)

    def _import(self, name: str) -> Summary:
        def report(refusal: Refusal) -> None:
            tqdm.write(f"{name}: {refusal}", file=self.stderr)
            self._keep(refusal.piece)

        importer = Importer(masked_keys(), on_refusal=report)
        is_stdin = name == "-"
        with sys.stdin.buffer if is_stdin else Path(name).open("rb") as file:
            size = None if is_stdin else Path(name).stat().st_size
            with tqdm(total=size, unit="B", unit_scale=True, desc=name, file=self.stderr, disable=not sys.stderr.isatty()) as bar:
                summary = getattr(importer, self.importer_method)(_read(file, bar))
        if summary.error:
            self.stderr.write(f"{name}: {summary.error}")
        return summary

    def _keep(self, piece: Piece) -> None:
        if self.refused_file:
            self.refused_file.write(piece.data + b"\n")

    @staticmethod
    def _add(total: Summary, summary: Summary) -> None:
        for name in ("read", "new", "unchanged", "updated", "refused", "company_differs"):
            setattr(total, name, getattr(total, name) + getattr(summary, name))
        total.error = total.error or summary.error


def _read(file: IO[bytes], bar: tqdm) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        bar.update(len(chunk))
        yield chunk
