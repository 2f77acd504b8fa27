"""An index of what was received of each object: whether a log is stale is one step in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0025_placeholders"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("subscription"),
                models.F("object_id"),
                models.F("created_at"),
                condition=models.Q(("state", "succeeded"), models.Q(("object_id", ""), _negated=True)),
                name="log_received",
            ),
        ),
    ]
