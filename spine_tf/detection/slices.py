"""Volumes as the detector sees them: sagittal slices of one pixel spacing and one scale of grey."""

import dataclasses

import numpy as np

from spine_tf import geometry, volume
from spine_tf.data import resampling

SPACING_MM = 1.5
_PERCENTILES = (0.5, 99.5)
_MULTIPLE = 16  # pixels: four poolings


@dataclasses.dataclass(frozen=True)
class Slices:
    """Slices of a volume, resampled within their planes.

    Attributes:
        image: [slices, rows, columns] float32 in [0, 1].
        affine: [4, 4] index (slice, row, column) to LPS mm.
    """

    image: np.ndarray
    affine: np.ndarray

    def padded(self) -> np.ndarray:
        """Returns the image with 0 below and behind, up to multiples of what the network halves."""
        rows, columns = (-size % _MULTIPLE for size in self.image.shape[1:])
        return np.pad(self.image, ((0, 0), (0, rows), (0, columns)))


def intensity_range(array: np.ndarray) -> tuple[float, float]:
    """Returns the 0.5th and 99.5th percentile of a volume, which become 0 and 1.

    Raises:
        ValueError: If they are the same.
    """
    low, high = (float(value) for value in np.percentile(array, _PERCENTILES))
    if low == high:
        raise ValueError(f"`array` must show something, got {low:g} nearly everywhere.")
    return low, high


def resampled(array: np.ndarray, affine: np.ndarray, *, is_label_map: bool = False) -> tuple:
    """Resamples a volume within its slices.

    Args:
        array: [slices, rows, columns].
        affine: [4, 4] index to LPS mm.
        is_label_map: Whether to take the nearest voxel.

    Returns:
        The array and its affine.
    """
    spacing_mm = geometry.spacing_mm(affine)
    wanted_mm = np.array([spacing_mm[0], SPACING_MM, SPACING_MM])
    changed = resampling.resampled(
        array[..., np.newaxis], spacing_mm, wanted_mm, is_label_map=is_label_map
    )[..., 0]
    return changed, resampling.resampled_affine(affine, array.shape, changed.shape, wanted_mm)


def from_volume(scan: volume.Volume) -> Slices:
    """Resamples and scales a volume.

    Raises:
        ValueError: If it shows nothing.

    Source: SpineNet's percentile range; methods 2.2.
    """
    low, high = intensity_range(scan.array)
    image, affine = resampled(scan.array, scan.affine)
    unit = np.clip((image - low) / (high - low), 0, 1)
    return Slices(unit.astype(np.float32), affine)


def every(scan: volume.Volume, step: int) -> volume.Volume:
    """Returns every so many slices of a volume."""
    affine = np.copy(scan.affine)
    affine[:3, 0] *= step
    return volume.Volume(scan.array[::step], affine)
