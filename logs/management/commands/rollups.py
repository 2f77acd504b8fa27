"""Makes the figures of the pages anew, or checks them."""

from django.core.management.base import BaseCommand, CommandError

from logs.stats.verification import find_mismatches, rebuild_counts


class Command(BaseCommand):
    help = (
        "The counts by 5 minutes, hours, days and weeks that the pages show. They keep themselves up; `verify` compares them "
        "with the logs (status 1 where they differ), `rebuild` counts all logs anew. Both read every log, and may run while "
        "cotadmin does."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("what", choices=["verify", "rebuild"])

    def handle(self, *args, what: str, **options) -> None:
        if what == "rebuild":
            logs = 0
            for week, number in rebuild_counts():
                logs += number
                self.stderr.write(f"from {week:%Y-%m-%d}: {number} logs", ending="\r" if self.stderr.isatty() else "\n")
            self.stdout.write(f"{logs} logs were counted anew.")
            return
        wrong = {week: number for week, number in find_mismatches() if number}
        if wrong:
            weeks = ", ".join(f"{week:%Y-%m-%d}" for week in sorted(wrong)[:10])
            raise CommandError(
                f"{sum(wrong.values())} counts are wrong (in the weeks from {weeks}). Run `manage.py rollups rebuild`."
            )
        self.stdout.write("All counts are right.")
