"""Segmentation over subjects: means with intervals.

Source: methods 3.7: per subject, then averaged.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import segmentation, subject_means

_REASONS = {
    "hd95_mm": "no case has both a reference and a prediction",
    "specificity": "the reference is everywhere",
}


def evaluate(
    rows: Sequence[Mapping[str, float]],
    regions: Iterable[str],
    units: np.ndarray,
    counts: np.ndarray,
) -> dict[str, Any]:
    """Averages the rows of cases over subjects.

    Args:
        rows: [cases] rows of `segmentation.case_row`.
        regions: Names of the regions.
        units: [cases] code of the subject, see `bootstrap.codes`.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        Region -> measure -> `subject_means.describe`, and "hd95_skipped": the cases without a
        distance, by what is empty ("reference", which may lack a prediction too, or "prediction"
        alone). A model that finds nothing has no distance, so a distance is read beside these.
    """
    return {
        region: {
            measure: subject_means.describe(
                _per_subject(rows, region, measure, units, counts),
                counts,
                _REASONS.get(measure, ""),
            )
            for measure in segmentation.MEASURES
        }
        | {"hd95_skipped": _skipped(rows, region)}
        for region in regions
    }


def _values(rows, region: str, measure: str) -> np.ndarray:
    return np.array([row[f"{region}_{measure}"] for row in rows], float)


def _per_subject(rows, region: str, measure: str, units, counts) -> np.ndarray:
    return subject_means.per_unit(_values(rows, region, measure), units, counts.shape[1])


def _skipped(rows, region: str) -> dict[str, int]:
    true, predicted = (_values(rows, region, f"{which}_mm3") for which in ("true", "predicted"))
    return {
        "reference": int((true == 0).sum()),
        "prediction": int(((true > 0) & (predicted == 0)).sum()),
    }
