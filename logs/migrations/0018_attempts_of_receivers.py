"""Attempts say whose receiver they tell of, so that the last one to each is found by an index. Those that are there say it, too."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Not of Cotalker's own tries, and not of what went to another URL.
FILL = """
UPDATE logs_attempt attempt SET subscription_id = log.subscription_id
FROM logs_webhooklog log
WHERE log.id = attempt.log_id AND attempt.trigger <> 'cotalker' AND NOT EXISTS (
    SELECT FROM logs_variant variant
    WHERE variant.log_id = attempt.log_id AND variant.number = attempt.number AND variant.url <> '' AND attempt.trigger = 'variant'
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0017_stuck_outcomes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="subscription",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                editable=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="logs.subscription",
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                models.F("subscription"),
                models.F("cause"),
                models.F("started_at"),
                condition=models.Q(("subscription__isnull", False)),
                name="attempt_to_receiver",
            ),
        ),
    ]
