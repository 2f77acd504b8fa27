"""The three roles and their permissions. Administrators may change them later; migrations add permissions, but never take any."""

from django.contrib.auth.management import create_permissions
from django.db import migrations

VIEWER = [
    "view_company",
    "view_subscription",
    "view_webhooklog",
    "view_payload",
    "view_attempt",
    "view_auditentry",
    "view_unmatchedcount",
]
OPERATOR = [
    *VIEWER,
    "redeliver_webhooklog",
    "add_webhooklog",
    "view_import",
    "add_import",
    "share_savedview",
    "view_sharelink",
    "share_webhooklog",
]
ADMINISTRATOR = [
    *OPERATOR,
    "reveal_masked",
    "redeliver_to_custom_url",
    "redeliver_edited_payload",
    "add_subscription",
    "change_subscription",
    "change_company",
    "view_inboundendpoint",
    "add_inboundendpoint",
    "change_inboundendpoint",
    "view_apitoken",
    "add_apitoken",
    "change_apitoken",
]


def create_roles(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions does nothing
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in (("Viewer", VIEWER), ("Operator", OPERATOR), ("Administrator", ADMINISTRATOR)):
        group, _created = Group.objects.get_or_create(name=name)
        group.permissions.add(*Permission.objects.filter(content_type__app_label="logs", codename__in=codenames))


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0002_payloads"),
        ("logs", "0003_log_counts"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
