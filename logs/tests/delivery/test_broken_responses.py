"""The outcome of a log when the receiver's response is invalid HTTP after its status line."""

from __future__ import annotations

import pytest

from logs.models import Cause, State

from ..factories import make_subscription, make_waiting_log

BROKEN = b"Content-Length: 2\r\nContent-Length: 3\r\nX: a\0b\r\n\r\nok"


@pytest.mark.parametrize("raw_server", [b"HTTP/1.1 200 OK\r\n" + BROKEN], indirect=True)
def test_a_log_whose_receiver_answered_200_is_delivered_once(deliver, raw_server):
    log = make_waiting_log(make_subscription(url=f"http://127.0.0.1:{raw_server.port}/"))
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.attempt_count, log.is_queued) == (State.DELIVERED, 200, 1, False)
    [attempt] = log.attempts.all()
    assert attempt.note.startswith("the response ended early: Parse Error")
    assert len(raw_server.requests) == 1


@pytest.mark.parametrize("raw_server", [b"200 OK\r\n" + BROKEN], indirect=True)
def test_a_log_whose_response_has_no_status_line_has_failed(deliver, raw_server):
    log = make_waiting_log(make_subscription(url=f"http://127.0.0.1:{raw_server.port}/"), attempts_left=1)
    deliver()
    log.refresh_from_db()
    assert (log.state, log.status, log.cause) == (State.FAILED, None, Cause.OTHER)
