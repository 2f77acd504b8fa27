"""The migrations: what they do with a database from before the first release."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ..factories import make_log, make_subscription


@pytest.mark.django_db
def test_a_database_from_before_the_first_release_is_refused_and_keeps_its_data():
    make_subscription()
    log = make_log()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'logs'")
        with pytest.raises(CommandError, match="Start with an empty database"):
            call_command("migrate", "logs", verbosity=0)
        cursor.execute("SELECT count(*) FROM logs_webhooklog WHERE id = %s", [log.pk])
        assert cursor.fetchone() == (1,)
