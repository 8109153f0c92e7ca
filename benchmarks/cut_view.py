"""A smaller field of view of an annotated volume."""

import dataclasses

import numpy as np

from spine_tf import geometry, vertebrae, volume


def cut(
    scan: volume.Volume, true: vertebrae.Annotation, axis: int, begin: int, end: int
) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Keeps a part of a volume, and takes out the bodies that it does not show whole.

    Args:
        scan: The volume.
        true: Its bodies; what is kept stays where it is in the patient.
        axis: 1 cuts rows off, 2 columns.
        begin: The first row or column that is kept.
        end: The one after the last.
    """
    affine = scan.affine.copy()
    affine[:3, 3] += begin * affine[:3, axis]
    seen = []
    for body in true.vertebrae:
        index = geometry.to_index(scan.affine, body.corners_mm)[:, axis]
        if index.min() >= begin and index.max() < end:
            seen.append(body)
    array = np.take(scan.array, range(begin, end), axis=axis)
    return volume.Volume(array, affine), dataclasses.replace(true, vertebrae=tuple(seen))
