"""Background jobs, run by `manage.py worker`: each calls one function of the domain."""

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from .ingest import uploads


@app.task(queue="imports", pass_context=True, retry=RetryStrategy(retry_exceptions={uploads.Interrupted}))
def run_import(context: JobContext, import_id: int) -> None:
    uploads.run(import_id, should_stop=context.should_abort)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:
    """Procrastinate leaves the jobs of a killed worker as they were unless it is asked for them."""
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)
