"""Classification of images: precision, recall and F1, averaged over classes without weights.

Everything is vectorised over the leading axes of confusion matrices [..., true, predicted], so that
a bootstrap is one call and `contrasts.score` takes the means as metrics. The numbers are those of
scikit-learn, which takes 10 ms per draw.

Source: Chen 2019, Table 3; methods 3.5. The F1 is the mean of the classes' F1, not the harmonic
mean of the other two means.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import bootstrap, contrasts, ordinal

_NO_IMAGE = "no image is of this class"


def precision(confusion: np.ndarray) -> np.ndarray:
    """Returns the share of right ones among the images given each class, [..., classes].

    A class that is never predicted has 0; a class that no image is of has NaN.
    """
    predicted = confusion.sum(-2)
    share = _hits(confusion) / np.where(predicted > 0, predicted, 1)
    return np.where(confusion.sum(-1) > 0, share, np.nan)


def recall(confusion: np.ndarray) -> np.ndarray:
    """Returns the share of each class that is found, [..., classes]; NaN if no image is of it."""
    return _hits(confusion) / _or_nan(confusion.sum(-1))


def f1(confusion: np.ndarray) -> np.ndarray:
    """Returns the harmonic mean of precision and recall of each class, [..., classes].

    NaN for a class that no image is of.
    """
    true = _or_nan(confusion.sum(-1))
    return 2 * _hits(confusion) / (true + confusion.sum(-2))


METRICS = {"precision": precision, "recall": recall, "f1": f1}


def _hits(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _or_nan(count: np.ndarray) -> np.ndarray:
    """What may be divided by: NaN instead of 0."""
    return np.where(count > 0, count, np.nan)


def mean_over_classes(
    confusion: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray],
) -> np.ndarray:
    """Returns the unweighted mean [...] over the classes that occur; NaN if none does.

    Args:
        confusion: [..., true, predicted].
        metric: One of `METRICS`.
    """
    values = metric(confusion)
    occurs = np.isfinite(values)
    return np.where(occurs, values, 0).sum(-1) / _or_nan(occurs.sum(-1))


def evaluate(
    true: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    units: np.ndarray,
    counts: np.ndarray,
) -> dict[str, Any]:
    """Compares predicted classes with true ones.

    Args:
        true: [n] class index.
        predicted: [n] class index.
        names: Class names.
        units: [n] code of the subject or examination, see `bootstrap.codes`.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        "images", "missing" (classes without an image, which the means leave out), "mean" and
        "per_class" (metric -> interval), and "confusion": the names and the rows
        `[true][predicted]`.

    Raises:
        ValueError: If an index is not that of a class.
    """
    _check("true", true, names)
    _check("predicted", predicted, names)
    per_unit = ordinal.confusion_per_unit(true, predicted, len(names), units, counts.shape[1])
    confusion, drawn = per_unit.sum(0), np.tensordot(counts, per_unit, 1)
    return {
        "images": len(true),
        "missing": [name for name, row in zip(names, confusion, strict=True) if not row.any()],
        "mean": _means(confusion, drawn),
        "per_class": _per_class(confusion, drawn, names),
        "confusion": {"classes": list(names), "table": confusion.astype(int).tolist()},
    }


def _means(confusion: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    found = {}
    for name, metric in METRICS.items():
        of = functools.partial(mean_over_classes, metric=metric)
        found[name] = bootstrap.interval(float(of(confusion)), of(drawn), "there is no image")
    return found


def _per_class(confusion: np.ndarray, drawn: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    values = {name: (metric(confusion), metric(drawn)) for name, metric in METRICS.items()}
    return {
        title: {"images": int(confusion[i].sum()), "predicted": int(confusion[:, i].sum())}
        | {
            name: bootstrap.interval(float(value[i]), in_draws[:, i], _NO_IMAGE)
            for name, (value, in_draws) in values.items()
        }
        for i, title in enumerate(names)
    }


def score(
    true: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    units: np.ndarray,
    counts: np.ndarray,
    *,
    metric: str = "f1",
) -> contrasts.Score:
    """Returns a mean over classes, averaged over runs, for `contrasts.weighted_sum`.

    Args:
        true: [n] class index.
        predicted: [runs, n] class index.
        num_classes: Number of classes.
        units: [n] code of the subject or examination.
        counts: [draws, units], see `bootstrap.draw_counts`.
        metric: A name of `METRICS`.
    """
    of = functools.partial(mean_over_classes, metric=METRICS[metric])
    return contrasts.score(true, predicted, num_classes, units, counts, of)


def _check(name: str, found: np.ndarray, names: Sequence[str]) -> None:
    wrong = np.setdiff1d(found, range(len(names)))
    if wrong.size:
        raise ValueError(
            f"`{name}` must hold class indices from 0 to {len(names) - 1}, got {wrong[0]!r}."
        )
