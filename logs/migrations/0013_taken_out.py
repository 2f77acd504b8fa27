"""What was taken out of its lane is noted in the run's ledger at once now; until this, a worker noted it a moment later. For what was
not noted yet nobody would do so any more, and its run would not come to an end.
"""

from django.db import migrations

NOTE = """
UPDATE logs_runentry entry SET outcome = 'skipped', why = 'taken_out', settled_at = now()
FROM logs_webhooklog log
WHERE entry.outcome = 'queued' AND log.id = entry.log_id AND log.next_attempt_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("logs", "0012_weeks"),
    ]

    operations = [
        migrations.RunSQL(NOTE, migrations.RunSQL.noop),
    ]
