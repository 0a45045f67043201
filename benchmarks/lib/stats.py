"""Medians, percentiles and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

__all__ = ["median", "percentile", "ratio", "spread"]


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The smallest value that at least `percent` of `values` do not exceed; None of no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """ours / theirs; None where one is missing or theirs is zero."""
    return ours / theirs if ours is not None and theirs else None


def spread(values: Sequence[float]) -> tuple[float, float, float] | None:
    """(smallest, median, largest); None of no values."""
    return (min(values), median(values), max(values)) if values else None
