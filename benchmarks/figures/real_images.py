"""The real images of the figures of Chen 2019: brain MR, abdominal CT, fetal ultrasound."""

import dataclasses
import os

import numpy as np

from data_prep import image_file, intensities, volume_file
from spine_tf.data import slice_schema, swaps

_BRAIN = os.path.join("brain_mr", "OtherEXampleFromTCIA_t1c_bet.nii.gz")
_CT = os.path.join("abdomen_ct", "example_ct.nii.gz")
_ULTRASOUND = os.path.join("fetal_us", "BRAIN-TV.tiff")
_WINDOW_HU = (-200.0, 300.0)
_ULTRASOUND_BOX = (115, 734, 81, 874)  # without the machine's screen: rows, columns
_ULTRASOUND_STEP = 3  # every third pixel fills the picture
_MARGIN = 4  # pixels around the foreground that stay
# View -> canonical axes along its slices, rows and columns.
_AXES = {slice_schema.CORONAL: (2, 1, 0), slice_schema.AXIAL: (1, 2, 0)}


@dataclasses.dataclass(frozen=True)
class Plane:
    """One image.

    Attributes:
        name: What it is.
        image: [rows, columns] float32 in [0, 1]; pixels are square.
        foreground: [rows, columns] bool.
    """

    name: str
    image: np.ndarray
    foreground: np.ndarray


def brain(data_dir: str, view: str) -> Plane:
    """Returns the slice of the brain MR image with the most foreground, without what is around it.

    Args:
        data_dir: Folder of the real data.
        view: coronal or axial.

    Raises:
        FileNotFoundError: If the file is not there.
    """
    array = _read(os.path.join(data_dir, _BRAIN))
    return _plane("brain MR (T1c)", array, view)


def ct(data_dir: str) -> Plane:
    """Returns the coronal slice of the CT with the most foreground, see `brain`."""
    array = np.clip(_read(os.path.join(data_dir, _CT)), *_WINDOW_HU)
    return _plane("abdominal CT", array, slice_schema.CORONAL)


def ultrasound(data_dir: str) -> Plane:
    """Returns the fetal ultrasound image, see `brain`."""
    path = _there(os.path.join(data_dir, _ULTRASOUND))
    first_row, last_row, first_column, last_column = _ULTRASOUND_BOX
    image = image_file.read(path)[first_row:last_row, first_column:last_column]
    return _made("fetal ultrasound", image[::_ULTRASOUND_STEP, ::_ULTRASOUND_STEP])


def _there(path: str) -> str:
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: is missing. Give the folder of the real data.")
    return path


def _read(path: str) -> np.ndarray:
    """[sagittal, axial, coronal] float32 of a volume whose voxels are cubes, as both are."""
    return volume_file.read(_there(path)).array.astype(np.float32)


def _plane(name: str, array: np.ndarray, view: str) -> Plane:
    slices = np.transpose(array, _AXES[view])
    background = intensities.describe(array[..., None]).background
    fullest = int(np.argmax((slices > background).sum((1, 2))))
    return _made(name, slices[fullest], background)


def _made(name: str, image: np.ndarray, background: np.ndarray | None = None) -> Plane:
    """Cut to the foreground and scaled to [0, 1]."""
    image = np.asarray(image, np.float32)
    if background is None:
        background = intensities.describe(image[..., None]).background
    foreground = image > background
    places = np.argwhere(foreground)
    first = np.maximum(places.min(0) - _MARGIN, 0)
    box = tuple(slice(a, b + _MARGIN + 1) for a, b in zip(first, places.max(0), strict=True))
    image, foreground = image[box], foreground[box]
    dark, bright = np.percentile(image, [0, 99.7])
    return Plane(name, np.clip((image - dark) / (bright - dark), 0, 1), foreground)


def batch(plane: Plane) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns image [1, 1, rows, columns, 1], valid and foreground, as the operations take them."""
    valid = np.ones_like(plane.foreground)[None, None]
    return plane.image[None, None, ..., None], valid, plane.foreground[None, None]


def disordered(plane: Plane, seed: int) -> swaps.Disordered:
    """Returns an image disordered as the pretext does it, on whole images."""
    image, valid, foreground = batch(plane)
    num_swaps = swaps.swaps_for_coverage(image.shape[1:4])
    return swaps.disorder(image, valid, foreground, np.array([[seed, 0]]), num_swaps=num_swaps)
