"""Occlusion sensitivity: where covering a part of a crop changes what the model says of it.

An exported model is a graph without gradients of its layers, so it is asked again with a patch
covered, through the signature `serving_default`.

Source: Zeiler and Fergus 2014, section 4.2.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from export import saved_model
from spine_tf import serving
from spine_tf.data import crops

PATCHES_PER_WIDTH = 8  # a patch is square, and so wide that this many lie side by side
COVER = crops.MEDIAN_INTENSITY  # what a patch is filled with: a vertebral body's median
_BATCH = 35


def occlusion(
    exported: saved_model.Exported, network_crops: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Covers each crop patch by patch, through all its slices, at steps of half a patch.

    Args:
        exported: The model.
        network_crops: [discs, slices, rows, columns] float32 in [0, 2], as `scan` gives them.

    Returns:
        Grading -> one map [rows, columns] float32 per disc: by how much the probability of the
        grade is lower with the pixel covered, the mean of all patches that cover it. Above 0
        the pixel speaks for the grade.
    """
    maps = {item.name: [] for item in exported.gradings}
    for crop in network_crops:
        patches = _patches(*crop.shape[1:])
        whole = exported.run(serving.DEFAULT, crops=crop[None])
        covered = _run_covered(exported, crop, patches)
        for name, found in maps.items():
            output = f"{name}_probabilities"
            best = int(np.argmax(whole[output][0]))
            drops = whole[output][0, best] - covered[output][:, best]
            found.append(_mean_drop(drops, patches, crop.shape[1:]))
    return maps


def patch_pixels(columns: int) -> int:
    """Returns the side of a patch on crops of some width."""
    return max(columns // PATCHES_PER_WIDTH, 1)


def _patches(rows: int, columns: int) -> list[tuple[slice, slice]]:
    """Rows and columns of each patch; together they cover every pixel."""
    side = patch_pixels(columns)
    starts = [
        sorted({*range(0, size - side, max(side // 2, 1)), size - side}) for size in (rows, columns)
    ]
    return [
        (slice(top, top + side), slice(left, left + side))
        for top in starts[0]
        for left in starts[1]
    ]


def _run_covered(
    exported: saved_model.Exported, crop: np.ndarray, patches: Sequence[tuple[slice, slice]]
) -> dict[str, np.ndarray]:
    runs = [
        exported.run(serving.DEFAULT, crops=np.stack(batch)) for batch in _covered(crop, patches)
    ]
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}


def _covered(
    crop: np.ndarray, patches: Sequence[tuple[slice, slice]]
) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(patches), _BATCH):
        batch = [crop.copy() for _ in patches[start : start + _BATCH]]
        for copy, (rows, columns) in zip(batch, patches[start : start + _BATCH], strict=True):
            copy[:, rows, columns] = COVER
        yield batch


def _mean_drop(
    drops: np.ndarray, patches: Sequence[tuple[slice, slice]], shape: tuple[int, int]
) -> np.ndarray:
    total, count = np.zeros(shape), np.zeros(shape)
    for drop, place in zip(drops, patches, strict=True):
        total[place] += drop
        count[place] += 1
    return (total / count).astype(np.float32)
