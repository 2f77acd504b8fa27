"""Rebuilds or checks the log counts that the pages show."""

from django.core.management.base import BaseCommand, CommandError

from logs.stats.verification import find_mismatches, rebuild_counts


class Command(BaseCommand):
    help = (
        "Checks or rebuilds the log counts by 5 minutes, hours, days and weeks that the pages "
        "show. They are updated automatically. `verify` compares them with the logs (exit status "
        "1 if they differ), `rebuild` recounts all logs. Both read every log and can run while "
        "cotadmin is running."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("what", choices=["verify", "rebuild"])

    def handle(self, *args, what: str, **options) -> None:
        if what == "rebuild":
            logs = 0
            for week, number in rebuild_counts():
                logs += number
                self.stderr.write(f"from {week:%Y-%m-%d}: {number} logs", ending="\r" if self.stderr.isatty() else "\n")
            self.stdout.write(f"{logs} logs were recounted.")
            return
        wrong = {week: number for week, number in find_mismatches() if number}
        if wrong:
            weeks = ", ".join(f"{week:%Y-%m-%d}" for week in sorted(wrong)[:10])
            raise CommandError(
                f"{sum(wrong.values())} counts are wrong (in the weeks starting {weeks}). "
                "Run `manage.py log_counts rebuild`."
            )
        self.stdout.write("All counts are correct.")
