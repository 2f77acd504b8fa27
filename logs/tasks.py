"""Background jobs, run by `manage.py run_worker`: each calls one domain function, within `interruptible`.

A job checks `should_stop` often. To stop, it raises JobInterrupted; it continues when it runs again.
"""

from contextlib import suppress

from django.core.management import call_command
from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from .background.cancellation import run_in_thread
from .background.jobs import JobInterrupted, interruptible
from .db.payload_partitions import ensure_future_partitions
from .delivery import bulk_skip
from .imports import uploads
from .ingest import idempotency, rejections, unmatched
from .redelivery import drafts
from .retention import prune as retention

RETRY_INTERRUPTED = RetryStrategy(retry_exceptions={JobInterrupted})
JOB_RETENTION_HOURS = 7 * 24  # for jobs that have ended


@app.task(queue="imports", pass_context=True, retry=RETRY_INTERRUPTED)
def run_import(context: JobContext, import_id: int) -> None:
    with interruptible(context.should_abort):
        uploads.run_import(import_id, should_stop=context.should_abort)


@app.task(queue="plans", pass_context=True, retry=RETRY_INTERRUPTED)
def plan_bulk_redelivery(context: JobContext, pk: int) -> None:
    """Build the plan of a bulk redelivery that is too large to wait for.

    The `BulkRedelivery` stores the ids, because log messages show a job's arguments.
    """
    with interruptible(context.should_abort):
        drafts.build_waiting_draft(pk, should_stop=context.should_abort)


@app.task(queue="plans", pass_context=True, retry=RETRY_INTERRUPTED)
def skip_waiting(context: JobContext, skip_id: int) -> None:
    """Skip the events that wait for an inactive subscription, if they are too many for one request."""
    with interruptible(context.should_abort):
        if not bulk_skip.run(skip_id, should_stop=context.should_abort):
            raise JobInterrupted


async def queue_lost() -> None:
    """Queue a new job for work whose job no longer exists."""
    for task, argument, lost in (
        (run_import, "import_id", uploads.lost_imports),
        (plan_bulk_redelivery, "pk", drafts.lost_drafts),
        (skip_waiting, "skip_id", bulk_skip.lost),
    ):
        for pk in await run_in_thread(lost):
            with suppress(AlreadyEnqueued):
                await task.configure(queueing_lock=f"{task.name} {pk}").defer_async(**{argument: pk})


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="purge_ingest_data", pass_context=True, retry=RETRY_INTERRUPTED)
def purge_ingest_data(context: JobContext, timestamp: int) -> None:
    """Delete expired data of accepting events: idempotency keys after a day, rejected requests after a week, counts after
    three months.
    """
    with interruptible(context.should_abort):
        idempotency.purge_idempotency_keys()
        unmatched.purge_unmatched()
        rejections.purge_rejected()


@app.periodic(cron="27 * * * *")
@app.task(queueing_lock="purge_plans", pass_context=True, retry=RETRY_INTERRUPTED)
def purge_plans(context: JobContext, timestamp: int) -> None:
    """Delete plans of bulk redeliveries that nobody has started for days."""
    with interruptible(context.should_abort):
        drafts.purge_old_drafts()


@app.periodic(cron="37 * * * *")
@app.task(queueing_lock="create_partitions", pass_context=True, retry=RETRY_INTERRUPTED)
def create_partitions(context: JobContext, timestamp: int) -> None:
    """Create the tables for future payloads; except twelve times a year, they already exist."""
    with interruptible(context.should_abort):
        ensure_future_partitions()


@app.periodic(cron="47 2 * * *")
@app.task(queueing_lock="purge_sessions", pass_context=True, retry=RETRY_INTERRUPTED)
def purge_sessions(context: JobContext, timestamp: int) -> None:
    """Delete expired sessions, and the files of imports that were cancelled while no worker ran."""
    with interruptible(context.should_abort):
        call_command("clearsessions")
        uploads.purge_uploaded_files()


@app.periodic(cron="57 2 * * *")
@app.task(queueing_lock="purge_jobs", pass_context=True)
async def purge_jobs(context: JobContext, timestamp: int) -> None:
    """Delete jobs that ended days ago, however they ended."""
    await context.app.job_manager.delete_old_jobs(
        JOB_RETENTION_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
    )


@app.periodic(cron="17 3 * * *")
@app.task(queue="retention", queueing_lock="prune", pass_context=True, retry=RETRY_INTERRUPTED)
def prune(context: JobContext, timestamp: int) -> None:
    """Delete expired data, at night in UTC. If another process is already pruning, the rest waits for the next night."""
    with interruptible(context.should_abort), suppress(retention.AlreadyRunning):
        retention.prune(should_stop=context.should_abort, goes_on=context.job.attempts > 0)
        if context.should_abort():
            raise JobInterrupted
