"""Rollups by the week: what has been since ever is in few of them, and the pages show that first."""

from django.db import migrations

KIND = "subscription_id, state, cause, status, event_type, action, fingerprint"
WEEK = "date_bin('7 days', bucket, '2000-01-01Z')"
TABLES = """
CREATE TABLE logs_rollup_10080 PARTITION OF logs_rollup FOR VALUES IN (10080);
CREATE TABLE logs_durationrollup_10080 PARTITION OF logs_durationrollup FOR VALUES IN (10080);
"""
NO_TABLES = "DROP TABLE logs_rollup_10080; DROP TABLE logs_durationrollup_10080"
COUNT = f"""
INSERT INTO logs_rollup (width, bucket, {KIND}, count)
SELECT 10080, {WEEK}, {KIND}, sum(count) FROM logs_rollup WHERE width = 1440 GROUP BY {WEEK}, {KIND};

INSERT INTO logs_durationrollup (width, bucket, subscription_id, bin, count)
SELECT 10080, {WEEK}, subscription_id, bin, sum(count) FROM logs_durationrollup WHERE width = 1440
GROUP BY {WEEK}, subscription_id, bin;
"""
OF_WIDTH = "date_bin(make_interval(mins => width), bucket, '2000-01-01Z')"
VIEWS = f"""
CREATE OR REPLACE VIEW logs_cell AS
    SELECT id, width, bucket, {KIND}, count FROM logs_rollup
    UNION ALL
    SELECT id, width::smallint, {OF_WIDTH}, {KIND}, count
    FROM logs_rollupdelta CROSS JOIN unnest('{{%s}}'::int[]) AS width;

CREATE OR REPLACE VIEW logs_durationcell AS
    SELECT id, width, bucket, subscription_id, bin, count FROM logs_durationrollup
    UNION ALL
    SELECT id, width::smallint, {OF_WIDTH}, subscription_id, duration_bin, count
    FROM logs_rollupdelta CROSS JOIN unnest('{{%s}}'::int[]) AS width
    WHERE duration_bin IS NOT NULL;
"""


def views(widths: str) -> str:
    return VIEWS % (widths, widths)


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0011_lighter_indexes"),
    ]

    operations = [
        # Nobody folds meanwhile: what is not folded yet is in the views.
        migrations.RunSQL("LOCK TABLE logs_rollup, logs_rollupdelta IN SHARE ROW EXCLUSIVE MODE", migrations.RunSQL.noop),
        migrations.RunSQL(TABLES, NO_TABLES),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
        migrations.RunSQL(views("5,60,360,1440,10080"), views("5,60,360,1440")),
    ]
