"""Boxes of organs from what slices of three views show.

A classifier says for every slice of every view how probable each organ is. The longest run of
slices that show an organ gives two walls per view, six in all.

A box is [3, 2] float64 in mm: per view its first and its last wall, counted along the view's slices
from the centre of the first. A wall is the outer face of its slice. NaN is no box. Box arrays are
[..., 3, 2], and every function that takes them works over their leading axes.

Source: de Vos 2017 (the scheme); methods 3.6.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

VIEWS = ("sagittal", "coronal", "axial")
WALLS = tuple(f"{view}_{side}" for view in VIEWS for side in ("first", "last"))


@dataclasses.dataclass(frozen=True)
class RunRule:
    """How slices that show an organ become one run.

    Attributes:
        threshold: Least probability of a slice that shows the organ.
        max_gap: Gaps of at most so many slices are closed.
    """

    threshold: float = 0.5
    max_gap: int = 2

    def __post_init__(self):
        if not 0 < self.threshold < 1:
            raise ValueError(f"`threshold` must be between 0 and 1, got {self.threshold!r}.")
        if self.max_gap < 0:
            raise ValueError(f"`max_gap` must be at least 0, got {self.max_gap!r}.")


def longest_run(probability: np.ndarray, rule: RunRule) -> tuple[int, int] | None:
    """Returns the first and the last slice of the longest run, or None.

    Args:
        probability: [slices] that the organ is seen.
        rule: Threshold and gap. Of equally long runs the first is taken.
    """
    shown = np.flatnonzero(probability >= rule.threshold)
    if not shown.size:
        return None
    breaks = np.flatnonzero(np.diff(shown) > rule.max_gap + 1) + 1
    run = max(np.split(shown, breaks), key=lambda one: one[-1] - one[0])
    return int(run[0]), int(run[-1])


def from_runs(runs: Sequence[tuple[int, int] | None], spacing_mm: Sequence[float]) -> np.ndarray:
    """Returns the box [3, 2] of three runs; NaN if a view has none.

    Args:
        runs: Per view its first and its last slice.
        spacing_mm: [3] distance between the slices of each view.
    """
    if any(run is None for run in runs):
        return np.full((3, 2), np.nan)
    return (np.asarray(runs) + [-0.5, 0.5]) * np.asarray(spacing_mm, float)[:, None]


def from_probabilities(
    probabilities: Sequence[np.ndarray], spacing_mm: Sequence[float], rule: RunRule
) -> np.ndarray:
    """Returns the boxes [organs, 3, 2] of one case.

    Args:
        probabilities: Per view, in the order of `VIEWS`: [slices, organs].
        spacing_mm: [3] distance between the slices of each view.
        rule: Threshold and gap.

    Raises:
        ValueError: If there are not three views of the same organs.
    """
    shapes = [np.shape(one) for one in probabilities]
    if len(shapes) != 3 or len({shape[1:] for shape in shapes}) != 1 or len(shapes[0]) != 2:
        raise ValueError(
            f"`probabilities` must be [slices, organs] of {', '.join(VIEWS)}, got {shapes}."
        )
    return np.stack(
        [
            from_runs([longest_run(one[:, organ], rule) for one in probabilities], spacing_mm)
            for organ in range(shapes[0][1])
        ]
    )


def from_labels(
    label_map: np.ndarray, labels: Sequence[int], spacing_mm: Sequence[float]
) -> np.ndarray:
    """Returns the boxes [organs, 3, 2] around labels; NaN for a label that is not there.

    Args:
        label_map: [sagittal, coronal, axial] int: along each axis the slices of that view.
        labels: Label of each organ, at least 1.
        spacing_mm: [3] distance between the slices of each view.
    """
    found = ndimage.find_objects(label_map, max(labels))
    runs = [
        [None] * 3 if found[i - 1] is None else [(s.start, s.stop - 1) for s in found[i - 1]]
        for i in labels
    ]
    return np.stack([from_runs(one, spacing_mm) for one in runs])


def is_box(boxes: np.ndarray) -> np.ndarray:
    """Returns where there is a box, bool [...]."""
    return np.isfinite(boxes).all((-2, -1))


def mean_boxes(boxes: np.ndarray) -> np.ndarray:
    """Returns the mean box [organs, 3, 2] over the training cases that have one.

    Args:
        boxes: [cases, organs, 3, 2].

    Raises:
        ValueError: If no case has a box of some organ.
    """
    has_one = is_box(boxes)
    if not has_one.any(0).all():
        missing = np.flatnonzero(~has_one.any(0)).tolist()
        raise ValueError(f"`boxes` must hold every organ once, got none of organs {missing}.")
    return np.nanmean(boxes, 0)


def fill(boxes: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Returns the boxes [cases, organs, 3, 2] with the mean box where there is none.

    Args:
        boxes: [cases, organs, 3, 2].
        means: [organs, 3, 2] from `mean_boxes`, or [cases, organs, 3, 2].
    """
    return np.where(is_box(boxes)[..., None, None], boxes, means)


def centroid_distance_mm(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the Euclidean distance [...] of the centres."""
    return np.linalg.norm(one.mean(-1) - other.mean(-1), axis=-1)


def wall_distances_mm(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the distance of each wall, [..., 6] in the order of `WALLS`."""
    return np.abs(one - other).reshape(*one.shape[:-2], len(WALLS))
