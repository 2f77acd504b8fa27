"""What the roles may do with the doors of ingest. Lanes belong to those who may re-deliver."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = ["view_unmatchedcount"]
ADMINISTRATOR = [*VIEWER, "view_door", "add_door", "change_door", "view_apitoken", "add_apitoken", "change_apitoken"]


def add_permissions(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions passes it over
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in (("Viewer", VIEWER), ("Operator", VIEWER), ("Administrator", ADMINISTRATOR)):
        added = Permission.objects.filter(content_type__app_label="logs", codename__in=codenames)
        for group in Group.objects.filter(name=name):  # an administrator may have done away with it
            group.permissions.add(*added)


class Migration(migrations.Migration):
    dependencies = [("logs", "0003_delivery")]
    operations = [migrations.RunPython(add_permissions, migrations.RunPython.noop)]
