"""Receiver operating characteristic of distances: small means the same subject.

Source: Jamaludin 2017, section 4.1 and Fig. 6; methods 1.9.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse
from sklearn import metrics

_ELEMENTS_AT_ONCE = 4_000_000
_ROUNDING = 1e-12  # of sums of weights


@dataclasses.dataclass(frozen=True)
class Sample:
    """Pairs with what they are judged by.

    Attributes:
        is_positive: [n] bool.
        distance: [n].
        weight: [n] weight of each pair on the data as they are.
        units: [n, 2] codes of the subjects (or families) of both sides.
    """

    is_positive: np.ndarray
    distance: np.ndarray
    weight: np.ndarray
    units: np.ndarray


def curve(
    is_positive: np.ndarray, distance: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns false and true positive rates, [points] each, from (0, 0) to (1, 1)."""
    false_rate, true_rate, _ = metrics.roc_curve(is_positive, -distance, sample_weight=weight)
    return false_rate, true_rate


def measures(
    sample: Sample, counts: np.ndarray, false_rates: Sequence[float] = ()
) -> dict[str | float, np.ndarray]:
    """Returns what the curve says, in every bootstrap draw.

    A pair of one unit counts as often as the unit was drawn, a pair of two units as often as the
    product.

    Args:
        sample: The pairs.
        counts: [draws, units], see `bootstrap.draw_counts`; a row of ones is the data as they are.
        false_rates: False positive rates.

    Returns:
        "auc", "equal_error_rate" and, by false positive rate, the true positive rate: [draws]
        float64 each; NaN where a draw has no positive or no negative.
    """
    names: tuple[str | float, ...] = ("auc", "equal_error_rate", *false_rates)
    found: dict[str | float, list[np.ndarray]] = {name: [] for name in names}
    for rates in _curves(sample, counts):
        found["auc"].append(area(*rates))
        found["equal_error_rate"].append(equal_error_rate(*rates))
        for largest in false_rates:
            found[largest].append(true_rate_at(*rates, largest))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def rates_within(
    sample: Sample, counts: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the shares of negatives and of positives at most `threshold` apart, [draws] each."""
    group = (sample.distance > threshold).astype(int)
    parts = [
        [side[:, 0] / _positive(side.sum(1)) for side in sums]
        for sums in _group_sums(sample, group, 2, counts)
    ]
    true_rate, false_rate = (np.concatenate(column) for column in zip(*parts, strict=True))
    return false_rate, true_rate


def area(false_rate: np.ndarray, true_rate: np.ndarray) -> np.ndarray:
    """Returns the area [...] under curves [..., points]: a tie counts as half."""
    width = np.diff(false_rate, axis=-1)
    return np.sum(width * (true_rate[..., 1:] + true_rate[..., :-1]), -1) / 2


def equal_error_rate(false_rate: np.ndarray, true_rate: np.ndarray) -> np.ndarray:
    """Returns the rate [...] where false positives are as frequent as false negatives.

    Between two points of the curves [..., points] it is interpolated.
    """
    gap = false_rate - (1 - true_rate)  # rises from -1 to 1
    after = np.maximum(np.argmax(gap >= -_ROUNDING, axis=-1), 1)[..., None]
    high, low = (np.take_along_axis(gap, i, -1)[..., 0] for i in (after, after - 1))
    until, since = (np.take_along_axis(false_rate, i, -1)[..., 0] for i in (after, after - 1))
    return since + np.clip(-low / _positive(high - low), 0, 1) * (until - since)


def true_rate_at(false_rate: np.ndarray, true_rate: np.ndarray, largest: float) -> np.ndarray:
    """Returns the largest true positive rate [...] whose false one is at most `largest`."""
    found = np.where(false_rate <= largest + _ROUNDING, true_rate, 0.0).max(-1)
    return np.where(np.isfinite(false_rate[..., -1] + true_rate[..., -1]), found, np.nan)


def _positive(value: np.ndarray) -> np.ndarray:
    """What may be divided by: NaN instead of 0."""
    return np.where(value > 0, value, np.nan)


def _curves(sample: Sample, counts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields false and true positive rates, [draws, points] each, for some draws at a time.

    Negatives between two neighbouring distances of positives are one step, which changes none of
    the measures.
    """
    steps = np.unique(sample.distance[sample.is_positive])
    place = np.searchsorted(steps, sample.distance)
    is_tied = steps[np.minimum(place, len(steps) - 1)] == sample.distance if len(steps) else 0
    for sums in _group_sums(sample, 2 * place + is_tied, 2 * len(steps) + 1, counts):
        true_rate, false_rate = (_cumulative(part) for part in sums)
        yield false_rate, true_rate


def _cumulative(weights: np.ndarray) -> np.ndarray:
    """[draws, groups] weights to shares [draws, groups + 1] from 0 to 1."""
    total = np.cumsum(np.pad(weights, ((0, 0), (1, 0))), axis=1)
    return total / _positive(total[:, -1:])


def _group_sums(
    sample: Sample, group: np.ndarray, num_groups: int, counts: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields the weights of positives and of negatives, [draws, groups] each, for some draws."""
    num_units = counts.shape[1]
    pair, column = np.unique(sample.units @ [num_units, 1], return_inverse=True)
    one, two = np.divmod(pair, num_units)
    own = np.flatnonzero(one == two)
    row = group + num_groups * ~sample.is_positive
    shape = (2 * num_groups, len(pair))
    weights = sparse.csc_array((sample.weight, (row, column.reshape(-1))), shape)
    step = max(1, _ELEMENTS_AT_ONCE // max(1, *shape))
    for begin in range(0, len(counts), step):
        drawn = counts[begin : begin + step].T
        times = drawn[one] * drawn[two]
        times[own] = drawn[one[own]]
        sums = (weights @ times).T
        yield sums[:, :num_groups], sums[:, num_groups:]
