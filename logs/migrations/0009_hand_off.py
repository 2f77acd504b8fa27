"""Links to one log for the receiver's team. Whoever may re-deliver may make one."""

import django.db.models.deletion
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

SHARING = ["view_handoff", "share_webhooklog"]


def add_permissions(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions passes it over
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    added = Permission.objects.filter(content_type__app_label="logs", codename__in=SHARING)
    for group in Group.objects.filter(name__in=("Operator", "Administrator")):  # somebody may have done away with them
        group.permissions.add(*added)


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0008_runs"),
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
                    ("run_started", "started a re-delivery run"),
                    ("run_paused", "paused a re-delivery run"),
                    ("run_resumed", "let a re-delivery run go on"),
                    ("run_stopped", "stopped a re-delivery run"),
                    ("run_lane_left", "took the subscription out of a re-delivery run"),
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
                    ("handed_off", "handed it off by a link"),
                    ("hand_off_revoked", "revoked a link of a hand-off"),
                    ("exported", "exported without masking"),
                    ("retention", "changed how long logs are kept"),
                    ("demo_removed", "removed the demo"),
                ],
                max_length=20,
                verbose_name="action",
            ),
        ),
        migrations.CreateModel(
            name="HandOff",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token_hash", models.CharField(editable=False, max_length=64, unique=True)),
                ("note", models.CharField(blank=True, max_length=500, verbose_name="note")),
                ("includes_payload", models.BooleanField(default=False, verbose_name="with the payload")),
                ("made_at", models.DateTimeField(auto_now_add=True, verbose_name="made")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("revoked_at", models.DateTimeField(null=True, verbose_name="revoked")),
                ("views", models.IntegerField(default=0, verbose_name="views")),
                ("last_seen_at", models.DateTimeField(null=True, verbose_name="last seen")),
                (
                    "log",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hand_offs",
                        to="logs.webhooklog",
                        verbose_name="webhook log",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="made by",
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
                "verbose_name": "hand-off",
                "verbose_name_plural": "hand-offs",
                "ordering": ["-made_at", "-id"],
                "permissions": [("share_webhooklog", "Can hand off webhook logs")],
                "default_permissions": ("view",),
            },
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
