"""The coordinates of a chart's bars. Templates draw them as SVG attributes, never as styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_FAILED_HEIGHT = 0.03  # of the height: one failure among thousands must stay visible


@dataclass(frozen=True)
class Rect:
    """In the units of the viewBox; y counts from the top, as in SVG."""

    x: float
    y: float
    width: float
    height: float


Stack = list[tuple[int, Rect]]  # (number of the part, its rectangle), from the base line up


def stacked_bars(rows: Sequence[Sequence[int]], width: float, height: float, gap: float = 2) -> list[Stack]:
    """Bars of several parts, from left to right. The first part is failures: it is on the base line and always visible."""
    most = max((sum(row) for row in rows), default=0)
    slot = width / len(rows) if rows else 0
    drawn = []
    for index, row in enumerate(rows):
        heights = [height * number / most if number else 0 for number in row]
        if row and row[0]:
            heights[0] = max(heights[0], height * MIN_FAILED_HEIGHT)
        top, stack = height, []
        for part, part_height in enumerate(heights):
            part_height = min(part_height, top)
            top -= part_height
            if rect := _rect(index * slot + gap / 2, top, slot - gap, part_height):
                stack.append((part, rect))
        drawn.append(stack)
    return drawn


def _rect(x: float, y: float, width: float, height: float) -> Rect | None:
    return Rect(round(x, 1), round(y, 1), round(width, 1), round(height, 1)) if height else None
