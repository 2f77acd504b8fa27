"""What `import_logs` and `import_subscriptions` share: files in, a progress bar, a summary out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Any, ClassVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from logs.cotalker.unpacking import UnreadableFile
from logs.imports.importer import Importer, ImportSummary, Rejection
from logs.payloads.masking import masked_keys

CHUNK = 1 << 20


class ImportCommand(BaseCommand):
    """Reads each file with the method of Importer that `importer_method` names.

    Exits with status 1 if a document was rejected or a file couldn't be read to its end.
    """

    importer_method: ClassVar[str]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="a file to read; - for standard input")
        parser.add_argument("--rejected", metavar="FILE", help="write rejected documents to this file")

    def handle(self, *args: Any, **options: Any) -> None:
        total = ImportSummary()
        with _open_rejected(options["rejected"], options["files"]) as self.rejected_file:
            for name in options["files"]:
                self._add(total, self._import(name))
        self.stdout.write(
            f"read {total.read}, new {total.new}, unchanged {total.unchanged}, updated {total.updated}, rejected {total.rejected}"
        )
        if total.company_differs:
            self.stdout.write(
                f"{total.company_differs} have a different company than their subscription; their pages show it"
            )
        if total.corrected:
            self.stdout.write(f"{total.corrected} had comments or trailing commas, which were removed")
        if total.rejected or total.error:
            sys.exit(1)

    def _import(self, name: str) -> ImportSummary:
        def report(rejection: Rejection) -> None:
            self._say(f"{name}: {rejection}")
            if self.rejected_file:
                self.rejected_file.write(rejection.piece.data + b"\n")

        importer = Importer(masked_keys(), on_rejection=report)
        try:
            file = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115
        except OSError as error:
            summary = ImportSummary(error=error.strerror or str(error))
        else:
            size = None if name == "-" else Path(name).stat().st_size
            with file, tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=not sys.stderr.isatty()) as bar:
                summary = getattr(importer, self.importer_method)(_read(file, bar))
        if summary.error:
            self._say(f"{name}: {summary.error}")
        return summary

    def _say(self, line: str) -> None:
        with tqdm.external_write_mode():
            self.stderr.write(line)

    @staticmethod
    def _add(total: ImportSummary, summary: ImportSummary) -> None:
        for name in ("read", "new", "unchanged", "updated", "rejected", "company_differs", "corrected"):
            setattr(total, name, getattr(total, name) + getattr(summary, name))
        total.error = total.error or summary.error


def _open_rejected(name: str | None, files: list[str]) -> AbstractContextManager[IO[bytes] | None]:
    """Open and empty the file for rejected documents.

    Raises CommandError if that fails, or if it is one of the input files.
    """
    if not name:
        return nullcontext()
    path = Path(name)
    if path.exists() and any(path.samefile(file) for file in files if Path(file).exists()):
        raise CommandError(f"{name}: this is an input file; write rejected documents to another file")
    try:
        return path.open("wb")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error


def _read(file: IO[bytes], bar: tqdm) -> Iterator[bytes]:
    try:
        while chunk := file.read(CHUNK):
            bar.update(len(chunk))
            yield chunk
    except OSError as error:
        raise UnreadableFile(error.strerror or str(error)) from error
