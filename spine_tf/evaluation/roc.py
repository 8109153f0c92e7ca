"""Receiver operating characteristic of distances: small means the same subject.

Source: Jamaludin 2017, section 4.1 and Fig. 6; methods 1.9.
"""

import numpy as np
from sklearn import metrics

_ELEMENTS_AT_ONCE = 4_000_000


def curve(
    is_positive: np.ndarray, distance: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns false and true positive rates, [points] each, from (0, 0) to (1, 1)."""
    false_rate, true_rate, _ = metrics.roc_curve(is_positive, -distance, sample_weight=weight)
    return false_rate, true_rate


def auc(is_positive: np.ndarray, distance: np.ndarray, weight: np.ndarray) -> float:
    """Returns the probability that a positive is closer than a negative; NaN without either."""
    used = weight > 0
    if len(np.unique(is_positive[used])) < 2:
        return float("nan")
    return float(
        metrics.roc_auc_score(is_positive[used], -distance[used], sample_weight=weight[used])
    )


def auc_draws(
    is_positive: np.ndarray,
    distance: np.ndarray,
    weight: np.ndarray,
    units: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray:
    """Returns the area in every bootstrap draw.

    A pair of one unit counts as often as the unit was drawn, a pair of two units as often as the
    product.

    Args:
        is_positive: [n] bool.
        distance: [n].
        weight: [n] weight of each pair on the data as they are.
        units: [n, 2] codes of the subjects (or families) of both sides.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        [draws] float64; NaN where a draw has no positive or no negative.
    """
    if not len(distance):
        return np.full(len(counts), np.nan)
    order = np.argsort(distance, kind="stable")
    distance, units = distance[order], units[order]
    positive = np.where(is_positive, weight, 0.0)[order]
    negative = np.where(is_positive, 0.0, weight)[order]
    is_one_unit = units[:, 0] == units[:, 1]
    starts = np.flatnonzero(np.append(True, distance[1:] != distance[:-1]))  # ties stand together
    step = max(1, _ELEMENTS_AT_ONCE // len(distance))
    found = []
    for begin in range(0, len(counts), step):
        drawn = counts[begin : begin + step]
        times = drawn[:, units[:, 0]] * np.where(is_one_unit, 1.0, drawn[:, units[:, 1]])
        closer = np.add.reduceat(times * positive, starts, axis=1)
        apart = np.add.reduceat(times * negative, starts, axis=1)
        all_apart = apart.sum(1)
        farther = all_apart[:, None] - np.cumsum(apart, 1) + apart / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((closer * farther).sum(1) / (closer.sum(1) * all_apart))
    return np.concatenate(found)


def equal_error_rate(false_rate: np.ndarray, true_rate: np.ndarray) -> float:
    """Returns the rate where false positives are as frequent as false negatives.

    Between two points of the curve it is interpolated.
    """
    gap = false_rate - (1 - true_rate)  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    if gap[after] == 0 or after == 0:
        return float(false_rate[after])
    part = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(false_rate[after - 1] + part * (false_rate[after] - false_rate[after - 1]))


def true_rate_at(false_rate: np.ndarray, true_rate: np.ndarray, largest: float) -> float:
    """Returns the largest true positive rate whose false positive rate is at most `largest`."""
    return float(true_rate[false_rate <= largest].max())
