"""Durations by the bin: each is a quarter longer than the one before, so a percentile is right to an eighth."""

from __future__ import annotations

from collections.abc import Mapping

RATIO = 1.25  # the migration of the rollups computes bins by it: floor(ln(ms) / ln(1.25)), 0 to 63


def percentile(counts: Mapping[int, int], fraction: float = 0.95) -> float | None:
    """The duration in ms that `fraction` of the logs did not exceed; None where none was timed. `counts`: logs by bin."""
    wanted = sum(counts.values()) * fraction
    if wanted <= 0:
        return None
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted:
            return RATIO ** (number + 0.5)
    return None
