"""Places come from a sequence, so an event that comes in writes no new version of its subscription's row; and where to read a lane from.

While an old snapshot is open, PostgreSQL keeps every version of a row, and every entry of an index, and walks through all of them.
"""

from django.db import migrations, models

MAKE = """
CREATE SEQUENCE logs_position;
SELECT setval('logs_position', (SELECT coalesce(max(last_position), 0) + 1 FROM logs_subscription), false);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0026_received"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscription",
            name="waiting_from",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunSQL(MAKE, "UPDATE logs_subscription SET last_position = nextval('logs_position'); DROP SEQUENCE logs_position"),
        migrations.RemoveField(model_name="subscription", name="last_position"),
    ]
