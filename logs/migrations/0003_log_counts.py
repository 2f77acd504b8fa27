"""Log counts: their tables, the trigger that counts, and the views that pages read. Described in logs/models/log_counts.py."""

import django.db.models.deletion
from django.db import migrations, models

# `width`: minutes of a bucket. Each width has its own partition, so a query for days doesn't read rows of five minutes.
# A page has room for new versions of its rows (fillfactor), and no index has the count: PostgreSQL updates it in place.
TABLES = """
CREATE TABLE logs_compactedlogcount (
    id bigserial NOT NULL,
    width smallint NOT NULL,
    bucket timestamptz NOT NULL,
    subscription_id varchar(24) COLLATE "C" NOT NULL,
    state varchar(10) NOT NULL,
    cause varchar(10) NOT NULL,
    status integer,
    event_type varchar(60) NOT NULL,
    action varchar(60) NOT NULL,
    fingerprint varchar(120) NOT NULL,
    count bigint NOT NULL
) PARTITION BY LIST (width);

CREATE TABLE logs_compactedlogcounttotal (
    id bigserial NOT NULL,
    width smallint NOT NULL,
    bucket timestamptz NOT NULL,
    state varchar(10) NOT NULL,
    cause varchar(10) NOT NULL,
    status integer,
    event_type varchar(60) NOT NULL,
    action varchar(60) NOT NULL,
    fingerprint varchar(120) NOT NULL,
    count bigint NOT NULL
) PARTITION BY LIST (width);

CREATE TABLE logs_compacteddurationcount (
    id bigserial NOT NULL,
    width smallint NOT NULL,
    bucket timestamptz NOT NULL,
    subscription_id varchar(24) COLLATE "C" NOT NULL,
    bin smallint NOT NULL,
    count bigint NOT NULL
) PARTITION BY LIST (width);
"""
PARTITIONS = "".join(
    f"CREATE TABLE {table}_{width} PARTITION OF {table} FOR VALUES IN ({width}) WITH (fillfactor = 85);\n"
    for table in ("logs_compactedlogcount", "logs_compactedlogcounttotal", "logs_compacteddurationcount")
    for width in (5, 60, 360, 1440, 10080)
)
# A status may be null. PostgreSQL 14 has no NULLS NOT DISTINCT, so the index is over an expression.
INDEXES = """
CREATE UNIQUE INDEX log_count_once ON logs_compactedlogcount
    (width, bucket, subscription_id, state, cause, coalesce(status, -1), event_type, action, fingerprint);
CREATE INDEX log_count_of_subscription ON logs_compactedlogcount (width, subscription_id, bucket);

CREATE UNIQUE INDEX log_count_total_once ON logs_compactedlogcounttotal
    (width, bucket, state, cause, coalesce(status, -1), event_type, action, fingerprint);

ALTER TABLE logs_compacteddurationcount
    ADD CONSTRAINT duration_count_once UNIQUE (width, bucket, subscription_id, bin);
CREATE INDEX duration_count_of_subscription ON logs_compacteddurationcount (width, subscription_id, bucket);
"""
NO_TABLES = """
DROP TABLE logs_compacteddurationcount;
DROP TABLE logs_compactedlogcounttotal;
DROP TABLE logs_compactedlogcount;
"""

# Every statement on the table of logs adds what it changed: +1 for each new version of a row, -1 for each old one.
TRIGGER = """
CREATE FUNCTION logs_duration_bin(ms integer) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN ms IS NOT NULL THEN least(63, floor(ln(greatest(ms, 1)) / ln(1.25)))::smallint END';

CREATE FUNCTION logs_count_difference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO logs_logcountdelta
            (bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin, count)
        SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket,
            subscription_id, state, cause, status, event_type, action, fingerprint,
            logs_duration_bin(duration_ms) AS duration_bin, count(*)
        FROM added
        GROUP BY bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO logs_logcountdelta
            (bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin, count)
        SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket,
            subscription_id, state, cause, status, event_type, action, fingerprint,
            logs_duration_bin(duration_ms) AS duration_bin, -count(*)
        FROM removed
        GROUP BY bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin;
    ELSE
        INSERT INTO logs_logcountdelta
            (bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin, count)
        SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket,
            subscription_id, state, cause, status, event_type, action, fingerprint,
            logs_duration_bin(duration_ms) AS duration_bin, sum(difference)
        FROM (SELECT *, 1 AS difference FROM added UNION ALL SELECT *, -1 AS difference FROM removed) AS log
        GROUP BY bucket, subscription_id, state, cause, status, event_type, action, fingerprint, duration_bin
        HAVING sum(difference) <> 0;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER logs_added AFTER INSERT ON logs_webhooklog
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION logs_count_difference();
CREATE TRIGGER logs_changed AFTER UPDATE ON logs_webhooklog
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION logs_count_difference();
CREATE TRIGGER logs_removed AFTER DELETE ON logs_webhooklog
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION logs_count_difference();
"""
NO_TRIGGER = """
DROP TRIGGER logs_removed ON logs_webhooklog;
DROP TRIGGER logs_changed ON logs_webhooklog;
DROP TRIGGER logs_added ON logs_webhooklog;
DROP FUNCTION logs_count_difference;
DROP FUNCTION logs_duration_bin;
"""

# The compacted counts, and in every width the differences that aren't compacted yet.
VIEWS = """
CREATE VIEW logs_logcount AS
    SELECT id, width, bucket, subscription_id, state, cause, status, event_type, action, fingerprint, count
    FROM logs_compactedlogcount
    UNION ALL
    SELECT id, width::smallint, date_bin(make_interval(mins => width), bucket, '2000-01-01Z'),
        subscription_id, state, cause, status, event_type, action, fingerprint, count
    FROM logs_logcountdelta CROSS JOIN unnest('{5,60,360,1440,10080}'::int[]) AS width;

CREATE VIEW logs_logcounttotal AS
    SELECT id, width, bucket, state, cause, status, event_type, action, fingerprint, count
    FROM logs_compactedlogcounttotal
    UNION ALL
    SELECT id, width::smallint, date_bin(make_interval(mins => width), bucket, '2000-01-01Z'),
        state, cause, status, event_type, action, fingerprint, count
    FROM logs_logcountdelta CROSS JOIN unnest('{5,60,360,1440,10080}'::int[]) AS width;

CREATE VIEW logs_durationcount AS
    SELECT id, width, bucket, subscription_id, bin, count
    FROM logs_compacteddurationcount
    UNION ALL
    SELECT id, width::smallint, date_bin(make_interval(mins => width), bucket, '2000-01-01Z'),
        subscription_id, duration_bin, count
    FROM logs_logcountdelta CROSS JOIN unnest('{5,60,360,1440,10080}'::int[]) AS width
    WHERE duration_bin IS NOT NULL;
"""
NO_VIEWS = "DROP VIEW logs_durationcount; DROP VIEW logs_logcounttotal; DROP VIEW logs_logcount"


def bucket_fields():
    return [
        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("bucket", models.DateTimeField()),
        ("count", models.BigIntegerField()),
    ]


def dimension_fields():
    return [
        ("state", models.CharField(max_length=10)),
        ("cause", models.CharField(max_length=10)),
        ("status", models.IntegerField(null=True)),
        ("event_type", models.CharField(max_length=60)),
        ("action", models.CharField(max_length=60)),
        ("fingerprint", models.CharField(max_length=120)),
    ]


def width_field():
    return "width", models.SmallIntegerField()


def subscription_field():
    return "subscription", models.ForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.DO_NOTHING,
        related_name="+",
        to="logs.subscription",
    )


TABLE_OPTIONS = {"abstract": False, "default_permissions": ()}
VIEW_OPTIONS = {"abstract": False, "default_permissions": (), "managed": False}


class Migration(migrations.Migration):
    dependencies = [("logs", "0001_tables")]

    operations = [
        migrations.CreateModel(
            name="LogCountDelta",
            fields=[
                *bucket_fields(),
                *dimension_fields(),
                ("duration_bin", models.SmallIntegerField(null=True)),
                subscription_field(),
            ],
            options=TABLE_OPTIONS,
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(TABLES + PARTITIONS + INDEXES, NO_TABLES),
                migrations.RunSQL(VIEWS, NO_VIEWS),
                migrations.RunSQL(TRIGGER, NO_TRIGGER),
            ],
            state_operations=[
                migrations.CreateModel(
                    name="CompactedLogCount",
                    fields=[*bucket_fields(), *dimension_fields(), width_field(), subscription_field()],
                    options=TABLE_OPTIONS
                    | {"indexes": [models.Index("width", "subscription", "bucket", name="log_count_of_subscription")]},
                ),
                migrations.CreateModel(
                    name="CompactedLogCountTotal",
                    fields=[*bucket_fields(), *dimension_fields(), width_field()],
                    options=TABLE_OPTIONS,
                ),
                migrations.CreateModel(
                    name="CompactedDurationCount",
                    fields=[*bucket_fields(), width_field(), ("bin", models.SmallIntegerField()), subscription_field()],
                    options=TABLE_OPTIONS
                    | {
                        "indexes": [
                            models.Index("width", "subscription", "bucket", name="duration_count_of_subscription")
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                "width", "bucket", "subscription", "bin", name="duration_count_once"
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="LogCount",
                    fields=[*bucket_fields(), *dimension_fields(), width_field(), subscription_field()],
                    options=VIEW_OPTIONS | {"db_table": "logs_logcount"},
                ),
                migrations.CreateModel(
                    name="LogCountTotal",
                    fields=[*bucket_fields(), *dimension_fields(), width_field()],
                    options=VIEW_OPTIONS | {"db_table": "logs_logcounttotal"},
                ),
                migrations.CreateModel(
                    name="DurationCount",
                    fields=[*bucket_fields(), width_field(), ("bin", models.SmallIntegerField()), subscription_field()],
                    options=VIEW_OPTIONS | {"db_table": "logs_durationcount"},
                ),
            ],
        ),
    ]
