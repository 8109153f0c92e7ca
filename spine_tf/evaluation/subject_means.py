"""Means over subjects with intervals, for values that a case may lack.

Several cases of one subject are averaged first, so that each subject counts once.
Source: methods 1.9, 3.6 and 3.7.
"""

import dataclasses
from typing import Any

import numpy as np

from spine_tf.evaluation import bootstrap, contrasts


@dataclasses.dataclass(frozen=True)
class Paired:
    """A paired difference of two models.

    Attributes:
        score: The mean difference over subjects.
        unpaired: Number of values that only the first model has, and that only the second has.
    """

    score: contrasts.Score
    unpaired: tuple[int, int]


def per_unit(values: np.ndarray, units: np.ndarray, num_units: int) -> np.ndarray:
    """Returns the mean [units] of each subject's cases; NaN for a subject without any value.

    Args:
        values: [cases] float; NaN is no value.
        units: [cases] code of the subject, see `bootstrap.codes`.
        num_units: Number of subjects.
    """
    here = np.isfinite(values)
    number = np.bincount(units[here], minlength=num_units)
    total = np.bincount(units[here], values[here], num_units)
    return total / np.where(number > 0, number, np.nan)


def mean(values: np.ndarray, counts: np.ndarray) -> contrasts.Score:
    """Returns the mean over subjects, on the data and in every draw.

    Args:
        values: [units] float; NaN is no value.
        counts: [draws, units] from `bootstrap.draw_counts`.

    Returns:
        The mean; NaN where no subject has a value.
    """
    here = np.isfinite(values)
    if not here.any():
        return contrasts.Score(np.nan, np.full(len(counts), np.nan))
    number = counts[:, here].sum(1)
    drawn = counts[:, here] @ values[here] / np.where(number > 0, number, np.nan)
    return contrasts.Score(float(values[here].mean()), drawn)


def over_regions(values: np.ndarray) -> np.ndarray:
    """Returns the mean [cases] of values [regions, cases]; NaN for a case without any."""
    here = np.isfinite(values)
    return np.where(here, values, 0).sum(0) / np.where(here.any(0), here.sum(0), np.nan)


def difference(one: np.ndarray, other: np.ndarray, units: np.ndarray, counts: np.ndarray) -> Paired:
    """Returns one model minus another, over what both have a value of.

    A model that finds nothing has no distance there. Means of each model over what it found would
    be of different cases, and the model that misses the hard ones would gain.

    Args:
        one: [regions, cases] values of the first model; NaN is no value.
        other: Those of the second, of the same cases.
        units: [cases] code of the subject, see `bootstrap.codes`.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        The difference; regions are averaged first, then the cases of a subject, then subjects.
    """
    here, there = np.isfinite(one), np.isfinite(other)
    per_case = over_regions(np.where(here & there, one - other, np.nan))
    return Paired(
        mean(per_unit(per_case, units, counts.shape[1]), counts),
        (int((here & ~there).sum()), int((there & ~here).sum())),
    )


def deviation(values: np.ndarray) -> float | None:
    """Returns the standard deviation (n - 1) of what is not NaN; None for less than two."""
    values = values[np.isfinite(values)]
    return round(float(values.std(ddof=1)), 6) if values.size > 1 else None


def describe(values: np.ndarray, counts: np.ndarray, reason: str = "") -> dict[str, Any]:
    """Returns mean, interval, deviation and number of subjects, ready for JSON.

    Args:
        values: [units] float; NaN is no value.
        counts: [draws, units] from `bootstrap.draw_counts`.
        reason: Why there is no value at all.

    Returns:
        {"value", "low", "high", "std", "subjects"}, see `bootstrap.interval`.
    """
    found = mean(values, counts)
    return bootstrap.interval(found.value, found.drawn, reason) | {
        "std": deviation(values),
        "subjects": int(np.isfinite(values).sum()),
    }
