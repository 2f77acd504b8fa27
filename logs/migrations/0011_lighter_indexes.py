"""What every change of a log or of an entry had to be written to, and nobody reads: two indexes less to keep."""

from django.db import migrations, models

LIKE = "logs_webhooklog_id_45431cb5_like"


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0010_variants"),
    ]

    operations = [
        # Django makes it for LIKE. Ids are compared by their bytes, so the primary key finds beginnings too.
        migrations.RunSQL(
            f"DROP INDEX IF EXISTS {LIKE}",
            f"CREATE INDEX {LIKE} ON logs_webhooklog (id varchar_pattern_ops)",
        ),
        # Of what is settled the ledger asks in the order of numbers, by another index.
        migrations.RemoveIndex(model_name="runentry", name="run_entry_next"),
        migrations.AddIndex(
            model_name="runentry",
            index=models.Index(
                models.F("run"),
                models.F("subscription"),
                models.F("outcome"),
                models.F("number"),
                condition=models.Q(("outcome__in", ["waiting", "queued"])),
                name="run_entry_next",
            ),
        ),
    ]
