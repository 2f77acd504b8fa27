"""Where the bars of a chart stand, in numbers: the templates draw them as SVG attributes, never as styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_FAILED = 0.03  # of the height: one failure among thousands must still be seen


@dataclass(frozen=True)
class Rect:
    """In the units of the viewBox; y counts from the top, as in SVG."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One stretch of time. A rectangle is None where there is nothing to draw."""

    ok_count: int
    failed_count: int
    ok: Rect | None
    failed: Rect | None


def stacked_bars(
    counts: Sequence[tuple[int, int]], width: float = 240, height: float = 100, gap: float = 2
) -> list[Bar]:
    """`counts`: (ok, failed) from left to right. Failures stand on the base line, what was delivered on top of them."""
    most = max((ok + failed for ok, failed in counts), default=0)
    slot = width / len(counts) if counts else 0
    bars = []
    for index, (ok, failed) in enumerate(counts):
        failed_height = max(height * failed / most, height * LEAST_FAILED) if failed else 0
        ok_height = min(height * ok / most, height - failed_height) if ok else 0
        x, bar_width = index * slot + gap / 2, slot - gap
        bars.append(
            Bar(
                ok,
                failed,
                ok=_rect(x, height - failed_height - ok_height, bar_width, ok_height),
                failed=_rect(x, height - failed_height, bar_width, failed_height),
            )
        )
    return bars


def _rect(x: float, y: float, width: float, height: float) -> Rect | None:
    return Rect(round(x, 1), round(y, 1), round(width, 1), round(height, 1)) if height else None


Stack = list[tuple[int, Rect]]  # (which of the parts, where it stands), from the base line up


def stacks(rows: Sequence[Sequence[int]], width: float, height: float, gap: float = 2) -> list[Stack]:
    """Bars of several parts, from left to right. The first part stands on the base line, and is always seen: failures."""
    most = max((sum(row) for row in rows), default=0)
    slot = width / len(rows) if rows else 0
    drawn = []
    for index, row in enumerate(rows):
        heights = [height * number / most if number else 0 for number in row]
        if row and row[0]:
            heights[0] = max(heights[0], height * LEAST_FAILED)
        top, stack = height, []
        for part, one in enumerate(heights):
            one = min(one, top)
            top -= one
            if rect := _rect(index * slot + gap / 2, top, slot - gap, one):
                stack.append((part, rect))
        drawn.append(stack)
    return drawn
