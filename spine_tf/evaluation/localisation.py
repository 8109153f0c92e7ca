"""Localisation of organs: distances of centres and of walls in mm, per organ.

An organ that is not found gets the mean box of the training cases and is counted as a miss.

Source: Chen 2019, localisation of abdominal organs (names of the errors); methods 3.6 (formulas).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import boxes, subject_means

_ABSENT = "no case has this organ"


def errors(predicted: np.ndarray, true: np.ndarray, means: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the errors of every case and organ; NaN where the case lacks the organ.

    Args:
        predicted: [cases, organs, 3, 2] mm, see `boxes`; NaN where nothing was found.
        true: [cases, organs, 3, 2] mm; NaN where the case lacks the organ.
        means: [organs, 3, 2] mean boxes of the training cases, or [cases, organs, 3, 2] where
            the cases are of several folds; NaN leaves an organ that was not found without errors.

    Returns:
        "centroid_mm" [cases, organs], "wall_mm" [cases, organs] (the mean over six walls) and
        "per_wall_mm" [cases, organs, 6].
    """
    filled = boxes.fill(predicted, means)
    per_wall = boxes.wall_distances_mm(filled, true)
    return {
        "centroid_mm": boxes.centroid_distance_mm(filled, true),
        "wall_mm": per_wall.mean(-1),
        "per_wall_mm": per_wall,
    }


def evaluate(
    predicted: np.ndarray,
    true: np.ndarray,
    means: np.ndarray,
    organs: Sequence[str],
    units: np.ndarray,
    counts: np.ndarray,
) -> dict[str, Any]:
    """Compares predicted boxes with true ones.

    Args:
        predicted: [cases, organs, 3, 2] mm, see `boxes`; NaN where nothing was found.
        true: [cases, organs, 3, 2] mm; NaN where the case lacks the organ.
        means: [organs, 3, 2] mean boxes of the training cases, or [cases, organs, 3, 2] where
            the cases are of several folds; NaN leaves an organ that was not found without errors.
        organs: Names of the organs.
        units: [cases] code of the subject, see `bootstrap.codes`.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        Organ -> "cases" (that have it), "misses" (not found), "absent" (cases that lack it),
        "found_where_absent", "centroid_mm" and "wall_mm" (`subject_means.describe`: mean over
        subjects, interval, std), "per_wall_mm" (wall -> mean and std over subjects) and
        "per_wall_std_mm" (over subjects and walls together).

    Raises:
        ValueError: If the shapes do not fit.
    """
    _check(predicted, true, means, organs)
    found, found_errors = boxes.is_box(predicted), errors(predicted, true, means)
    present = boxes.is_box(true)
    return {
        organ: {
            "cases": int(present[:, i].sum()),
            "misses": int((present & ~found)[:, i].sum()),
            "absent": int((~present)[:, i].sum()),
            "found_where_absent": int((found & ~present)[:, i].sum()),
            **_summary({name: e[:, i] for name, e in found_errors.items()}, units, counts),
        }
        for i, organ in enumerate(organs)
    }


def _summary(of_organ: dict[str, np.ndarray], units: np.ndarray, counts: np.ndarray) -> dict:
    """Means and deviations of one organ's errors, [cases] and [cases, 6]."""
    num_units = counts.shape[1]
    per_wall = [subject_means.per_unit(one, units, num_units) for one in of_organ["per_wall_mm"].T]
    walls = dict(zip(boxes.WALLS, per_wall, strict=True))
    summary = {}
    for name in ("centroid_mm", "wall_mm"):
        of_subject = subject_means.per_unit(of_organ[name], units, num_units)
        summary[name] = subject_means.describe(of_subject, counts, _ABSENT)
    described = {wall: subject_means.describe(one, counts, _ABSENT) for wall, one in walls.items()}
    return summary | {
        "per_wall_mm": {
            wall: {key: one[key] for key in ("value", "std")} for wall, one in described.items()
        },
        "per_wall_std_mm": subject_means.deviation(np.stack(per_wall)),
    }


def _check(predicted, true, means, organs: Sequence[str]) -> None:
    expected = (len(true), len(organs), 3, 2)
    means = np.broadcast_to(means, (len(true), *means.shape)) if means.ndim == 3 else means
    for name, found in (("predicted", predicted), ("true", true), ("means", means)):
        if found.shape != expected:
            raise ValueError(
                f"`{name}` must have one box [3, 2] per case and organ, {expected}, got"
                f" {found.shape}."
            )
