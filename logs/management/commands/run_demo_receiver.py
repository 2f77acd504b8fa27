from aiohttp import web
from django.core.management.base import BaseCommand, CommandParser

from logs.demo.receiver import DemoReceiver


class Command(BaseCommand):
    help = "Runs the demo's receiver on loopback. Its page shows the requests it received and can make it fail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8001)

    def handle(self, *args, **options) -> None:
        web.run_app(DemoReceiver().application(), host="127.0.0.1", port=options["port"], print=None)
