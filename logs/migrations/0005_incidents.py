"""Incidents: their tables, and the trigger that notes for the worker which logs failed (logs/models/incident.py)."""
import django.contrib.postgres.fields
import django.db.models.deletion
import logs.models.fields
from django.conf import settings
from django.db import migrations, models

# A log that failed, or whose attempt failed; and each log of an incident whose state changed.
TRIGGER = """
CREATE FUNCTION logs_note_failures() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO logs_incidentinbox (log_id) SELECT id FROM added WHERE state IN ('failed', 'retrying');
    ELSE
        INSERT INTO logs_incidentinbox (log_id)
        SELECT added.id FROM added JOIN removed ON removed.id = added.id
        WHERE (added.state, added.attempt_count) IS DISTINCT FROM (removed.state, removed.attempt_count)
            AND (added.state IN ('failed', 'retrying')
                OR EXISTS (SELECT FROM logs_incidentlog member WHERE member.log_id = added.id));
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER logs_note_added AFTER INSERT ON logs_webhooklog
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION logs_note_failures();
CREATE TRIGGER logs_note_changed AFTER UPDATE ON logs_webhooklog
    REFERENCING NEW TABLE AS added OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION logs_note_failures();
"""
NO_TRIGGER = """
DROP TRIGGER logs_note_changed ON logs_webhooklog;
DROP TRIGGER logs_note_added ON logs_webhooklog;
DROP FUNCTION logs_note_failures;
"""
# Logs that had failed before there were incidents.
NOTE_OLD_FAILURES = "INSERT INTO logs_incidentinbox (log_id) SELECT id FROM logs_webhooklog WHERE state IN ('failed', 'retrying')"


class Migration(migrations.Migration):

    dependencies = [
        ('logs', '0004_roles'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='IncidentInbox',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('log_id', logs.models.fields.ObjectIdField()),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AlterField(
            model_name='bulkredelivery',
            name='source',
            field=models.CharField(choices=[('filter', 'a log filter'), ('selected', 'logs selected one by one'), ('ids', 'a list of ids'), ('still_failing', 'logs that still failed in another bulk redelivery'), ('incident', 'an incident')], max_length=20, verbose_name='source'),
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('receiver', models.CharField(max_length=300, verbose_name='receiver')),
                ('subscription_ids', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=24), default=list, size=None)),
                ('causes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('timeout', 'No answer in time'), ('refused', 'Connection refused'), ('dns', 'DNS lookup failed'), ('tls', 'TLS error'), ('reset', 'Connection reset'), ('http_4xx', 'Refused by the receiver (4xx)'), ('http_5xx', 'Error at the receiver (5xx)'), ('redirect', 'Redirected (3xx)'), ('blocked', 'Blocked by the destination check'), ('other', 'Other')], max_length=10), default=list, size=None)),
                ('started_at', models.DateTimeField(verbose_name='since')),
                ('last_failed_at', models.DateTimeField(verbose_name='last failure')),
                ('recovered_at', models.DateTimeField(null=True, verbose_name='recovered')),
                ('resolved_at', models.DateTimeField(null=True, verbose_name='resolved')),
                ('first_log', logs.models.fields.ObjectIdField()),
                ('last_log', logs.models.fields.ObjectIdField()),
                ('failed_count', models.IntegerField(default=0)),
                ('queued_count', models.IntegerField(default=0)),
                ('delivered_count', models.IntegerField(default=0)),
                ('superseded_count', models.IntegerField(default=0)),
                ('skipped_count', models.IntegerField(default=0)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_until', models.DateTimeField(null=True)),
                ('ignored_at', models.DateTimeField(null=True)),
                ('acknowledged_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='acknowledged by')),
                ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='assignee')),
                ('company', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='logs.company', verbose_name='company')),
            ],
            options={
                'verbose_name': 'incident',
                'verbose_name_plural': 'incidents',
                'ordering': ['-id'],
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='bulkredelivery',
            name='incident',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='bulk_redeliveries', to='logs.incident', verbose_name='incident'),
        ),
        migrations.CreateModel(
            name='IncidentEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(verbose_name='time')),
                ('kind', models.CharField(choices=[('opened', 'first failure'), ('recovered', 'the receiver recovered'), ('failed_again', 'failing again'), ('resolved', 'resolved: nothing is failed any more'), ('left', 'closed: its failed logs were left for a week'), ('reopened', 'reopened'), ('changed', 'no longer ignored: it has changed'), ('acknowledged', 'acknowledged'), ('unacknowledged', 'acknowledgement taken back'), ('assigned', 'assigned'), ('ignored', 'ignored until it changes'), ('not_ignored', 'no longer ignored'), ('checked', 'receiver checked'), ('note', 'note')], max_length=20, verbose_name='kind')),
                ('text', models.CharField(blank=True, max_length=1000, verbose_name='text')),
                ('until', models.DateTimeField(null=True)),
                ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='by')),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='logs.incident')),
            ],
            options={
                'verbose_name': 'timeline entry',
                'verbose_name_plural': 'timeline entries',
                'ordering': ['at', 'id'],
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='IncidentLog',
            fields=[
                ('log', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='incident_log', serialize=False, to='logs.webhooklog')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('retrying', 'Retrying'), ('delivered', 'Delivered'), ('failed', 'Failed'), ('skipped', 'Skipped'), ('superseded', 'Superseded')], max_length=10)),
                ('incident', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='incident_logs', to='logs.incident')),
            ],
            options={
                'verbose_name': 'log of an incident',
                'verbose_name_plural': 'logs of incidents',
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(models.F('company'), models.F('receiver'), models.OrderBy(models.F('started_at'), descending=True), name='incident_of_receiver'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(models.F('company'), models.F('id'), condition=models.Q(('resolved_at', None)), name='incident_unresolved'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(models.F('company'), models.OrderBy(models.F('last_failed_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='incident_newest'),
        ),
        migrations.AddIndex(
            model_name='incidententry',
            index=models.Index(models.F('incident'), models.F('at'), name='incident_entry_at'),
        ),
        migrations.AddIndex(
            model_name='incidentlog',
            index=models.Index(models.F('incident'), models.F('state'), models.F('log'), name='incident_log_state'),
        ),
        migrations.RunSQL(TRIGGER, NO_TRIGGER),
        migrations.RunSQL(NOTE_OLD_FAILURES, migrations.RunSQL.noop),
    ]
