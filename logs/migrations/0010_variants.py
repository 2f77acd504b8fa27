"""Variants of a re-delivery. To send something else than what happened is for administrators."""

import django.db.models.deletion
import logs.models.fields
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.db import migrations, models

ADMINISTRATOR = ["redeliver_elsewhere", "redeliver_edited"]


def add_permissions(apps, schema_editor):
    config = apps.get_app_config("logs")
    config.models_module = getattr(config, "models_module", None) or True  # else create_permissions passes it over
    create_permissions(config, verbosity=0, apps=apps, using=schema_editor.connection.alias)
    Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    added = Permission.objects.filter(content_type__app_label="logs", codename__in=ADMINISTRATOR)
    for group in Group.objects.filter(name="Administrator"):  # an administrator may have done away with it
        group.permissions.add(*added)


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0009_hand_off'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Variant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.IntegerField(verbose_name='number')),
                ('url', models.CharField(blank=True, max_length=2000, verbose_name='URL')),
                ('is_edited', models.BooleanField(default=False, verbose_name='edited payload')),
                ('event', logs.models.fields.JSONTextField(null=True, verbose_name='event')),
                ('reason', models.CharField(max_length=200, verbose_name='reason')),
                ('made_at', models.DateTimeField(auto_now_add=True, verbose_name='asked for')),
            ],
            options={
                'verbose_name': 'variant',
                'verbose_name_plural': 'variants',
                'ordering': ['log', 'number'],
                'permissions': [('redeliver_elsewhere', 'Can re-deliver a log to another URL'), ('redeliver_edited', 'Can re-deliver a log with an edited payload')],
                'default_permissions': (),
            },
        ),
        migrations.RemoveConstraint(
            model_name='attempt',
            name='attempt_trigger_known',
        ),
        migrations.AlterField(
            model_name='attempt',
            name='trigger',
            field=models.CharField(choices=[('cotalker', 'by Cotalker'), ('auto', 'automatic'), ('manual', 're-delivery'), ('bulk', 're-delivery run'), ('variant', 'changed re-delivery')], max_length=10, verbose_name='trigger'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[
                    ("revealed", "revealed a masked value"),
                    ("redelivered", "asked for a re-delivery"),
                    ("variant_sent", "asked for a changed re-delivery"),
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
                ], max_length=20, verbose_name='action'),
        ),
        migrations.AlterField(
            model_name='webhooklog',
            name='trigger',
            field=models.CharField(blank=True, choices=[('cotalker', 'by Cotalker'), ('auto', 'automatic'), ('manual', 're-delivery'), ('bulk', 're-delivery run'), ('variant', 'changed re-delivery')], db_default='', editable=False, max_length=10),
        ),
        migrations.AddConstraint(
            model_name='attempt',
            constraint=models.CheckConstraint(condition=models.Q(('trigger__in', ['cotalker', 'auto', 'manual', 'bulk', 'variant'])), name='attempt_trigger_known'),
        ),
        migrations.AddField(
            model_name='variant',
            name='log',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='variants', to='logs.webhooklog', verbose_name='webhook log'),
        ),
        migrations.AddField(
            model_name='variant',
            name='made_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked for by'),
        ),
        migrations.AddConstraint(
            model_name='variant',
            constraint=models.UniqueConstraint(fields=('log', 'number'), name='variant_number_unique_in_log'),
        ),
        migrations.AddConstraint(
            model_name='variant',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('url', ''), _negated=True), ('is_edited', True), _connector='OR'), name='variant_differs'),
        ),
        migrations.RunPython(add_permissions, migrations.RunPython.noop),
    ]
