"""Background loops that fail are restarted. A loop that fails repeatedly is given up and reported."""

import asyncio
from collections.abc import Callable

import django.db
import psycopg
import pytest

from logs.background import supervisor as supervising
from logs.background.supervisor import MAX_FAILURES, Supervisor


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(supervising, "MIN_BACKOFF_SECONDS", 0.0)


class Loop:
    """Raises the given errors one after the other, and then does its work."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.is_done = asyncio.Event()
        self.seen: list[dict[str, str]] = []

    async def work(self, is_well: Callable[[], None]) -> None:
        while self.errors:
            if error := self.errors.pop(0):
                raise error
            is_well()
        self.is_done.set()
        await asyncio.Event().wait()


def supervise(*errors: Exception | None) -> tuple[Supervisor, bool]:
    """The supervisor once the loop works or was given up, and whether it was given up."""

    async def run() -> tuple[Supervisor, bool]:
        given_up = asyncio.Event()
        supervisor = Supervisor(on_gone=given_up.set)
        loop = Loop(*errors)
        supervisor.keep("compaction", loop.work)
        waits = [asyncio.create_task(event.wait()) for event in (loop.is_done, given_up)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await supervisor.stop()
        for wait in waits:
            wait.cancel()
        return supervisor, given_up.is_set()

    return asyncio.run(run())


def away(error_type: type[Exception], cause: Exception | None = None) -> Exception:
    error = error_type("the connection is closed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a fault"),
        away(django.db.InterfaceError, psycopg.InterfaceError()),  # no DatabaseError: it ended the loops before
        away(django.db.OperationalError, psycopg.OperationalError()),
        psycopg.OperationalError("no connection"),
    ],
    ids=["fault", "closed", "lost", "refused"],
)
def test_a_failed_loop_is_restarted(error):
    supervisor, is_given_up = supervise(error)
    assert not is_given_up
    assert supervisor.problems == {"compaction": type(error).__name__}  # until it says that it is well


def test_a_problem_ends_when_the_loop_makes_progress():
    supervisor, _ = supervise(RuntimeError(), None)
    assert supervisor.problems == {}


def test_a_loop_that_fails_repeatedly_is_given_up():
    supervisor, is_given_up = supervise(*[RuntimeError()] * MAX_FAILURES)
    assert is_given_up
    assert (supervisor.gone, supervisor.problems) == (["compaction"], {"compaction": "RuntimeError"})


def test_failures_with_progress_in_between_do_not_add_up():
    _, is_given_up = supervise(*[RuntimeError(), None] * MAX_FAILURES)
    assert not is_given_up


def test_a_loop_is_not_given_up_while_the_database_is_down():
    _, is_given_up = supervise(*[psycopg.OperationalError("no connection")] * 3 * MAX_FAILURES)
    assert not is_given_up
