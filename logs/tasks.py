"""Background jobs, run by `manage.py worker`: each calls one function of the domain."""

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from .ingest import same_again, unmatched, uploads


@app.task(queue="imports", pass_context=True, retry=RetryStrategy(retry_exceptions={uploads.Interrupted}))
def run_import(context: JobContext, import_id: int) -> None:
    uploads.run(import_id, should_stop=context.should_abort)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Procrastinate leaves the jobs of a killed worker as they were unless it is asked for them."""
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="forget_events")
def forget_events(timestamp: int) -> None:
    """What tells the same event again is kept for a day, and what fired nothing is counted for three months."""
    same_again.forget_old()
    unmatched.forget_old()
