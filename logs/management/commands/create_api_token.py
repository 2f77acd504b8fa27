"""Creates an API token for a script that sends events."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError, CommandParser

from logs.ingest import credentials
from logs.models import ApiToken, Company


class Command(BaseCommand):
    help = (
        "Creates an API token that lets a script send events (POST /api/v3/events), and prints "
        "it. The token is shown only once: cotadmin stores only its SHA-256 hash. You can revoke "
        "it in the admin site."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the token is for, so that people can tell tokens apart")
        parser.add_argument(
            "--company",
            action="append",
            required=True,
            metavar="ID",
            dest="companies",
            help="a company whose events the token may send; repeat it for several companies",
        )

    def handle(self, *args, **options) -> None:
        name, ids = options["name"].strip(), {pk.lower() for pk in options["companies"]}
        if not 0 < len(name) <= 100:
            raise CommandError("The name must have 1 to 100 characters.")
        companies = list(Company.objects.filter(pk__in=ids))
        if unknown := ids - {company.pk for company in companies}:
            raise CommandError(f"Unknown company: {', '.join(sorted(unknown))}")
        self.stdout.write(credentials.create_api_token(ApiToken(name=name), companies, by=None))
