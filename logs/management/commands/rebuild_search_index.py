"""Makes the search index anew."""

from django.core.management.base import BaseCommand

from logs.logsearch.reindex import rebuild_search_index


class Command(BaseCommand):
    help = (
        "Finds the words of all events and responses anew: after an update that says so, and where MASKED_KEYS has changed. "
        "It may run while cotadmin does, and be interrupted; run again, it changes only what still differs."
    )

    def handle(self, *args, **options) -> None:
        texts = changed = 0
        for read, made_anew in rebuild_search_index():
            texts, changed = texts + read, changed + made_anew
            if self.stderr.isatty():
                self.stderr.write(f"{texts} events and responses", ending="\r")
        self.stdout.write(f"{texts} events and responses were read, and the words of {changed} of them made anew.")
