"""How long payloads and logs are kept."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0005_rollups"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("revealed", "revealed a masked value"),
                    ("redelivered", "asked for a re-delivery"),
                    ("created", "created the subscription"),
                    ("changed", "changed the subscription"),
                    ("activated", "activated the subscription"),
                    ("deactivated", "deactivated the subscription"),
                    ("secret", "changed the signing secret"),
                    ("secret_revealed", "revealed the signing secret"),
                    ("we_deliver", "switched delivery to cotadmin"),
                    ("cotalker_delivers", "switched delivery to Cotalker"),
                    ("held", "put the lane on hold"),
                    ("released", "released the lane"),
                    ("retried_now", "asked for the next try at once"),
                    ("skipped", "skipped the event"),
                    ("sent_waiting", "had sent what waited"),
                    ("skipped_waiting", "skipped what waited"),
                    ("test_sent", "sent a test event"),
                    ("door_made", "made a door"),
                    ("door_revoked", "revoked a door"),
                    ("token_made", "made an API token"),
                    ("token_revoked", "revoked an API token"),
                    ("exported", "exported without masking"),
                    ("retention", "changed how long logs are kept"),
                    ("demo_removed", "removed the demo"),
                ],
                max_length=20,
                verbose_name="action",
            ),
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
                        verbose_name="days that payloads are kept",
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
                        verbose_name="days that logs are kept",
                    ),
                ),
                ("changed_at", models.DateTimeField(editable=False, null=True, verbose_name="changed")),
                ("payloads_expired_before", models.DateTimeField(editable=False, null=True)),
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
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="retention_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("payload_days__isnull", True), ("payload_days__range", (1, 36500)), _connector="OR"
                        ),
                        name="retention_payload_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("log_days__isnull", True), ("log_days__range", (1, 36500)), _connector="OR"
                        ),
                        name="retention_log_days",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("payload_days__isnull", True),
                            ("log_days__isnull", True),
                            ("payload_days__lte", models.F("log_days")),
                            _connector="OR",
                        ),
                        name="retention_payloads_first",
                    ),
                ],
            },
        ),
    ]
