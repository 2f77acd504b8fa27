"""Rollups of all subscriptions together: a fraction of the rows, for who sees all."""

from django.db import migrations, models

KIND = "state, cause, status, event_type, action, fingerprint"
WIDTHS = (5, 60, 360, 1440, 10080)
# A partition for each width: whoever reads days must not leaf through the five minutes in between.
TABLES = f"""
CREATE SEQUENCE logs_rollupofall_id_seq;
CREATE TABLE logs_rollupofall (
    id bigint NOT NULL DEFAULT nextval('logs_rollupofall_id_seq'),
    bucket timestamptz NOT NULL,
    count bigint NOT NULL,
    state varchar(10) NOT NULL,
    cause varchar(10) NOT NULL,
    status integer,
    event_type varchar(60) NOT NULL,
    action varchar(60) NOT NULL,
    fingerprint varchar(120) NOT NULL,
    width smallint NOT NULL
) PARTITION BY LIST (width);
ALTER SEQUENCE logs_rollupofall_id_seq OWNED BY logs_rollupofall.id;
CREATE INDEX rollup_of_all_empty ON logs_rollupofall (id) WHERE count = 0;
CREATE UNIQUE INDEX rollup_of_all_once ON logs_rollupofall
    (width, bucket, {KIND.replace("status", "coalesce(status, -1)")});
""" + "".join(
    f"CREATE TABLE logs_rollupofall_{width} PARTITION OF logs_rollupofall FOR VALUES IN ({width});\n"
    for width in WIDTHS
)
COUNT = f"""
INSERT INTO logs_rollupofall (width, bucket, {KIND}, count)
SELECT width, bucket, {KIND}, sum(count) FROM logs_rollup
GROUP BY width, bucket, {KIND} HAVING sum(count) <> 0 ORDER BY width, bucket;
ANALYZE logs_rollupofall;
"""
VIEW = f"""
CREATE VIEW logs_cellofall AS
    SELECT id, width, bucket, {KIND}, count FROM logs_rollupofall
    UNION ALL
    SELECT id, width::smallint, date_bin(make_interval(mins => width), bucket, '2000-01-01Z'), {KIND}, count
    FROM logs_rollupdelta CROSS JOIN unnest('{{{",".join(map(str, WIDTHS))}}}'::int[]) AS width;
"""
FIELDS = [
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
]


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0013_taken_out"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="CellOfAll",
                    fields=FIELDS,
                    options={
                        "db_table": "logs_cellofall",
                        "abstract": False,
                        "managed": False,
                        "default_permissions": (),
                    },
                ),
                migrations.CreateModel(
                    name="RollupOfAll",
                    fields=FIELDS,
                    options={
                        "abstract": False,
                        "default_permissions": (),
                        "indexes": [
                            models.Index(models.F("id"), condition=models.Q(("count", 0)), name="rollup_of_all_empty")
                        ],
                    },
                ),
            ],
            database_operations=[
                # Nobody folds meanwhile: what is not folded yet is in the view. In the order in which folding takes them.
                migrations.RunSQL(
                    "LOCK TABLE logs_rollupdelta, logs_rollup IN SHARE ROW EXCLUSIVE MODE", migrations.RunSQL.noop
                ),
                migrations.RunSQL(TABLES, "DROP TABLE logs_rollupofall"),
                migrations.RunSQL(COUNT, migrations.RunSQL.noop),
                migrations.RunSQL(VIEW, "DROP VIEW logs_cellofall"),
            ],
        ),
    ]
