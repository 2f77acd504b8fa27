"""Saved views of the explorer. Whoever may re-deliver may share one."""

from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models
from django.db.models.functions import Lower

SHARING = ["share_savedview"]


def add_permissions(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions passes it over
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    added = Permission.objects.filter(content_type__app_label="logs", codename__in=SHARING)
    for group in Group.objects.filter(
        name__in=("Operator", "Administrator")
    ):  # an administrator may have done away with them
        group.permissions.add(*added)


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0006_retention"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
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
                        on_delete=models.CASCADE,
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
                "ordering": [Lower("name"), "id"],
                "permissions": [("share_savedview", "Can share saved views")],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(models.F("owner"), Lower("name"), name="saved_view_name")],
            },
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
