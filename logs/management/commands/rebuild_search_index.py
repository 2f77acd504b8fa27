"""Rebuilds the search index."""

from django.core.management.base import BaseCommand

from logs.logsearch.reindex import rebuild_search_index


class Command(BaseCommand):
    help = (
        "Rebuilds the search index of all events and responses. Run it after an update that asks "
        "for it, or when MASKED_KEYS has changed. It can run while cotadmin is running. You can "
        "interrupt it: the next run changes only what still differs."
    )

    def handle(self, *args, **options) -> None:
        texts = changed = 0
        for read, updated in rebuild_search_index():
            texts, changed = texts + read, changed + updated
            if self.stderr.isatty():
                self.stderr.write(f"{texts} events and responses", ending="\r")
        self.stdout.write(
            f"{texts} events and responses were read, {changed} of them were updated in the search index."
        )
