"""Intervals over subjects, because discs and pairs of one subject are not independent.

Source: methods 1.9, P15. Percentile bootstrap; a draw takes as many units as there are, with
replacement.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CONFIDENCE = 0.95


def codes(keys: Sequence) -> tuple[np.ndarray, int]:
    """Returns the code [n] of each key, and the number of different keys."""
    unique, inverse = np.unique(np.asarray(keys, dtype=str), return_inverse=True)
    return inverse.reshape(-1), len(unique)


def draw_counts(num_units: int, num_draws: int, seed: int) -> np.ndarray:
    """Returns how often each unit is in each draw.

    Args:
        num_units: Number of subjects or families.
        num_draws: Number of draws.
        seed: The same seed gives the same draws.

    Returns:
        [num_draws, num_units] float64 whole numbers; every row sums to `num_units`. NaN for a
        single unit, which says nothing about others: then intervals are not defined.
    """
    if num_units < 2:
        return np.full((num_draws, num_units), np.nan)
    rng = np.random.default_rng([seed, num_units])
    return rng.multinomial(num_units, np.full(num_units, 1 / num_units), num_draws).astype(float)


def interval(value: float, drawn: np.ndarray, reason: str = "") -> dict[str, Any]:
    """Returns a value with its interval, ready for JSON.

    Args:
        value: The value on the data as they are; NaN if it is not defined.
        drawn: [draws] the value in every draw; NaN in a draw that cannot have one.
        reason: Why `value` is NaN.

    Returns:
        {"value", "low", "high"}; what is not defined is None, and then "reason" says why.
    """
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None, "reason": reason or "is not defined"}
    drawn = np.asarray(drawn)[np.isfinite(drawn)]
    found = {"value": _rounded(value), "low": None, "high": None}
    if drawn.size < 2:
        return found | {
            "reason": "the interval is not defined: there are too few subjects or draws"
        }
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return found | {"low": _rounded(low), "high": _rounded(high)}


def share(hit: np.ndarray, unit: np.ndarray, counts: np.ndarray, reason: str) -> dict[str, Any]:
    """Returns the share of hits with its interval.

    Args:
        hit: [n] bool.
        unit: [n] code of the subject or family of each.
        counts: [draws, units] from `draw_counts`.
        reason: Why there is no value if n is 0.
    """
    return ratio(np.asarray(hit, float), np.ones(len(hit)), unit, counts, reason)


def ratio(
    upper: np.ndarray, lower: np.ndarray, unit: np.ndarray, counts: np.ndarray, reason: str
) -> dict[str, Any]:
    """Returns the ratio of two sums with its interval.

    Args:
        upper: [n] what is summed above the line.
        lower: [n] what is summed below it.
        unit: [n] code of the subject or family of each.
        counts: [draws, units] from `draw_counts`.
        reason: Why there is no value if nothing is below the line.
    """
    uppers, lowers = (np.bincount(unit, one, counts.shape[1]) for one in (upper, lower))
    if not lowers.sum():
        return interval(np.nan, np.empty(0), reason)
    with np.errstate(invalid="ignore", divide="ignore"):
        return interval(float(uppers.sum() / lowers.sum()), (counts @ uppers) / (counts @ lowers))


def _rounded(value: float) -> float:
    return round(float(value), 6)


def text(found: Mapping[str, Any]) -> str:
    """Returns "0.812 [0.790, 0.834]" for a result of `interval`."""
    if found["value"] is None:
        return "-"
    if found.get("low") is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
