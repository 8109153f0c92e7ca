"""A sagittal volume in canonical orientation; valid once constructed."""

import dataclasses

import numpy as np

from spine_tf import geometry


@dataclasses.dataclass(frozen=True)
class Volume:
    """Voxels and where they lie in the patient.

    Slices run right to left, rows head to foot, columns front to back. Use `from_array` for
    voxels in any other order.

    Attributes:
        array: [slices, rows, columns] float32.
        affine: [4, 4] float64, index (slice, row, column) to DICOM patient mm (LPS).
    """

    array: np.ndarray
    affine: np.ndarray

    def __post_init__(self):
        if np.ndim(self.array) != 3 or min(np.shape(self.array)) < 1:
            raise ValueError(
                f"`array` must be [slices, rows, columns], got shape {np.shape(self.array)}."
            )
        if np.asarray(self.array).dtype != np.float32:
            raise ValueError(f"`array` must be float32, got {np.asarray(self.array).dtype}.")
        if np.shape(self.affine) != (4, 4) or not np.all(np.isfinite(self.affine)):
            raise ValueError(f"`affine` must be a finite [4, 4] matrix, got {self.affine!r}.")
        if abs(np.linalg.det(self.affine)) < 1e-6:
            raise ValueError(f"`affine` must be invertible, got {self.affine!r}.")
        if not geometry.is_canonical(self.affine):
            raise ValueError(
                "`affine` must be canonical (slices right to left, rows head to foot, columns"
                " front to back); use Volume.from_array."
            )

    @classmethod
    def from_array(cls, array: np.ndarray, affine: np.ndarray) -> "Volume":
        """Makes a volume from voxels whose axes run in any direction.

        Args:
            array: [a, b, c] voxels of any type.
            affine: [4, 4] from the index (a, b, c) to DICOM patient mm (LPS).

        Returns:
            The same voxels, reordered and flipped, never resampled.

        Raises:
            ValueError: If the voxels or the affine are not those of a volume.
        """
        array, affine = geometry.canonicalise(np.asarray(array), affine)
        return cls(np.ascontiguousarray(array, np.float32), affine)

    @property
    def spacing_mm(self) -> np.ndarray:
        """[3] mm between slices, rows and columns."""
        return geometry.spacing_mm(self.affine)

    def as_uint16(self) -> np.ndarray:
        """Returns [slices, rows, columns] uint16 with the same ratios between intensities.

        Whole numbers from 0 to 65535 stay as they are. Anything else is scaled so that the
        brightest voxel is 65535, and negative values become 0. Crops are normalised by a median, so
        a scale does not change them.
        """
        array = np.maximum(self.array, 0)
        top = float(array.max())
        if top > 65535 or not np.array_equal(array, np.round(array)):
            array = np.round(array * (65535.0 / max(top, 1e-12)))
        return array.astype(np.uint16)
