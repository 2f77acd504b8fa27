"""The lanes, the doors and the workers. What was queued for a re-delivery goes out; Cotalker goes on delivering what is its own."""

import django.contrib.postgres.fields
import django.db.models.deletion
import logs.models.fields
from django.conf import settings
from django.db import migrations, models


QUEUED = "UPDATE logs_webhooklog SET turn = 1, tries_left = 3, trigger = 'manual' WHERE next_attempt_at IS NOT NULL"
COTALKERS = "UPDATE logs_subscription SET we_deliver = false WHERE document IS NOT NULL OR is_placeholder"


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0002_groups'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AcceptedEvent',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('digest', models.CharField(max_length=64)),
                ('logs', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=24), size=None)),
                ('accepted_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('secret_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('hint', models.CharField(editable=False, max_length=4, verbose_name='ends in')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
            ],
            options={
                'verbose_name': 'API token',
                'verbose_name_plural': 'API tokens',
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='DeliveryCount',
            fields=[
                ('cause', models.CharField(blank=True, choices=[('timeout', 'No answer in time'), ('refused', 'Connection refused'), ('dns', 'Name not found'), ('tls', 'Certificate or encryption'), ('reset', 'Connection broken off'), ('http_4xx', 'Refused by the receiver (4xx)'), ('http_5xx', 'Error at the receiver (5xx)'), ('redirect', 'Redirected elsewhere'), ('blocked', 'Blocked by the guard'), ('other', 'Something else')], max_length=10, primary_key=True, serialize=False)),
                ('attempts', models.BigIntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('buckets', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
            ],
        ),
        migrations.CreateModel(
            name='Door',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, verbose_name='name')),
                ('secret_hash', models.CharField(editable=False, max_length=64, unique=True)),
                ('hint', models.CharField(editable=False, max_length=4, verbose_name='ends in')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created')),
                ('last_used_at', models.DateTimeField(editable=False, null=True, verbose_name='last used')),
                ('revoked_at', models.DateTimeField(editable=False, null=True, verbose_name='revoked')),
            ],
            options={
                'verbose_name': 'door',
                'verbose_name_plural': 'doors',
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='LaneGroup',
            fields=[
                ('number', models.SmallIntegerField(primary_key=True, serialize=False)),
                ('holder', models.CharField(blank=True, max_length=100)),
                ('epoch', models.BigIntegerField(default=0)),
                ('expires_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='UnmatchedCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('event_type', models.CharField(max_length=60, verbose_name='event type')),
                ('action', models.CharField(max_length=60, verbose_name='action')),
                ('count', models.BigIntegerField(default=0, verbose_name='count')),
            ],
            options={
                'verbose_name': 'unmatched events',
                'verbose_name_plural': 'unmatched events',
                'ordering': ['-day'],
            },
        ),
        migrations.CreateModel(
            name='Worker',
            fields=[
                ('id', models.CharField(max_length=100, primary_key=True, serialize=False, verbose_name='id')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('seen_at', models.DateTimeField(verbose_name='last seen')),
            ],
            options={
                'verbose_name': 'worker',
                'verbose_name_plural': 'workers',
                'ordering': ['id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='webhooklog',
            name='webhooklog_due_has_position',
        ),
        migrations.RemoveIndex(
            model_name='webhooklog',
            name='log_due',
        ),
        migrations.AddField(
            model_name='subscription',
            name='encrypted_headers',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='encrypted_previous_secret',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='held_at',
            field=models.DateTimeField(editable=False, null=True, verbose_name='on hold since'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='held_log',
            field=logs.models.fields.ObjectIdField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='holds_when_exhausted',
            field=models.BooleanField(choices=[(False, 'Go on with the next event'), (True, 'Hold the lane until somebody decides')], default=False, verbose_name='when an event has used up its tries'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='is_draining',
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='lane_version',
            field=models.BigIntegerField(default=0, editable=False),
        ),
        migrations.AddField(
            model_name='subscription',
            name='previous_secret_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='timeout',
            field=models.PositiveSmallIntegerField(blank=True, help_text='Seconds until a try is given up; empty: as for all.', null=True, verbose_name='timeout'),
        ),
        migrations.AddField(
            model_name='subscription',
            name='we_deliver',
            field=models.BooleanField(default=True, editable=False, verbose_name='we deliver'),
        ),
        migrations.AddField(
            model_name='webhooklog',
            name='is_test',
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name='test'),
        ),
        migrations.AddField(
            model_name='webhooklog',
            name='tries_left',
            field=models.SmallIntegerField(db_default=0, default=0, editable=False, verbose_name='tries left'),
        ),
        migrations.AddField(
            model_name='webhooklog',
            name='trigger',
            field=models.CharField(blank=True, choices=[('cotalker', 'by Cotalker'), ('auto', 'automatic'), ('manual', 're-delivery'), ('bulk', 're-delivery run')], db_default='', editable=False, max_length=10),
        ),
        migrations.AddField(
            model_name='webhooklog',
            name='turn',
            field=models.SmallIntegerField(choices=[(0, 'between tries'), (1, 're-delivery'), (2, 'waiting')], editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[('revealed', 'revealed a masked value'), ('redelivered', 'asked for a re-delivery'), ('created', 'created the subscription'), ('changed', 'changed the subscription'), ('activated', 'activated the subscription'), ('deactivated', 'deactivated the subscription'), ('secret', 'changed the signing secret'), ('secret_revealed', 'revealed the signing secret'), ('we_deliver', 'switched delivery to cotadmin'), ('cotalker_delivers', 'switched delivery to Cotalker'), ('held', 'put the lane on hold'), ('released', 'released the lane'), ('retried_now', 'asked for the next try at once'), ('skipped', 'skipped the event'), ('sent_waiting', 'had sent what waited'), ('skipped_waiting', 'skipped what waited'), ('test_sent', 'sent a test event'), ('door_made', 'made a door'), ('door_revoked', 'revoked a door'), ('token_made', 'made an API token'), ('token_revoked', 'revoked an API token'), ('exported', 'exported without masking'), ('demo_removed', 'removed the demo')], max_length=20, verbose_name='action'),
        ),
        migrations.AlterField(
            model_name='webhooklog',
            name='position',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL([QUEUED, COTALKERS], migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='subscription',
            index=models.Index(models.F('company'), models.F('trigger'), condition=models.Q(('is_active', True), ('we_deliver', True)), name='subscription_matching'),
        ),
        migrations.AddIndex(
            model_name='webhooklog',
            index=models.Index(models.F('subscription'), models.F('turn'), models.F('position'), condition=models.Q(('next_attempt_at__isnull', False)), name='log_due'),
        ),
        migrations.AddConstraint(
            model_name='webhooklog',
            constraint=models.CheckConstraint(condition=models.Q(('next_attempt_at', None), models.Q(('position__isnull', False), ('tries_left__gt', 0), ('turn__isnull', False)), _connector='OR'), name='webhooklog_due_has_place'),
        ),
        migrations.AddIndex(
            model_name='acceptedevent',
            index=models.Index(models.F('accepted_at'), name='accepted_event_age'),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='companies',
            field=models.ManyToManyField(help_text='It can send in events of these companies only.', related_name='api_tokens', to='logs.company', verbose_name='companies'),
        ),
        migrations.AddField(
            model_name='apitoken',
            name='created_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by'),
        ),
        migrations.AddField(
            model_name='door',
            name='company',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='doors', to='logs.company', verbose_name='company'),
        ),
        migrations.AddField(
            model_name='door',
            name='created_by',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='created by'),
        ),
        migrations.AddField(
            model_name='unmatchedcount',
            name='company',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='logs.company', verbose_name='company'),
        ),
        migrations.AddConstraint(
            model_name='unmatchedcount',
            constraint=models.UniqueConstraint(fields=('company', 'day', 'event_type', 'action'), name='unmatched_count_unique'),
        ),
    ]
