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
    classes: Sequence[int] | None = None,
) -> np.ndarray:
    """Returns the unweighted mean [...] over the classes that occur; NaN if none does.

    Args:
        confusion: [..., true, predicted].
        metric: One of `METRICS`.
        classes: Class indices that are averaged; all by default. Images of the others still count
            where they are taken for one of these.
    """
    values = metric(confusion)
    values = values if classes is None else values[..., list(classes)]
    occurs = np.isfinite(values)
    return np.where(occurs, values, 0).sum(-1) / _or_nan(occurs.sum(-1))


def averaged_classes(
    names: Sequence[str], background: str = "", *, include_background: bool = True
) -> list[int]:
    """Returns the indices of the classes to average.

    Args:
        names: Class names.
        background: Name of the class that is no plane; needed to leave it out.
        include_background: False leaves the background out of the means.

    Raises:
        ValueError: If the background is to be left out and is not among the names.
    """
    if include_background:
        return list(range(len(names)))
    if background not in names:
        raise ValueError(
            f"`background` must be one of {', '.join(names)} to be left out, got {background!r}."
        )
    return [i for i, name in enumerate(names) if name != background]


def evaluate(
    true: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    units: np.ndarray,
    counts: np.ndarray,
    *,
    classes: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Compares predicted classes with true ones.

    Args:
        true: [n] class index.
        predicted: [n] class index.
        names: Class names.
        units: [n] code of the subject or examination, see `bootstrap.codes`.
        counts: [draws, units], see `bootstrap.draw_counts`.
        classes: Class indices that are averaged, see `averaged_classes`; all by default.

    Returns:
        "images", "averaged" (names), "missing" (averaged classes without an image, which the means
        leave out), "mean" and "per_class" (metric -> interval), and "confusion": the names and the
        rows `[true][predicted]`.

    Raises:
        ValueError: If an index is not that of a class.
    """
    _check("true", true, names)
    _check("predicted", predicted, names)
    classes = range(len(names)) if classes is None else classes
    per_unit = ordinal.confusion_per_unit(true, predicted, len(names), units, counts.shape[1])
    confusion, drawn = per_unit.sum(0), np.tensordot(counts, per_unit, 1)
    return {
        "images": len(true),
        "averaged": [names[i] for i in classes],
        "missing": [names[i] for i in classes if not confusion[i].any()],
        "mean": _means(confusion, drawn, classes),
        "per_class": _per_class(confusion, drawn, names),
        "confusion": {"classes": list(names), "table": confusion.astype(int).tolist()},
    }


def _means(confusion: np.ndarray, drawn: np.ndarray, classes: Sequence[int]) -> dict[str, Any]:
    found = {}
    for name, metric in METRICS.items():
        of = functools.partial(mean_over_classes, metric=metric, classes=classes)
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
    classes: Sequence[int] | None = None,
) -> contrasts.Score:
    """Returns a mean over classes, averaged over runs, for `contrasts.weighted_sum`.

    Args:
        true: [n] class index.
        predicted: [runs, n] class index.
        num_classes: Number of classes.
        units: [n] code of the subject or examination.
        counts: [draws, units], see `bootstrap.draw_counts`.
        metric: A name of `METRICS`.
        classes: Class indices that are averaged; all by default.
    """
    of = functools.partial(mean_over_classes, metric=METRICS[metric], classes=classes)
    return contrasts.score(true, predicted, num_classes, units, counts, of)


def _check(name: str, found: np.ndarray, names: Sequence[str]) -> None:
    wrong = np.setdiff1d(found, range(len(names)))
    if wrong.size:
        raise ValueError(
            f"`{name}` must hold class indices from 0 to {len(names) - 1}, got {wrong[0]!r}."
        )
