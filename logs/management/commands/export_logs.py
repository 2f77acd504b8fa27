"""Exports logs as Cotalker documents."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.http import QueryDict

from logs.logsearch.export import iter_export
from logs.logsearch.filterset import WebhookLogFilterSet
from logs.models import AuditAction, AuditEntry


class Command(BaseCommand):
    help = (
        "Writes webhook logs as NDJSON, one document per line, oldest first. The filters are "
        "those of the Logs page: manage.py export_logs 'state=failed&range=24h', or the part of "
        "its URL after the ?. Values under masked keys are masked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("query", nargs="?", default="", metavar="FILTERS", help="name=value&name=value …")
        parser.add_argument("--output", "-o", metavar="FILE", help="write to this file instead of standard output")
        parser.add_argument(
            "--unmasked", action="store_true", help="write masked values too; the audit log records this"
        )

    def handle(self, *args, **options) -> None:
        filterset = WebhookLogFilterSet(QueryDict(options["query"].lstrip("?")))
        if not filterset.is_valid():
            raise CommandError(
                "; ".join(f"{label}: {' '.join(map(str, reasons))}" for label, reasons in filterset.problems.items())
            )
        if options["unmasked"]:
            AuditEntry.record(None, AuditAction.EXPORTED_UNMASKED, detail=f"export_logs {options['query']}")
        number = 0
        try:
            output = Path(options["output"]).open("w", encoding="utf-8") if options["output"] else self.stdout  # noqa: SIM115
            for line in iter_export(filterset.criteria, is_masked=not options["unmasked"]):
                output.write(line + "\n")
                number += 1
            output.flush()
        except OSError as error:
            raise CommandError(f"{options['output'] or 'standard output'}: {error.strerror}") from error
        self.stderr.write(f"{number} logs written")
