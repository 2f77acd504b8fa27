"""Removes payloads and logs that are past their retention."""

from django.core.management.base import BaseCommand, CommandError

from logs.models import Retention
from logs.retention.payload_expiry import ExpiredMonth
from logs.retention.prune import AlreadyRunning, PruneResult, prune


class Command(BaseCommand):
    help = (
        "Removes payloads and finished logs that are older than the days set on the Retention "
        "page. The worker does this every night. Open logs and their payloads are never removed. "
        "You can interrupt it: the next run continues."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="show the same numbers without changing anything")

    def handle(self, *args, dry_run: bool, **options) -> None:
        retention = Retention.current()
        if retention.payload_days is None and retention.log_days is None:
            self.stdout.write(
                "Payloads and logs are kept forever. A superuser can set their retention on the Retention page."
            )
            return
        try:
            outcome = prune(is_dry=dry_run, on_step=self._progress)
        except AlreadyRunning as error:
            raise CommandError("Another process is pruning. Nothing was removed.") from error
        for month in outcome.months:
            self.stdout.write(_describe(month, dry_run))
        verb = "would be removed" if dry_run else "were removed"
        self.stdout.write(f"{outcome.payloads} payloads and {outcome.logs} logs {verb}.")

    def _progress(self, outcome: PruneResult) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"{outcome.payloads} payloads, {outcome.logs} logs", ending="\r")


def _describe(month: ExpiredMonth, is_dry: bool) -> str:
    name = f"{month.month:%Y-%m}" if month.month else "without a month"
    if month.is_busy:
        return f"{name}: in use, left for the next run"
    retained = f", {month.retained} kept because their logs are open" if month.retained else ""
    return f"{name}: {month.removed} payloads{' would expire' if is_dry else ''}{retained}"
