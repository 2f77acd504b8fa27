"""Everything that Django can create by itself. The SQL of what it can't is in the next two migrations.

cotadmin wasn't released before this file, so it doesn't update older databases. It tells you so instead.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.core.management.base import CommandError
from django.db import migrations, models

import logs.cotalker.objectid
import logs.models.fields

QUEUE_SEQUENCE = "CREATE SEQUENCE logs_queue_sequence"


def refuse_older_database(apps, schema_editor):
    if "logs_webhooklog" in schema_editor.connection.introspection.table_names():
        raise CommandError(
            "This database belongs to a version of cotadmin from before its first release, and can't be updated. "
            "Start with an empty database: delete var/, or set DATA_DIR or DATABASE_URL to a new one."
        )


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunPython(refuse_older_database, migrations.RunPython.noop),
        migrations.CreateModel(
            name="DeliveryCount",
            fields=[
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("timeout", "No answer in time"),
                            ("refused", "Connection refused"),
                            ("dns", "DNS lookup failed"),
                            ("tls", "TLS error"),
                            ("reset", "Connection reset"),
                            ("http_4xx", "Refused by the receiver (4xx)"),
                            ("http_5xx", "Error at the receiver (5xx)"),
                            ("redirect", "Redirected (3xx)"),
                            ("blocked", "Blocked by the destination check"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("attempts", models.BigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0)),
                ("buckets", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        migrations.CreateModel(
            name="WebhookLog",
            fields=[
                ("next_attempt_at", models.DateTimeField(null=True, verbose_name="next attempt")),
                (
                    "priority",
                    models.SmallIntegerField(
                        choices=[(0, "retry"), (1, "redelivery"), (2, "normal")], editable=False, null=True
                    ),
                ),
                ("sequence", models.BigIntegerField(editable=False, null=True)),
                (
                    "attempts_left",
                    models.SmallIntegerField(db_default=0, default=0, editable=False, verbose_name="attempts left"),
                ),
                (
                    "trigger",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("cotalker", "by Cotalker"),
                            ("auto", "automatic"),
                            ("manual", "redelivery"),
                            ("bulk", "bulk redelivery"),
                            ("override", "redelivery with changes"),
                        ],
                        db_default="",
                        editable=False,
                        max_length=10,
                    ),
                ),
                (
                    "id",
                    logs.models.fields.ObjectIdField(
                        default=logs.cotalker.objectid.new_objectid,
                        primary_key=True,
                        serialize=False,
                        verbose_name="id",
                    ),
                ),
                (
                    "company",
                    logs.models.fields.ObjectIdField(
                        help_text="From the log itself; may differ from the subscription’s company.",
                        verbose_name="company",
                    ),
                ),
                ("created_at", models.DateTimeField(verbose_name="created")),
                ("status", models.IntegerField(null=True, verbose_name="status")),
                ("attempt_count", models.IntegerField(null=True, verbose_name="attempts")),
                ("response", models.TextField(null=True, verbose_name="response")),
                (
                    "extra",
                    logs.models.fields.JSONTextField(
                        help_text="Fields of the document that have no column.", null=True, verbose_name="other fields"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("retrying", "Retrying"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                            ("superseded", "Superseded"),
                        ],
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("timeout", "No answer in time"),
                            ("refused", "Connection refused"),
                            ("dns", "DNS lookup failed"),
                            ("tls", "TLS error"),
                            ("reset", "Connection reset"),
                            ("http_4xx", "Refused by the receiver (4xx)"),
                            ("http_5xx", "Error at the receiver (5xx)"),
                            ("redirect", "Redirected (3xx)"),
                            ("blocked", "Blocked by the destination check"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        verbose_name="cause",
                    ),
                ),
                ("fingerprint", models.CharField(blank=True, max_length=120, verbose_name="fingerprint")),
                ("event_type", models.CharField(blank=True, max_length=60, verbose_name="event type")),
                ("action", models.CharField(blank=True, max_length=60, verbose_name="action")),
                ("object_id", logs.models.fields.ObjectIdField(blank=True, verbose_name="object id")),
                ("object_name", models.CharField(blank=True, max_length=200, verbose_name="object")),
                ("duration_ms", models.IntegerField(null=True, verbose_name="duration")),
                (
                    "search",
                    django.contrib.postgres.search.SearchVectorField(
                        editable=False, help_text="The words of the response.", verbose_name="search index"
                    ),
                ),
                ("is_test", models.BooleanField(db_default=False, default=False, editable=False, verbose_name="test")),
                (
                    "requested_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="redelivery requested by",
                    ),
                ),
            ],
            options={
                "verbose_name": "webhook log",
                "verbose_name_plural": "webhook logs",
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("redeliver_webhooklog", "Can redeliver webhook logs"),
                    ("reveal_masked", "Can reveal masked values"),
                ],
            },
        ),
        migrations.CreateModel(
            name="QueueShard",
            fields=[
                ("number", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("holder", models.CharField(blank=True, max_length=100)),
                ("epoch", models.BigIntegerField(default=0)),
                ("expires_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="SignInAttempts",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("attempts", models.IntegerField()),
                ("since", models.DateTimeField(db_index=True)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("first_sequence", models.BigIntegerField(db_default=0, default=0, editable=False)),
                ("queue_version", models.BigIntegerField(default=0, editable=False)),
                (
                    "pause_on_exhausted",
                    models.BooleanField(
                        choices=[
                            (False, "Continue with the next event"),
                            (True, "Pause the queue until someone decides"),
                        ],
                        default=False,
                        verbose_name="after the last attempt",
                    ),
                ),
                ("paused_at", models.DateTimeField(editable=False, null=True, verbose_name="paused since")),
                ("blocking_log", logs.models.fields.ObjectIdField(blank=True, editable=False)),
                ("blocking_error", models.CharField(blank=True, db_default="", editable=False, max_length=200)),
                ("is_draining", models.BooleanField(default=False, editable=False)),
                (
                    "id",
                    logs.models.fields.ObjectIdField(
                        default=logs.cotalker.objectid.new_objectid,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[0-9a-f]{24}\\Z", "An ObjectId has 24 digits from 0 to 9 and a to f."
                            )
                        ],
                        verbose_name="id",
                    ),
                ),
                ("name", models.CharField(max_length=200, verbose_name="name")),
                (
                    "code",
                    models.CharField(
                        help_text="Unique in the company. It cannot be changed once saved.",
                        max_length=100,
                        validators=[
                            django.core.validators.RegexValidator("^[a-z0-9_]+\\Z", "Only a–z, 0–9 and _ are allowed.")
                        ],
                        verbose_name="code",
                    ),
                ),
                ("description", models.TextField(blank=True, verbose_name="description")),
                (
                    "url",
                    models.CharField(
                        blank=True,
                        help_text="The http or https URL that events are posted to.",
                        max_length=2000,
                        verbose_name="URL",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
                ("trigger", models.CharField(blank=True, max_length=40, verbose_name="trigger")),
                (
                    "context_survey",
                    logs.models.fields.ObjectIdField(
                        blank=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[0-9a-f]{24}\\Z", "An ObjectId has 24 digits from 0 to 9 and a to f."
                            )
                        ],
                        verbose_name="survey",
                    ),
                ),
                (
                    "context_group",
                    logs.models.fields.ObjectIdField(
                        blank=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[0-9a-f]{24}\\Z", "An ObjectId has 24 digits from 0 to 9 and a to f."
                            )
                        ],
                        verbose_name="group",
                    ),
                ),
                (
                    "context_task_group",
                    logs.models.fields.ObjectIdField(
                        blank=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[0-9a-f]{24}\\Z", "An ObjectId has 24 digits from 0 to 9 and a to f."
                            )
                        ],
                        verbose_name="task group",
                    ),
                ),
                (
                    "is_placeholder",
                    models.BooleanField(
                        default=False,
                        editable=False,
                        help_text="Logs refer to this subscription, but it has not been imported yet.",
                        verbose_name="placeholder",
                    ),
                ),
                ("named_id", logs.models.fields.ObjectIdField(blank=True, db_default="", default="", editable=False)),
                ("is_for_all_companies", models.BooleanField(db_default=False, default=False, editable=False)),
                ("edited_fields", models.JSONField(default=list, editable=False, verbose_name="edited here")),
                ("document", logs.models.fields.JSONTextField(editable=False, null=True, verbose_name="document")),
                ("encrypted_secret", models.TextField(blank=True, editable=False, verbose_name="secret")),
                ("encrypted_previous_secret", models.TextField(blank=True, editable=False)),
                ("previous_secret_until", models.DateTimeField(editable=False, null=True)),
                ("encrypted_headers", models.TextField(blank=True, editable=False)),
                (
                    "timeout",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Seconds before an attempt times out. Leave empty for the default.",
                        null=True,
                        verbose_name="timeout",
                    ),
                ),
                (
                    "is_delivered_here",
                    models.BooleanField(default=True, editable=False, verbose_name="delivered by cotadmin"),
                ),
            ],
            options={
                "verbose_name": "subscription",
                "verbose_name_plural": "subscriptions",
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                ("id", models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name="id")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("problems", models.TextField(blank=True, db_default="")),
                ("stuck_since", models.DateTimeField(null=True, verbose_name="cannot save outcomes since")),
            ],
            options={
                "verbose_name": "worker",
                "verbose_name_plural": "workers",
                "ordering": ["id"],
            },
        ),
        migrations.CreateModel(
            name="AcceptedEvent",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                (
                    "logs",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=24), size=None),
                ),
                ("accepted_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(models.F("accepted_at"), name="accepted_event_age")],
            },
        ),
        migrations.CreateModel(
            name="Company",
            fields=[
                (
                    "id",
                    logs.models.fields.ObjectIdField(
                        primary_key=True,
                        serialize=False,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[0-9a-f]{24}\\Z", "An ObjectId has 24 digits from 0 to 9 and a to f."
                            )
                        ],
                        verbose_name="id",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=200, verbose_name="name")),
                (
                    "users",
                    models.ManyToManyField(
                        blank=True,
                        help_text="These users see this company’s subscriptions and logs. Superusers see all companies.",
                        related_name="companies",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="users",
                    ),
                ),
            ],
            options={
                "verbose_name": "company",
                "verbose_name_plural": "companies",
                "ordering": ["name", "id"],
            },
        ),
        migrations.CreateModel(
            name="BulkRedelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("filter", "a log filter"),
                            ("selected", "logs selected one by one"),
                            ("ids", "a list of ids"),
                            ("still_failing", "logs that still failed in another bulk redelivery"),
                        ],
                        max_length=20,
                        verbose_name="source",
                    ),
                ),
                ("query", models.TextField(blank=True, verbose_name="filter")),
                (
                    "unknown",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), default=list, size=None
                    ),
                ),
                (
                    "selected_subscriptions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list, size=None
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=200, verbose_name="reason")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("planning", "Planning"),
                            ("planned", "Planned"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("stopped", "Stopped"),
                            ("finished", "Finished"),
                        ],
                        default="planning",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("problem", models.CharField(blank=True, max_length=500)),
                (
                    "superseded_policy",
                    models.CharField(
                        choices=[
                            ("exclude", "exclude them"),
                            ("send", "send them too"),
                            ("resend_latest", "send them, then redeliver the newest event of each object"),
                        ],
                        default="exclude",
                        max_length=20,
                        verbose_name="superseded logs",
                    ),
                ),
                ("includes_delivered", models.BooleanField(default=False, verbose_name="includes delivered logs")),
                (
                    "rollout",
                    models.CharField(
                        choices=[
                            ("stages", "one log per subscription, then 10 %, then the rest"),
                            ("ask", "one log per subscription, then wait for your confirmation"),
                            ("none", "all at once"),
                        ],
                        default="stages",
                        max_length=10,
                        verbose_name="canary",
                    ),
                ),
                ("max_attempts", models.PositiveSmallIntegerField(default=1, verbose_name="attempts per log")),
                ("rate", models.PositiveIntegerField(null=True, verbose_name="maximum logs per second")),
                (
                    "failure_percent",
                    models.PositiveSmallIntegerField(default=20, verbose_name="failure percentage for auto-pause"),
                ),
                ("stage", models.SmallIntegerField(default=0)),
                (
                    "pause_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("person", "paused by a user"),
                            ("canary_failed", "a log of the canary failed"),
                            ("canary_done", "the canary was delivered; waiting for your confirmation"),
                            ("failures", "too many of the latest logs failed"),
                            ("account", "the user who started it is no longer allowed to redeliver"),
                            ("fault", "an unexpected error"),
                        ],
                        max_length=20,
                    ),
                ),
                ("failures_counted_from", models.DateTimeField(null=True)),
                ("rate_limited_until", models.DateTimeField(null=True)),
                ("planned_at", models.DateTimeField(verbose_name="planned")),
                ("started_at", models.DateTimeField(null=True, verbose_name="started")),
                ("ended_at", models.DateTimeField(null=True, verbose_name="ended")),
                (
                    "acting_user",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="logs.bulkredelivery",
                        verbose_name="previous bulk redelivery",
                    ),
                ),
                (
                    "planned_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="planned by",
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="started by",
                    ),
                ),
                ("companies", models.ManyToManyField(related_name="+", to="logs.company", verbose_name="companies")),
            ],
            options={
                "verbose_name": "bulk redelivery",
                "verbose_name_plural": "bulk redeliveries",
                "ordering": ["-id"],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("secret_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("hint", models.CharField(editable=False, max_length=4, verbose_name="ends in")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "companies",
                    models.ManyToManyField(
                        help_text="The token can only send events for these companies.",
                        related_name="api_tokens",
                        to="logs.company",
                        verbose_name="companies",
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="Import",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("logs", "Webhook logs"), ("subscriptions", "Subscriptions")],
                        max_length=20,
                        verbose_name="kind",
                    ),
                ),
                ("file_name", models.CharField(max_length=255, verbose_name="file")),
                ("size", models.BigIntegerField(verbose_name="size")),
                ("uploaded_at", models.DateTimeField(auto_now_add=True, verbose_name="uploaded")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting for a worker"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("epoch", models.IntegerField(db_default=0, default=0)),
                ("failed_starts", models.IntegerField(db_default=0, default=0)),
                ("bytes_read", models.BigIntegerField(default=0)),
                ("read", models.IntegerField(default=0, verbose_name="read")),
                ("new", models.IntegerField(default=0, verbose_name="new")),
                ("unchanged", models.IntegerField(default=0, verbose_name="unchanged")),
                ("updated", models.IntegerField(default=0, verbose_name="updated")),
                ("rejected", models.IntegerField(default=0, verbose_name="rejected")),
                ("company_differs", models.IntegerField(default=0)),
                ("corrected", models.IntegerField(default=0)),
                ("error", models.TextField(blank=True, verbose_name="error")),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
            options={
                "verbose_name": "import",
                "verbose_name_plural": "imports",
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="ImportChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField()),
                ("data", models.BinaryField()),
                (
                    "upload",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="file_chunks",
                        to="logs.import",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InboundEndpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100, verbose_name="name")),
                ("secret_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("hint", models.CharField(editable=False, max_length=4, verbose_name="ends in")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("last_used_at", models.DateTimeField(editable=False, null=True, verbose_name="last used")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                (
                    "company",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound_endpoints",
                        to="logs.company",
                        verbose_name="company",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
            ],
            options={
                "verbose_name": "inbound endpoint",
                "verbose_name_plural": "inbound endpoints",
                "ordering": ["-created_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="RedeliveryOverride",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(verbose_name="number")),
                ("url", models.CharField(blank=True, max_length=2000, verbose_name="URL")),
                ("is_edited", models.BooleanField(default=False, verbose_name="edited payload")),
                ("event", logs.models.fields.JSONTextField(null=True, verbose_name="event")),
                ("reason", models.CharField(max_length=200, verbose_name="reason")),
                ("requested_at", models.DateTimeField(auto_now_add=True, verbose_name="requested")),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="overrides",
                        to="logs.webhooklog",
                        verbose_name="webhook log",
                    ),
                ),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
            ],
            options={
                "verbose_name": "redelivery with changes",
                "verbose_name_plural": "redeliveries with changes",
                "ordering": ["log", "number"],
                "permissions": [
                    ("redeliver_to_custom_url", "Can redeliver a log to another URL"),
                    ("redeliver_edited_payload", "Can redeliver a log with an edited payload"),
                ],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RejectedDocument",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(verbose_name="document")),
                ("line", models.IntegerField(verbose_name="line")),
                ("reason", models.TextField(verbose_name="reason")),
                ("data", models.BinaryField()),
                ("is_cut", models.BooleanField(db_default=False, default=False)),
                (
                    "upload",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected_documents",
                        to="logs.import",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="RejectedEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="time")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("not_json", "Not JSON"),
                            ("not_event", "JSON, but not a Cotalker event"),
                            ("company", "Event of another company"),
                            ("too_large", "Too large"),
                            ("interrupted", "Connection interrupted"),
                            ("key_taken", "The Idempotency-Key belongs to another event"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("size", models.BigIntegerField(verbose_name="size")),
                ("data", models.BinaryField()),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejected_events",
                        to="logs.inboundendpoint",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RejectionCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("not_json", "Not JSON"),
                            ("not_event", "JSON, but not a Cotalker event"),
                            ("company", "Event of another company"),
                            ("too_large", "Too large"),
                            ("interrupted", "Connection interrupted"),
                            ("key_taken", "The Idempotency-Key belongs to another event"),
                        ],
                        max_length=20,
                        verbose_name="reason",
                    ),
                ),
                ("count", models.BigIntegerField(default=0, verbose_name="count")),
                ("last_at", models.DateTimeField(verbose_name="last")),
                (
                    "endpoint",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rejection_counts",
                        to="logs.inboundendpoint",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Retention",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "payload_days",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="payload retention (days)",
                    ),
                ),
                (
                    "log_days",
                    models.PositiveIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(36500),
                        ],
                        verbose_name="log retention (days)",
                    ),
                ),
                ("changed_at", models.DateTimeField(editable=False, null=True, verbose_name="changed")),
                ("payloads_expired_before", models.DateTimeField(editable=False, null=True)),
                ("stop_requested_at", models.DateTimeField(editable=False, null=True)),
                ("run_at", models.DateTimeField(editable=False, null=True, verbose_name="last run")),
                ("run_payloads", models.BigIntegerField(default=0, editable=False)),
                ("run_logs", models.BigIntegerField(default=0, editable=False)),
                ("run_busy_months", models.IntegerField(default=0, editable=False)),
                (
                    "changed_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "retention",
                "verbose_name_plural": "retention",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("query", models.CharField(max_length=2000, verbose_name="filter")),
                ("is_shared", models.BooleanField(default=False, verbose_name="shared")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("updated_at", models.DateTimeField(auto_now=True, verbose_name="changed")),
                (
                    "owner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="owner",
                    ),
                ),
                (
                    "pinned_by",
                    models.ManyToManyField(editable=False, related_name="pinned_views", to=settings.AUTH_USER_MODEL),
                ),
            ],
            options={
                "verbose_name": "saved view",
                "verbose_name_plural": "saved views",
                "ordering": [django.db.models.functions.text.Lower("name"), "id"],
                "permissions": [("share_savedview", "Can share saved views")],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ShareLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("includes_payload", models.BooleanField(default=False, verbose_name="with the payload")),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked")),
                ("views", models.IntegerField(default=0, verbose_name="views")),
                ("last_seen_at", models.DateTimeField(null=True, verbose_name="last seen")),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="share_links",
                        to="logs.webhooklog",
                        verbose_name="webhook log",
                    ),
                ),
                (
                    "revoked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="revoked by",
                    ),
                ),
            ],
            options={
                "verbose_name": "share link",
                "verbose_name_plural": "share links",
                "ordering": ["-created_at", "-id"],
                "permissions": [("share_webhooklog", "Can share webhook logs")],
                "default_permissions": ("view",),
            },
        ),
        migrations.AddField(
            model_name="webhooklog",
            name="subscription",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="logs",
                to="logs.subscription",
                verbose_name="subscription",
            ),
        ),
        migrations.AddField(
            model_name="subscription",
            name="company",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="subscriptions",
                to="logs.company",
                verbose_name="company",
            ),
        ),
        migrations.CreateModel(
            name="BulkSkip",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=200)),
                ("requested_at", models.DateTimeField(auto_now_add=True)),
                ("skipped", models.IntegerField(default=0)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "requested_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="logs.subscription",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="BulkRedeliveryItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(verbose_name="number")),
                ("stage", models.SmallIntegerField(default=3)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("planned", "Planned"),
                            ("excluded", "Excluded"),
                            ("waiting", "Waiting"),
                            ("queued", "Queued"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                        ],
                        max_length=10,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "skip_reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("delivered", "It was delivered."),
                            ("superseded", "A newer event of the same object was delivered."),
                            ("queued", "It is already in its queue and will be sent from there."),
                            ("other_bulk_redelivery", "It is in another bulk redelivery that has not finished."),
                            ("inactive", "Its subscription is not active."),
                            ("no_url", "Its subscription has no URL."),
                            ("expired", "Its payload has expired."),
                            ("not_selected", "Its subscription was not selected."),
                            ("invisible", "The person who started the bulk redelivery can no longer see this log."),
                            ("removed", "It was taken out of its queue."),
                            ("subscription_excluded", "Its subscription was excluded from the bulk redelivery."),
                            ("stopped", "The bulk redelivery was stopped."),
                        ],
                        max_length=30,
                        verbose_name="reason",
                    ),
                ),
                ("is_superseded", models.BooleanField(default=False, verbose_name="superseded")),
                ("recheck_superseded", models.BooleanField(default=True)),
                ("is_latest_resend", models.BooleanField(default=False, verbose_name="newest event, sent again")),
                (
                    "before_state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("retrying", "Retrying"),
                            ("delivered", "Delivered"),
                            ("failed", "Failed"),
                            ("skipped", "Skipped"),
                            ("superseded", "Superseded"),
                        ],
                        max_length=10,
                        verbose_name="state before",
                    ),
                ),
                ("before_status", models.IntegerField(null=True, verbose_name="status before")),
                (
                    "before_cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("timeout", "No answer in time"),
                            ("refused", "Connection refused"),
                            ("dns", "DNS lookup failed"),
                            ("tls", "TLS error"),
                            ("reset", "Connection reset"),
                            ("http_4xx", "Refused by the receiver (4xx)"),
                            ("http_5xx", "Error at the receiver (5xx)"),
                            ("redirect", "Redirected (3xx)"),
                            ("blocked", "Blocked by the destination check"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        verbose_name="cause before",
                    ),
                ),
                ("queued_at", models.DateTimeField(null=True, verbose_name="queued")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                ("attempt_number", models.IntegerField(null=True, verbose_name="attempt")),
                ("status", models.IntegerField(null=True, verbose_name="status")),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("timeout", "No answer in time"),
                            ("refused", "Connection refused"),
                            ("dns", "DNS lookup failed"),
                            ("tls", "TLS error"),
                            ("reset", "Connection reset"),
                            ("http_4xx", "Refused by the receiver (4xx)"),
                            ("http_5xx", "Error at the receiver (5xx)"),
                            ("redirect", "Redirected (3xx)"),
                            ("blocked", "Blocked by the destination check"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        verbose_name="cause",
                    ),
                ),
                ("fingerprint", models.CharField(blank=True, max_length=120)),
                ("duration_ms", models.IntegerField(null=True, verbose_name="duration")),
                (
                    "bulk_redelivery",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="logs.bulkredelivery",
                        verbose_name="bulk redelivery",
                    ),
                ),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="bulk_redelivery_items",
                        to="logs.webhooklog",
                        verbose_name="webhook log",
                    ),
                ),
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
                "verbose_name": "bulk redelivery item",
                "verbose_name_plural": "bulk redelivery items",
                "ordering": ["bulk_redelivery", "number"],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.IntegerField(help_text="Attempt number.", verbose_name="number")),
                (
                    "trigger",
                    models.CharField(
                        choices=[
                            ("cotalker", "by Cotalker"),
                            ("auto", "automatic"),
                            ("manual", "redelivery"),
                            ("bulk", "bulk redelivery"),
                            ("override", "redelivery with changes"),
                        ],
                        max_length=10,
                        verbose_name="trigger",
                    ),
                ),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("duration_ms", models.IntegerField(null=True, verbose_name="duration")),
                ("url", models.CharField(blank=True, max_length=2000, verbose_name="URL")),
                ("status", models.IntegerField(null=True, verbose_name="status")),
                ("response_headers", models.JSONField(default=list, verbose_name="response headers")),
                ("response", models.TextField(blank=True, verbose_name="response")),
                ("is_truncated", models.BooleanField(default=False, verbose_name="truncated")),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("timeout", "No answer in time"),
                            ("refused", "Connection refused"),
                            ("dns", "DNS lookup failed"),
                            ("tls", "TLS error"),
                            ("reset", "Connection reset"),
                            ("http_4xx", "Refused by the receiver (4xx)"),
                            ("http_5xx", "Error at the receiver (5xx)"),
                            ("redirect", "Redirected (3xx)"),
                            ("blocked", "Blocked by the destination check"),
                            ("other", "Other"),
                        ],
                        max_length=10,
                        verbose_name="cause",
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=200, verbose_name="note")),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="requested by",
                    ),
                ),
                (
                    "log",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="logs.webhooklog",
                        verbose_name="webhook log",
                    ),
                ),
                (
                    "subscription",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="logs.subscription",
                    ),
                ),
            ],
            options={
                "verbose_name": "attempt",
                "verbose_name_plural": "attempts",
                "ordering": ["log", "number"],
            },
        ),
        migrations.CreateModel(
            name="UnmatchedCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(verbose_name="day")),
                ("event_type", models.CharField(max_length=60, verbose_name="event type")),
                ("action", models.CharField(max_length=60, verbose_name="action")),
                ("count", models.BigIntegerField(default=0, verbose_name="count")),
                (
                    "company",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="logs.company",
                        verbose_name="company",
                    ),
                ),
            ],
            options={
                "verbose_name": "unmatched events",
                "verbose_name_plural": "unmatched events",
                "ordering": ["-day"],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(auto_now_add=True, verbose_name="time")),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("revealed", "revealed a masked value"),
                            ("redelivered", "requested a redelivery"),
                            ("redelivered_with_changes", "requested a redelivery with changes"),
                            ("bulk_started", "started a bulk redelivery"),
                            ("bulk_paused", "paused a bulk redelivery"),
                            ("bulk_resumed", "resumed a bulk redelivery"),
                            ("bulk_stopped", "stopped a bulk redelivery"),
                            ("bulk_subscription_excluded", "excluded the subscription from a bulk redelivery"),
                            ("subscription_created", "created the subscription"),
                            ("subscription_changed", "changed the subscription"),
                            ("activated", "activated the subscription"),
                            ("deactivated", "deactivated the subscription"),
                            ("secret_changed", "changed the signing secret"),
                            ("secret_revealed", "revealed the signing secret"),
                            ("delivery_here", "switched delivery to cotadmin"),
                            ("delivery_at_cotalker", "switched delivery to Cotalker"),
                            ("queue_paused", "paused the queue"),
                            ("queue_resumed", "resumed the queue"),
                            ("retried_now", "requested an immediate attempt"),
                            ("skipped", "skipped the event"),
                            ("settled", "settled the log as superseded"),
                            ("unsettled", "undid that the log is superseded"),
                            ("sent_waiting", "sent the waiting events"),
                            ("skipped_waiting", "skipped the waiting events"),
                            ("test_sent", "sent a test event"),
                            ("endpoint_created", "created an inbound endpoint"),
                            ("endpoint_revoked", "revoked an inbound endpoint"),
                            ("token_created", "created an API token"),
                            ("token_revoked", "revoked an API token"),
                            ("share_link_created", "created a share link"),
                            ("share_link_revoked", "revoked a share link"),
                            ("exported_unmasked", "exported without masking"),
                            ("retention_changed", "changed how long logs are kept"),
                            ("sign_in_failed", "could not sign in"),
                            ("sign_in_blocked", "was blocked after too many sign-in attempts"),
                            ("password_changed", "changed their password"),
                            ("retention_stopped", "stopped a retention run"),
                            ("demo_removed", "removed the demo data"),
                        ],
                        max_length=40,
                        verbose_name="action",
                    ),
                ),
                ("target", logs.models.fields.ObjectIdField(blank=True, verbose_name="target")),
                ("detail", models.CharField(blank=True, max_length=1000, verbose_name="detail")),
                ("data", models.JSONField(default=dict, editable=False)),
                (
                    "actor",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="by",
                    ),
                ),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(
                        models.F("target"), models.OrderBy(models.F("at"), descending=True), name="audit_target"
                    )
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="company",
            constraint=models.CheckConstraint(
                condition=models.Q(("id__regex", "^[0-9a-f]{24}$")), name="company_id_is_objectid"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkredelivery",
            index=models.Index(
                models.F("id"), condition=models.Q(("state__in", ["running", "paused"])), name="bulk_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkredelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["planning", "planned", "running", "paused", "stopped", "finished"])),
                name="bulk_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkredelivery",
            constraint=models.CheckConstraint(condition=models.Q(("max_attempts__gte", 1)), name="bulk_max_attempts"),
        ),
        migrations.AddConstraint(
            model_name="bulkredelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("rate", None), ("rate__gte", 1), _connector="OR"), name="bulk_rate"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkredelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("failure_percent__range", (0, 100))), name="bulk_failure_percent"
            ),
        ),
        migrations.AddConstraint(
            model_name="importchunk",
            constraint=models.UniqueConstraint(fields=("upload", "number"), name="import_chunk_number"),
        ),
        migrations.AddConstraint(
            model_name="redeliveryoverride",
            constraint=models.UniqueConstraint(fields=("log", "number"), name="override_number_unique_in_log"),
        ),
        migrations.AddConstraint(
            model_name="redeliveryoverride",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("url", ""), _negated=True), ("is_edited", True), _connector="OR"),
                name="override_differs",
            ),
        ),
        migrations.AddIndex(
            model_name="rejecteddocument",
            index=models.Index(models.F("upload"), models.F("number"), name="rejected_of_import"),
        ),
        migrations.AddIndex(
            model_name="rejectedevent",
            index=models.Index(models.F("endpoint"), models.F("kind"), models.F("id"), name="rejected_of_endpoint"),
        ),
        migrations.AddIndex(
            model_name="rejectedevent",
            index=models.Index(models.F("at"), name="rejected_age"),
        ),
        migrations.AddConstraint(
            model_name="rejectioncount",
            constraint=models.UniqueConstraint(fields=("endpoint", "day", "kind"), name="rejection_count_unique"),
        ),
        migrations.AddConstraint(
            model_name="retention",
            constraint=models.CheckConstraint(condition=models.Q(("pk", 1)), name="retention_is_one"),
        ),
        migrations.AddConstraint(
            model_name="retention",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("payload_days__isnull", True), ("payload_days__range", (1, 36500)), _connector="OR"
                ),
                name="retention_payload_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="retention",
            constraint=models.CheckConstraint(
                condition=models.Q(("log_days__isnull", True), ("log_days__range", (1, 36500)), _connector="OR"),
                name="retention_log_days",
            ),
        ),
        migrations.AddConstraint(
            model_name="retention",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("payload_days__isnull", True),
                    ("log_days__isnull", True),
                    ("payload_days__lte", models.F("log_days")),
                    _connector="OR",
                ),
                name="retention_payloads_first",
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                models.F("owner"), django.db.models.functions.text.Lower("name"), name="saved_view_name"
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="log_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("subscription"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="log_of_subscription",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("subscription"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("state", "failed")),
                name="log_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("object_id"),
                models.OrderBy(models.F("created_at"), descending=True),
                condition=models.Q(("object_id", ""), _negated=True),
                name="log_of_object",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("subscription"),
                models.F("object_id"),
                models.F("created_at"),
                condition=models.Q(("state", "delivered"), models.Q(("object_id", ""), _negated=True)),
                name="log_delivered",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=models.Index(
                models.F("subscription"),
                models.F("priority"),
                models.F("sequence"),
                condition=models.Q(("next_attempt_at__isnull", False)),
                name="log_queued",
            ),
        ),
        migrations.AddIndex(
            model_name="webhooklog",
            index=django.contrib.postgres.indexes.GinIndex(models.F("search"), name="log_response_words"),
        ),
        migrations.AddConstraint(
            model_name="webhooklog",
            constraint=models.CheckConstraint(
                condition=models.Q(("id__regex", "^[0-9a-f]{24}$")), name="webhooklog_id_is_objectid"
            ),
        ),
        migrations.AddConstraint(
            model_name="webhooklog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "retrying", "delivered", "failed", "skipped", "superseded"])
                ),
                name="webhooklog_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhooklog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cause__in",
                        [
                            "",
                            "timeout",
                            "refused",
                            "dns",
                            "tls",
                            "reset",
                            "http_4xx",
                            "http_5xx",
                            "redirect",
                            "blocked",
                            "other",
                        ],
                    )
                ),
                name="webhooklog_cause_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="webhooklog",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("next_attempt_at", None),
                    models.Q(("attempts_left__gt", 0), ("priority__isnull", False), ("sequence__isnull", False)),
                    _connector="OR",
                ),
                name="webhooklog_queued_has_sequence",
            ),
        ),
        migrations.AddIndex(
            model_name="subscription",
            index=models.Index(
                models.F("company"),
                models.F("trigger"),
                condition=models.Q(("is_active", True), ("is_delivered_here", True)),
                name="subscription_matching",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("id__regex", "^[0-9a-f]{24}$")), name="subscription_id_is_objectid"
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("code", ""), ("is_placeholder", False), _negated=True), name="subscription_has_code"
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_placeholder", False), ("trigger", ""), _negated=True),
                name="subscription_has_trigger",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("is_placeholder", False), models.Q(("is_active", False), ("url", "")), _connector="OR"
                ),
                name="subscription_placeholder_is_inactive",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("named_id", ""), _negated=True),
                fields=("named_id", "company", "is_for_all_companies"),
                name="subscription_placeholder_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_placeholder", False)),
                fields=("company", "code"),
                name="subscription_code_unique_in_company",
                violation_error_message="This company has another subscription with this code.",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkskip",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at__isnull", True)), fields=("subscription",), name="bulk_skip_once"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkredeliveryitem",
            index=models.Index(
                models.F("bulk_redelivery"),
                models.F("subscription"),
                models.F("outcome"),
                models.F("number"),
                condition=models.Q(("outcome__in", ["waiting", "queued"])),
                name="bulk_item_next",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkredeliveryitem",
            index=models.Index(
                models.F("bulk_redelivery"),
                models.F("finished_at"),
                condition=models.Q(("finished_at__isnull", False)),
                name="bulk_item_finished",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkredeliveryitem",
            index=models.Index(models.F("log"), name="bulk_item_of_log"),
        ),
        migrations.AddConstraint(
            model_name="bulkredeliveryitem",
            constraint=models.UniqueConstraint(fields=("bulk_redelivery", "number"), name="bulk_item_number"),
        ),
        migrations.AddConstraint(
            model_name="bulkredeliveryitem",
            constraint=models.UniqueConstraint(
                condition=models.Q(("outcome__in", ["waiting", "queued"])), fields=("log",), name="bulk_item_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkredeliveryitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("outcome__in", ["planned", "excluded", "waiting", "queued", "delivered", "failed", "skipped"])
                ),
                name="bulk_item_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="bulkredeliveryitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "skip_reason__in",
                        [
                            "",
                            "delivered",
                            "superseded",
                            "queued",
                            "other_bulk_redelivery",
                            "inactive",
                            "no_url",
                            "expired",
                            "not_selected",
                            "invisible",
                            "removed",
                            "subscription_excluded",
                            "stopped",
                        ],
                    )
                ),
                name="bulk_item_reason_known",
            ),
        ),
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
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(fields=("log", "number"), name="attempt_number_unique_in_log"),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(("trigger__in", ["cotalker", "auto", "manual", "bulk", "override"])),
                name="attempt_trigger_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "cause__in",
                        [
                            "",
                            "timeout",
                            "refused",
                            "dns",
                            "tls",
                            "reset",
                            "http_4xx",
                            "http_5xx",
                            "redirect",
                            "blocked",
                            "other",
                        ],
                    )
                ),
                name="attempt_cause_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="unmatchedcount",
            constraint=models.UniqueConstraint(
                fields=("company", "day", "event_type", "action"), name="unmatched_count_unique"
            ),
        ),
        migrations.RunSQL(QUEUE_SEQUENCE, "DROP SEQUENCE logs_queue_sequence"),
    ]
