"""Scores of several models on the same discs, and contrasts between them, by one bootstrap.

All scores share the draws over subjects, so a difference of two is paired. A contrast is a weighted
sum of scores: a difference has the weights 1 and -1, a difference of two differences 1, -1, -1, 1.

Source: methods 1.9; Holm 1979 for several contrasts at once.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import bootstrap, ordinal


@dataclasses.dataclass(frozen=True)
class Score:
    """A value and what it is in every bootstrap draw.

    Attributes:
        value: On the data as they are.
        drawn: [draws] the value in every draw.
    """

    value: float
    drawn: np.ndarray


def score(
    true: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    units: np.ndarray,
    counts: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray] = ordinal.balanced_accuracy,
) -> Score:
    """Returns the mean score of several runs of one method.

    Args:
        true: [n] class index by the reader.
        predicted: [runs, n] class index; the runs differ in their seed, say.
        num_classes: Number of classes.
        units: [n] code of the subject of each, see `bootstrap.codes`.
        counts: [draws, units] from `bootstrap.draw_counts`.
        metric: From confusion matrices [..., true, predicted] to values [...].

    Returns:
        The metric, averaged over the runs, on the data and in every draw.
    """
    values, drawn = [], []
    for one in np.atleast_2d(predicted):
        per_unit = ordinal.confusion_per_unit(true, one, num_classes, units, counts.shape[1])
        values.append(metric(per_unit.sum(0)))
        drawn.append(metric(np.tensordot(counts, per_unit, 1)))
    return Score(float(np.mean(values)), np.mean(drawn, 0))


def weighted_sum(parts: Sequence[tuple[float, Score]]) -> Score:
    """Returns the sum of weight times score; the scores must share their draws."""
    return Score(
        sum(weight * part.value for weight, part in parts),
        np.sum([weight * part.drawn for weight, part in parts], 0),
    )


def describe(found: Score) -> dict[str, Any]:
    """Returns a contrast with its 95% interval and p value, ready for JSON.

    Returns:
        {"value", "low", "high", "p"}; p is the two-sided bootstrap p value of "the contrast is 0",
        see `p_value`.
    """
    return bootstrap.interval(found.value, found.drawn) | {"p": p_value(found.drawn)}


def p_value(drawn: np.ndarray) -> float:
    """Returns the two-sided bootstrap p value of 0: twice the smaller share of draws beyond it.

    One is added to count and draws, so the least value is 2 / (draws + 1) (Davison and Hinkley
    1997, section 4.2).
    """
    drawn = np.asarray(drawn)[np.isfinite(drawn)]
    smaller = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    return float(min(1.0, 2 * (smaller + 1) / (len(drawn) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p values adjusted for their number by Holm's step-down method, in the same order.

    The smallest of n is multiplied by n, the next by n - 1 and so on; none is below the one before
    it, and none is above 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return adjusted.tolist()


def add_holm(described: Sequence[dict[str, Any]]) -> None:
    """Adds "p_holm" to contrasts from `describe`, which are adjusted together."""
    adjusted = holm([one["p"] for one in described])
    for one, p in zip(described, adjusted, strict=True):
        one["p_holm"] = round(p, 6)
