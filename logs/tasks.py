"""Background jobs, run by `manage.py worker`: each calls one function of the domain."""

from contextlib import suppress

from procrastinate import JobContext, RetryStrategy
from procrastinate.contrib.django import app

from .ingest import same_again, unmatched, uploads
from .partitions import make_months_ahead
from .retention import running
from .runs import asking


@app.task(queue="imports", pass_context=True, retry=RetryStrategy(retry_exceptions={uploads.Interrupted}))
def run_import(context: JobContext, import_id: int) -> None:
    uploads.run(import_id, should_stop=context.should_abort)


@app.task(queue="plans")
def plan_run(run_id: int) -> None:
    """The plan of a re-delivery run for which nobody would want to wait. Its ids stand with the run: messages tell arguments."""
    asking.plan_waiting(run_id)


@app.periodic(cron="7 * * * *")
@app.task(queueing_lock="forget_events")
def forget_events(timestamp: int) -> None:
    """What tells the same event again is kept for a day, and what fired nothing is counted for three months."""
    same_again.forget_old()
    unmatched.forget_old()


@app.periodic(cron="27 * * * *")
@app.task(queueing_lock="forget_plans")
def forget_plans(timestamp: int) -> None:
    """Plans of re-deliveries that nobody has started for days."""
    asking.forget_old_plans()


@app.periodic(cron="37 * * * *")
@app.task(queueing_lock="make_months")
def make_months(timestamp: int) -> None:
    """The tables of the payloads to come; all but twelve times a year they are there."""
    make_months_ahead()


@app.periodic(cron="17 3 * * *")
@app.task(queueing_lock="prune", pass_context=True)
def prune(context: JobContext, timestamp: int) -> None:
    """At night by UTC: what has expired. What it leaves when the worker stops, or another prunes, is for the next night."""
    with suppress(running.AlreadyRunning):
        running.prune(should_stop=context.should_abort)
