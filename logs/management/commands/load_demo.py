from django.core.management.base import BaseCommand, CommandParser

from logs.demo import loading


class Command(BaseCommand):
    help = "Loads the demo: a company with six subscriptions and about 2,000 logs of the last 14 days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--receiver-url", default="http://127.0.0.1:8001", help="the URL that its subscriptions post to"
        )

    def handle(self, *args, **options) -> None:
        if loading.is_loaded():
            self.stdout.write("The demo is already loaded. Remove it with: manage.py remove_demo")
            return
        summary = loading.load(options["receiver_url"])
        self.stdout.write(f"Loaded the demo with {summary.new} logs. Remove it with: manage.py remove_demo")
