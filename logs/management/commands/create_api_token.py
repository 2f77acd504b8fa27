"""Makes an API token for a script that sends events in."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from logs.ingest import credentials
from logs.models import ApiToken, Company


class Command(BaseCommand):
    help = (
        "Makes an API token with which a script may send events in (POST /api/v3/events), and prints it. It is shown only now: "
        "of a token its SHA-256 alone is stored. It is revoked in the admin site."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what it is for, so that people can tell tokens apart")
        parser.add_argument(
            "--company",
            action="append",
            required=True,
            metavar="ID",
            dest="companies",
            help="a company whose events it may send in; may be given several times",
        )

    def handle(self, *args, **options) -> None:
        name, ids = options["name"].strip(), {pk.lower() for pk in options["companies"]}
        if not 0 < len(name) <= 100:
            raise CommandError("The name must have 1 to 100 characters.")
        companies = list(Company.objects.filter(pk__in=ids))
        if unknown := ids - {company.pk for company in companies}:
            raise CommandError(f"There is no such company: {', '.join(sorted(unknown))}")
        self.stdout.write(credentials.create_api_token(ApiToken(name=name), companies, by=None))
