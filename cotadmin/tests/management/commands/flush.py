"""Empties the tables after a test with real transactions, as Django's command of the same name does, in a twentieth of its time.

Django's truncates every table, which makes a new file for each table and index, and stores all permissions again. The tables of
a test hold few rows, so they are deleted. What migrations stored stays, since no test changes it: content types, permissions,
roles.
"""

from django.core.management.base import BaseCommand
from django.db import connection, transaction

KEPT = {"django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}
# PostgreSQL finishes the statement of a process that was killed, and its locks could deadlock with the deletion.
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'cotadmin %' AND pid <> pg_backend_pid()
"""
FIRST = "logs_webhooklog"  # its triggers write into other tables, which are emptied after it


class Command(BaseCommand):
    help = "Deletes all rows but those of migrations. Only in tests."
    stealth_options = ("interactive", "reset_sequences", "allow_cascade", "inhibit_post_migrate")

    def add_arguments(self, parser) -> None:
        parser.add_argument("--database")

    def handle(self, *args, **options) -> None:
        tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
        ordered = [FIRST, *sorted(tables - KEPT - {FIRST})]
        # Foreign keys are checked at the end of the transaction, so the order of the others does not matter.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(END_SESSIONS)
            cursor.execute(";".join(f"DELETE FROM {connection.ops.quote_name(table)}" for table in ordered))
