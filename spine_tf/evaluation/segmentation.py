"""Segmentation of one case against its reference: numbers per region.

A region is a union of labels, so that overlapping ones (BraTS) are configuration.

Rules, methods 3.7: with an empty reference, Dice and sensitivity are 1 if the prediction is empty
too and 0 if not. A distance needs two surfaces; where one is missing it is NaN.

Source: Chen 2019, brain tumour segmentation (names of the measures).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import surface_distance

MEASURES = ("dice", "sensitivity", "specificity", "hd95_mm")
_PERCENT = 95


def check_regions(regions: Mapping[str, Sequence[int]]) -> None:
    """Checks that every region has labels and none is the background.

    Raises:
        ValueError: If there is no region, or one without labels or with label 0.
    """
    if not regions or any(not labels or min(labels) < 1 for labels in regions.values()):
        raise ValueError(
            f"`regions` must name a tuple of labels from 1 for each region, got {dict(regions)!r}."
        )


def overlap(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Returns Dice, sensitivity and specificity of two masks.

    Args:
        prediction: bool [...].
        truth: bool [...].

    Returns:
        "dice", "sensitivity", "specificity"; the last is NaN if the reference is everywhere.
    """
    hit, predicted, true = (int(m.sum()) for m in (prediction & truth, prediction, truth))
    outside = truth.size - true
    return {
        "dice": 2 * hit / (predicted + true) if predicted + true else 1.0,
        "sensitivity": hit / true if true else float(predicted == 0),
        "specificity": (outside - predicted + hit) / outside if outside else float("nan"),
    }


def hd95_mm(prediction: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Returns the larger of the two directed 95th percentiles of the distance of surfaces.

    Surface elements count by their area (Nikolov 2018, the package `surface-distance`). A single
    slice has a contour, whose elements count by their length.

    Args:
        prediction: bool [slices, rows, columns].
        truth: bool [slices, rows, columns].
        spacing_mm: [3] distance between slices, rows and columns.

    Returns:
        mm; NaN if one of the masks is empty.
    """
    if not (prediction.any() and truth.any()):
        return float("nan")
    if len(truth) == 1:
        prediction, truth, spacing_mm = prediction[0], truth[0], spacing_mm[1:]
    found = surface_distance.compute_surface_distances(truth, prediction, spacing_mm)
    return float(surface_distance.compute_robust_hausdorff(found, _PERCENT))


def case_row(
    prediction: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Sequence[float],
    regions: Mapping[str, Sequence[int]],
) -> dict[str, float]:
    """Returns all numbers of one case.

    Args:
        prediction: [slices, rows, columns] integer labels.
        truth: [slices, rows, columns] integer labels.
        spacing_mm: [3] distance between slices, rows and columns.
        regions: Name -> labels.

    Returns:
        "REGION_MEASURE" for each of `MEASURES`, and "REGION_true_mm3", "REGION_predicted_mm3":
        the volumes, 0 for an empty mask.

    Raises:
        ValueError: If the shapes differ or are not of a volume, the spacing is not positive, or a
            region is not valid.
    """
    check_regions(regions)
    _check(prediction, truth, spacing_mm)
    row = {}
    for name, labels in regions.items():
        masks = [np.isin(labelled, labels) for labelled in (prediction, truth)]
        found = overlap(*masks) | {"hd95_mm": hd95_mm(masks[0], masks[1], spacing_mm)}
        for which, mask in zip(("predicted", "true"), masks, strict=True):
            found[f"{which}_mm3"] = float(mask.sum() * np.prod(spacing_mm))
        row |= {f"{name}_{measure}": value for measure, value in found.items()}
    return row


def _check(prediction: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float]) -> None:
    if truth.ndim != 3 or prediction.shape != truth.shape:
        raise ValueError(
            "`prediction` and `truth` must be [slices, rows, columns] of one shape, "
            f"got {prediction.shape} and {truth.shape}."
        )
    if len(spacing_mm) != 3 or not all(np.isfinite(s) and s > 0 for s in spacing_mm):
        raise ValueError(f"`spacing_mm` must be three positive numbers, got {spacing_mm!r}.")
