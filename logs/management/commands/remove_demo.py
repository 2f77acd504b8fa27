from django.core.management.base import BaseCommand

from logs.demo import loading
from logs.models import AuditAction, AuditEntry


class Command(BaseCommand):
    help = "Removes the demo: its company, subscriptions and logs. Nothing else is touched."

    def handle(self, *args, **options) -> None:
        if not loading.is_loaded():
            self.stdout.write("There is no demo.")
            return
        number = loading.remove()
        AuditEntry.record(None, AuditAction.DEMO_REMOVED)
        self.stdout.write(f"Removed the demo with {number} logs.")
