"""The three roles. An administrator may change what they may do; a later migration never takes that back."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = ["view_company", "view_subscription", "view_webhooklog", "view_payload", "view_attempt", "view_auditentry"]
OPERATOR = [*VIEWER, "redeliver_webhooklog", "add_webhooklog", "view_import", "add_import"]
ADMINISTRATOR = [*OPERATOR, "reveal_masked", "add_subscription", "change_subscription", "change_company"]


def make_groups(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions passes it over
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in (("Viewer", VIEWER), ("Operator", OPERATOR), ("Administrator", ADMINISTRATOR)):
        group, _made = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(content_type__app_label="logs", codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
