"""The rollups: what they are kept in, the trigger that keeps them, and the views that are read. Then what is there is counted."""

import django.db.models.deletion
from django.db import migrations, models

KIND = "subscription_id, state, cause, status, event_type, action, fingerprint"
DELTA = f"""
    INSERT INTO logs_rollupdelta (bucket, {KIND}, duration_bin, count)
    SELECT date_bin('5 minutes', created_at, '2000-01-01Z') AS bucket, {KIND},
        logs_duration_bin(duration_ms) AS duration_bin, sum(difference)
    FROM (%s) AS log
    GROUP BY bucket, {KIND}, duration_bin HAVING sum(difference) <> 0;
"""
ADDED = "SELECT *, 1 AS difference FROM added"
REMOVED = "SELECT *, -1 AS difference FROM removed"
TRIGGER = f"""
CREATE FUNCTION logs_duration_bin(ms integer) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN ms IS NOT NULL THEN least(63, floor(ln(greatest(ms, 1)) / ln(1.25)))::smallint END';

CREATE FUNCTION logs_note_difference() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {DELTA % ADDED}
    ELSIF TG_OP = 'DELETE' THEN {DELTA % REMOVED}
    ELSE {DELTA % f"{ADDED} UNION ALL {REMOVED}"}
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER logs_added AFTER INSERT ON logs_webhooklog
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION logs_note_difference();
CREATE TRIGGER logs_changed AFTER UPDATE ON logs_webhooklog
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION logs_note_difference();
CREATE TRIGGER logs_removed AFTER DELETE ON logs_webhooklog
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION logs_note_difference();
"""
NO_TRIGGER = """
DROP TRIGGER logs_removed ON logs_webhooklog;
DROP TRIGGER logs_changed ON logs_webhooklog;
DROP TRIGGER logs_added ON logs_webhooklog;
DROP FUNCTION logs_note_difference;
DROP FUNCTION logs_duration_bin;
"""
# A partition for each width: whoever reads days must not leaf through the five minutes in between.
WIDTHS = (5, 60, 360, 1440)
TABLES = """
CREATE SEQUENCE logs_rollup_id_seq;
CREATE TABLE logs_rollup (
    id bigint NOT NULL DEFAULT nextval('logs_rollup_id_seq'),
    bucket timestamptz NOT NULL,
    count bigint NOT NULL,
    state varchar(10) NOT NULL,
    cause varchar(10) NOT NULL,
    status integer,
    event_type varchar(60) NOT NULL,
    action varchar(60) NOT NULL,
    fingerprint varchar(120) NOT NULL,
    width smallint NOT NULL,
    subscription_id varchar(24) COLLATE "C" NOT NULL
) PARTITION BY LIST (width);
ALTER SEQUENCE logs_rollup_id_seq OWNED BY logs_rollup.id;
CREATE INDEX rollup_of_subscription ON logs_rollup (width, subscription_id, bucket);
CREATE INDEX rollup_empty ON logs_rollup (id) WHERE count = 0;

CREATE SEQUENCE logs_durationrollup_id_seq;
CREATE TABLE logs_durationrollup (
    id bigint NOT NULL DEFAULT nextval('logs_durationrollup_id_seq'),
    bucket timestamptz NOT NULL,
    count bigint NOT NULL,
    width smallint NOT NULL,
    bin smallint NOT NULL,
    subscription_id varchar(24) COLLATE "C" NOT NULL,
    CONSTRAINT duration_once UNIQUE (width, bucket, subscription_id, bin)
) PARTITION BY LIST (width);
ALTER SEQUENCE logs_durationrollup_id_seq OWNED BY logs_durationrollup.id;
CREATE INDEX duration_of_subscription ON logs_durationrollup (width, subscription_id, bucket);
CREATE INDEX duration_empty ON logs_durationrollup (id) WHERE count = 0;
""" + "".join(
    f"CREATE TABLE {table}_{width} PARTITION OF {table} FOR VALUES IN ({width});\n"
    for table in ("logs_rollup", "logs_durationrollup")
    for width in WIDTHS
)
NO_TABLES = "DROP TABLE logs_durationrollup; DROP TABLE logs_rollup"
# A status may be none, and an index takes one none for another only by an expression: PostgreSQL 14 has no other way.
ONCE = f"""
CREATE UNIQUE INDEX rollup_once ON logs_rollup
    (width, bucket, {KIND.replace("status", "coalesce(status, -1)")});
"""
OF_WIDTH = "date_bin(make_interval(mins => width), bucket, '2000-01-01Z')"
VIEWS = f"""
CREATE VIEW logs_cell AS
    SELECT id, width, bucket, {KIND}, count FROM logs_rollup
    UNION ALL
    SELECT id, width::smallint, {OF_WIDTH}, {KIND}, count
    FROM logs_rollupdelta CROSS JOIN unnest('{{5,60,360,1440}}'::int[]) AS width;

CREATE VIEW logs_durationcell AS
    SELECT id, width, bucket, subscription_id, bin, count FROM logs_durationrollup
    UNION ALL
    SELECT id, width::smallint, {OF_WIDTH}, subscription_id, duration_bin, count
    FROM logs_rollupdelta CROSS JOIN unnest('{{5,60,360,1440}}'::int[]) AS width
    WHERE duration_bin IS NOT NULL;
"""
NO_VIEWS = "DROP VIEW logs_durationcell; DROP VIEW logs_cell"
COUNT = DELTA % "SELECT *, 1 AS difference FROM logs_webhooklog"


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0004_delivery_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="Cell",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("count", models.BigIntegerField()),
                ("state", models.CharField(max_length=10)),
                ("cause", models.CharField(max_length=10)),
                ("status", models.IntegerField(null=True)),
                ("event_type", models.CharField(max_length=60)),
                ("action", models.CharField(max_length=60)),
                ("fingerprint", models.CharField(max_length=120)),
                ("width", models.SmallIntegerField()),
            ],
            options={
                "db_table": "logs_cell",
                "abstract": False,
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="DurationCell",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("count", models.BigIntegerField()),
                ("width", models.SmallIntegerField()),
                ("bin", models.SmallIntegerField()),
            ],
            options={
                "db_table": "logs_durationcell",
                "abstract": False,
                "managed": False,
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RollupDelta",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bucket", models.DateTimeField()),
                ("count", models.BigIntegerField()),
                ("state", models.CharField(max_length=10)),
                ("cause", models.CharField(max_length=10)),
                ("status", models.IntegerField(null=True)),
                ("event_type", models.CharField(max_length=60)),
                ("action", models.CharField(max_length=60)),
                ("fingerprint", models.CharField(max_length=120)),
                ("duration_bin", models.SmallIntegerField(null=True)),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="logs.subscription",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "default_permissions": (),
            },
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="DurationRollup",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("bucket", models.DateTimeField()),
                        ("count", models.BigIntegerField()),
                        ("width", models.SmallIntegerField()),
                        ("bin", models.SmallIntegerField()),
                        (
                            "subscription",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="logs.subscription",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "default_permissions": (),
                        "indexes": [
                            models.Index(
                                models.F("width"),
                                models.F("subscription"),
                                models.F("bucket"),
                                name="duration_of_subscription",
                            ),
                            models.Index(models.F("id"), condition=models.Q(("count", 0)), name="duration_empty"),
                        ],
                        "constraints": [
                            models.UniqueConstraint(
                                models.F("width"),
                                models.F("bucket"),
                                models.F("subscription"),
                                models.F("bin"),
                                name="duration_once",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Rollup",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("bucket", models.DateTimeField()),
                        ("count", models.BigIntegerField()),
                        ("state", models.CharField(max_length=10)),
                        ("cause", models.CharField(max_length=10)),
                        ("status", models.IntegerField(null=True)),
                        ("event_type", models.CharField(max_length=60)),
                        ("action", models.CharField(max_length=60)),
                        ("fingerprint", models.CharField(max_length=120)),
                        ("width", models.SmallIntegerField()),
                        (
                            "subscription",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="+",
                                to="logs.subscription",
                            ),
                        ),
                    ],
                    options={
                        "abstract": False,
                        "default_permissions": (),
                        "indexes": [
                            models.Index(
                                models.F("width"),
                                models.F("subscription"),
                                models.F("bucket"),
                                name="rollup_of_subscription",
                            ),
                            models.Index(models.F("id"), condition=models.Q(("count", 0)), name="rollup_empty"),
                        ],
                    },
                ),
            ],
            database_operations=[migrations.RunSQL(TABLES, NO_TABLES)],
        ),
        migrations.RunSQL(ONCE, "DROP INDEX rollup_once"),
        migrations.RunSQL(VIEWS, NO_VIEWS),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
