"""Makes the figures of the pages anew, or checks them."""

from django.core.management.base import BaseCommand, CommandError

from logs.rollups.folding import rebuild, wrong_cells


class Command(BaseCommand):
    help = (
        "The counts by 5 minutes, hours and days that the pages show. They keep themselves up; `verify` compares them with the "
        "logs (status 1 where they differ), `rebuild` counts all logs anew. Both read every log, and may run while cotadmin does."
    )

    def add_arguments(self, parser) -> None:
        parser.add_argument("what", choices=["verify", "rebuild"])

    def handle(self, *args, what: str, **options) -> None:
        if what == "rebuild":
            self.stdout.write(f"{rebuild()} logs were counted anew.")
        elif wrong := wrong_cells():
            raise CommandError(f"{wrong} counts are wrong. Run `manage.py rollups rebuild`.")
        else:
            self.stdout.write("All counts are right.")
