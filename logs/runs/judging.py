"""When a run pauses by itself: the rule alone, of what was settled since somebody let it go on."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import LAST_STEP, WINDOW, PauseReason


def why_to_pause(step: int, last_failed: Sequence[bool], has_failed: bool, failure_percent: int) -> PauseReason | None:
    """`last_failed`: of the last logs, at most WINDOW, whether each failed; `has_failed`: whether any of them all did.

    In the canary no log may fail; in the rest more than the percentage of WINDOW pauses.
    """
    if step < LAST_STEP and has_failed:
        return PauseReason.CANARY_FAILED
    if sum(last_failed) * 100 > failure_percent * WINDOW:
        return PauseReason.FAILURES
    return None
