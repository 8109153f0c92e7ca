"""Affines, canonical axes and quads. Pure NumPy; units are mm in DICOM patient space (LPS).

An affine is [4, 4] and maps an index (slice, row, column) to (x, y, z) in mm. LPS: x grows to
the patient's left, y to the back, z to the head.
"""

import numpy as np
import numpy.typing as npt

# Index axis of a canonical sagittal volume -> (patient axis, sign): slices run right to left
# (+x), rows head to foot (-z), columns front to back (+y).
CANONICAL_AXES = ((0, 1.0), (2, -1.0), (1, 1.0))


def affine_from_axes(
    slice_step_mm: np.ndarray,
    row_step_mm: np.ndarray,
    column_step_mm: np.ndarray,
    origin_mm: np.ndarray,
) -> np.ndarray:
    """Builds an affine from the three steps of one index and the position of index (0, 0, 0).

    Args:
        slice_step_mm: [3] mm from one slice to the next.
        row_step_mm: [3] mm from one row to the next (DICOM: the column direction cosines
            times the first value of PixelSpacing).
        column_step_mm: [3] mm from one column to the next.
        origin_mm: [3] mm, centre of the first voxel.

    Returns:
        [4, 4] float64.

    Source: DICOM PS3.3 C.7.6.2.1.1, with the slice axis added.
    """
    affine = np.eye(4)
    affine[:3, 0] = slice_step_mm
    affine[:3, 1] = row_step_mm
    affine[:3, 2] = column_step_mm
    affine[:3, 3] = origin_mm
    return affine


def spacing_mm(affine: np.ndarray) -> np.ndarray:
    """Returns [3] the distance in mm between slices, rows and columns."""
    return np.linalg.norm(np.asarray(affine)[:3, :3], axis=0)


def to_patient(affine: np.ndarray, index: npt.ArrayLike) -> np.ndarray:
    """Maps [..., 3] (slice, row, column) indices to [..., 3] mm."""
    affine = np.asarray(affine)
    return np.asarray(index) @ affine[:3, :3].T + affine[:3, 3]


def to_index(affine: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Maps [..., 3] mm to [..., 3] (slice, row, column) indices, not rounded."""
    inverse = np.linalg.inv(np.asarray(affine))
    return np.asarray(points_mm) @ inverse[:3, :3].T + inverse[:3, 3]


def tilt_deg(affine: np.ndarray) -> float:
    """Returns the angle in degrees between the normal of the slices and the patient's x axis."""
    normal = np.cross(np.asarray(affine)[:3, 1], np.asarray(affine)[:3, 2])
    cosine = abs(normal[0]) / np.linalg.norm(normal)
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def canonicalise(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reorders and flips the axes of a volume so that they run as `CANONICAL_AXES` says.

    No voxel is resampled. Each index axis goes to the patient axis it follows most closely, so
    an oblique sagittal volume stays on its own grid.

    Args:
        array: [a, b, c] voxels.
        affine: [4, 4] from the index (a, b, c) to mm.

    Returns:
        The array [slices, rows, columns] and its affine.

    Raises:
        ValueError: If two axes of the array follow the same patient axis.
    """
    affine = np.asarray(affine, np.float64)
    directions = affine[:3, :3] / spacing_mm(affine)
    follows = list(np.argmax(np.abs(directions), axis=0))  # index axis -> patient axis
    if sorted(follows) != [0, 1, 2]:
        raise ValueError(
            "`affine` must follow the three patient axes within 45 degrees, got directions"
            f" {np.round(directions, 3).tolist()}."
        )
    order = [follows.index(patient_axis) for patient_axis, _ in CANONICAL_AXES]
    array = np.transpose(array, order)
    affine = affine[:, order + [3]]
    for axis, (patient_axis, sign) in enumerate(CANONICAL_AXES):
        if affine[patient_axis, axis] * sign < 0:
            last = np.zeros(3)
            last[axis] = array.shape[axis] - 1
            array = np.flip(array, axis)
            affine[:3, 3] = to_patient(affine, last)
            affine[:3, axis] *= -1
    return array, affine


def is_canonical(affine: np.ndarray) -> bool:
    """Says whether the axes of `affine` run as `CANONICAL_AXES` says."""
    affine = np.asarray(affine)
    directions = affine[:3, :3] / spacing_mm(affine)
    return all(
        directions[patient_axis, axis] * sign > 0
        and int(np.argmax(np.abs(directions[:, axis]))) == patient_axis
        for axis, (patient_axis, sign) in enumerate(CANONICAL_AXES)
    )


def signed_area_mm2(corners_mm: np.ndarray) -> float:
    """Returns the signed area of a sagittal quad [4, 3] seen from the patient's left.

    It is positive if the corners run anterior-superior, posterior-superior,
    posterior-inferior, anterior-inferior. (y, -z) is (to the back, to the foot).
    """
    corners_mm = np.asarray(corners_mm)
    back, foot = corners_mm[:, 1], -corners_mm[:, 2]
    return float(0.5 * np.sum(back * np.roll(foot, -1) - np.roll(back, -1) * foot))
