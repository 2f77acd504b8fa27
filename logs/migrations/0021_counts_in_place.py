"""Counts of the rollups are updated in place: no index has them, and a page has room for a new version of some of its rows."""

from django.db import migrations

PARTITIONS = [
    f"{table}_{width}"
    for table in ("logs_rollup", "logs_rollupofall", "logs_durationrollup")
    for width in (5, 60, 360, 1440, 10080)
]
FORWARDS = ";\n".join(f"ALTER TABLE {partition} SET (fillfactor = 85)" for partition in PARTITIONS)
BACKWARDS = ";\n".join(f"ALTER TABLE {partition} RESET (fillfactor)" for partition in PARTITIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0020_odd_documents"),
    ]

    operations = [
        migrations.RemoveIndex(model_name="rollup", name="rollup_empty"),
        migrations.RemoveIndex(model_name="rollupofall", name="rollup_of_all_empty"),
        migrations.RemoveIndex(model_name="durationrollup", name="duration_empty"),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
