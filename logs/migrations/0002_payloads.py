"""Payloads, partitioned by month of their log's id. Django can't create a partitioned table, so this is SQL.

The partition of each month is created by logs/db/payload_partitions.py.
"""

import django.db.models.deletion
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import migrations, models
from django.db.models import Q

from logs.models.fields import JSONTextField

PAYLOAD = """
CREATE TABLE logs_payload (
    log_id varchar(24) COLLATE "C" NOT NULL PRIMARY KEY,
    event json NOT NULL,
    search tsvector NOT NULL,
    search_2 tsvector,
    search_3 tsvector,
    search_4 tsvector
) PARTITION BY RANGE (log_id);

CREATE TABLE logs_payload_default PARTITION OF logs_payload DEFAULT;
"""
# Django creates it for LIKE. Ids are compared by their bytes, so the primary key also finds prefixes.
LIKE_INDEX = "DROP INDEX IF EXISTS logs_webhooklog_id_45431cb5_like"


class Migration(migrations.Migration):
    dependencies = [("logs", "0001_tables")]

    operations = [
        migrations.RunSQL(LIKE_INDEX, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(PAYLOAD, "DROP TABLE logs_payload")],
            state_operations=[
                migrations.CreateModel(
                    name="Payload",
                    fields=[
                        (
                            "log",
                            models.OneToOneField(
                                db_constraint=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="payload",
                                serialize=False,
                                to="logs.webhooklog",
                                verbose_name="webhook log",
                            ),
                        ),
                        ("event", JSONTextField(verbose_name="event")),
                        ("search", SearchVectorField(editable=False, verbose_name="search index")),
                        ("search_2", SearchVectorField(editable=False, null=True)),
                        ("search_3", SearchVectorField(editable=False, null=True)),
                        ("search_4", SearchVectorField(editable=False, null=True)),
                    ],
                    options={"verbose_name": "payload", "verbose_name_plural": "payloads"},
                ),
            ],
        ),
        *(
            migrations.AddIndex(model_name="payload", index=index)
            for index in (
                GinIndex("search", name="payload_words"),
                GinIndex("search_2", name="payload_words_2", condition=Q(search_2__isnull=False)),
                GinIndex("search_3", name="payload_words_3", condition=Q(search_3__isnull=False)),
                GinIndex("search_4", name="payload_words_4", condition=Q(search_4__isnull=False)),
            )
        ),
    ]
