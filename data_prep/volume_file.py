"""Reads 3-D images and label maps (MHA, NIfTI, NRRD) with SimpleITK, and compares their grids."""

import dataclasses
import itertools
from collections.abc import Sequence

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel import openers

from data_prep import rejection
from spine_tf import geometry
from spine_tf.data import slice_schema

_NIFTI = (".nii.gz", ".nii")
ENDINGS = (*_NIFTI, ".mha", ".mhd", ".nrrd")
_NOT_FINITE = "has voxels that are no finite numbers"
_SAME_PLACE_MM, _SAME_PLACE = 1.0, 0.5  # the latter of a voxel, along each axis
_SAME_VOXEL = 0.05  # of a voxel
_VIEW_OF_AXIS = (slice_schema.SAGITTAL, slice_schema.CORONAL, slice_schema.AXIAL)  # of x, y, z


@dataclasses.dataclass(frozen=True)
class VolumeFile:
    """The voxels of one file in canonical order, see `geometry.CANONICAL_AXES`.

    Attributes:
        path: The file.
        array: [slices, rows, columns] of the file's own type; sagittal slices right to left, rows
            head to foot, columns front to back.
        affine: [4, 4] index to LPS mm.
        view: The view that the file itself is cut in.
    """

    path: str
    array: np.ndarray
    affine: np.ndarray
    view: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape


def read(path: str) -> VolumeFile:
    """Reads one file.

    Args:
        path: A file that SimpleITK reads; its physical coordinates are LPS mm.

    Raises:
        rejection.RejectedInput: If it cannot be read, is not 3-D or holds values that are no
            numbers.
    """
    try:
        image = sitk.ReadImage(path)
        _check_kind(path, image)
        if path.endswith(_NIFTI):
            _check_nifti(path)
        array = sitk.GetArrayFromImage(image)
        steps_mm = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        column_mm, row_mm, slice_mm = steps_mm.T
        affine = geometry.affine_from_axes(slice_mm, row_mm, column_mm, image.GetOrigin())
        array, affine = geometry.canonicalise(array, affine)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [""])[-1]
        remedy = "get the file again"
        if "orthonormal" in reason:  # ITK's word for a sheared grid
            remedy = "resample it to axes at right angles"
        raise rejection.RejectedInput(
            path, "", f"cannot be read as a 3-D image ({reason}); {remedy}"
        ) from None
    if not np.isfinite(array).all():
        raise rejection.RejectedInput(path, "", _NOT_FINITE)
    return VolumeFile(path, array, affine, _VIEW_OF_AXIS[int(np.argmax(np.abs(steps_mm[:, 2])))])


def _check_nifti(path: str) -> None:
    """Looks for what ITK's reader mends without a word: voxels become 0, a spacing 1 mm."""
    stored = nibabel.load(path)
    with openers.ImageOpener(path) as file:  # `load` mends the spacing, too
        header = type(stored.header).from_fileobj(file, check=False)
    spacing_mm = header["pixdim"][1:4]
    if not np.all(spacing_mm):
        told = "x".join(f"{side:g}" for side in spacing_mm)
        raise rejection.RejectedInput(
            path, "", f"its spacing (pixdim) must be above 0 mm, got {told}; get the file again"
        )
    if stored.get_data_dtype().kind == "f" and not np.isfinite(np.asanyarray(stored.dataobj)).all():
        raise rejection.RejectedInput(path, "", _NOT_FINITE)


def _check_kind(path: str, image: sitk.Image) -> None:
    if image.GetDimension() != 3:
        raise rejection.RejectedInput(
            path, "", f"has {image.GetDimension()} dimensions, not 3; give one volume a file"
        )
    if image.GetNumberOfComponentsPerPixel() != 1:
        raise rejection.RejectedInput(
            path,
            "",
            f"has {image.GetNumberOfComponentsPerPixel()} values a voxel, not 1 (colour, say); give"
            " each as a file of its own",
        )


def shifted(one: VolumeFile, shift_mm: Sequence[float]) -> VolumeFile:
    """Returns a volume at another place, [3] mm (LPS) from where its header says."""
    affine = np.copy(one.affine)
    affine[:3, 3] += shift_mm
    return dataclasses.replace(one, affine=affine)


def grid_text(one: VolumeFile) -> str:
    """Returns voxels, spacing and place of a volume, right to left, head to foot, front to back."""
    voxels = "x".join(map(str, one.shape))
    spacing_mm = "x".join(f"{side:.4g}" for side in geometry.spacing_mm(one.affine))
    place_mm = ", ".join(f"{at:.1f}" for at in one.affine[:3, 3])
    return f"{voxels} voxels of {spacing_mm} mm from ({place_mm}) mm"


def on_one_grid(one: VolumeFile, other: VolumeFile) -> bool:
    """Says whether two volumes have the same voxels, within 1 mm and half a voxel."""
    if one.shape != other.shape:
        return False
    corners_mm = _corners_mm(other)
    is_near = np.abs(_corners_mm(one) - corners_mm).max() <= _SAME_PLACE_MM
    off = geometry.to_index(one.affine, corners_mm) - _corners(one)
    return bool(is_near and np.abs(off).max() <= _SAME_PLACE)


def _corners(one: VolumeFile) -> np.ndarray:
    """[8, 3] indices of the corner voxels, the first voxel first and the last one last."""
    return np.array(list(itertools.product(*((0, side - 1) for side in one.shape))))


def _corners_mm(one: VolumeFile) -> np.ndarray:
    return geometry.to_patient(one.affine, _corners(one))


def cut(whole: VolumeFile, part: VolumeFile) -> VolumeFile | None:
    """Returns the part of a volume that another one covers.

    Args:
        whole: The volume.
        part: One whose voxels are some of those of `whole`.

    Returns:
        The voxels of `whole` on the grid of `part`, or None where that is no part of it.
    """
    corners = geometry.to_index(whole.affine, _corners_mm(part))
    first = np.round(corners[0]).astype(int)
    last = first + part.shape - 1
    is_same = np.abs(corners - first - _corners(part)).max() < _SAME_VOXEL
    if not is_same or first.min() < 0 or np.any(last >= whole.shape):
        return None
    places = tuple(slice(begin, end + 1) for begin, end in zip(first, last, strict=True))
    affine = np.copy(whole.affine)
    affine[:3, 3] = geometry.to_patient(whole.affine, first)
    return dataclasses.replace(whole, array=whole.array[places], affine=affine)
