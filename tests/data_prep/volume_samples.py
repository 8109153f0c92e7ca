"""Tiny volumes with label maps, for tests."""

import numpy as np

from spine_tf import geometry
from tests.data_prep import spider_samples

SHAPE = (4, 8, 6)  # sagittal slices, rows, columns
BRATS = ("t1", "t1ce", "t2", "flair")


def make_affine(spacing_mm=(3.0, 1.0, 2.0), origin_mm=(-5.0, 7.0, 40.0)):
    """Canonical: slices to the left, rows to the foot, columns to the back."""
    sagittal, down, back = spacing_mm
    return geometry.affine_from_axes([sagittal, 0, 0], [0, 0, -down], [0, back, 0], origin_mm)


def make_image(seed=0, shape=SHAPE):
    """Zeros, and a block of 100 to 199 in the middle."""
    image = np.zeros(shape, np.int16)
    block = image[1:-1, 2:-2, 1:-1]
    block[:] = 100 + np.random.default_rng(seed).integers(0, 100, block.shape)
    return image


def make_label_map(shape=SHAPE):
    """1 within the block, and a voxel of 2 and one of 4."""
    label_map = np.zeros(shape, np.uint8)
    label_map[1:-1, 3:-3, 2:-2] = 1
    label_map[1, 3, 2], label_map[2, 4, 3] = 2, 4
    return label_map


def write_case(folder, name="a", channels=BRATS, affine=None, **arrays):
    """Writes BraTS' layout: FOLDER/NAME/NAME_ENDING.nii.gz; `arrays` replaces what files hold."""
    (folder / name).mkdir(parents=True)
    found = {ending: make_image(seed) for seed, ending in enumerate(channels)}
    found |= {"seg": make_label_map()} | arrays
    affine = make_affine() if affine is None else affine
    for ending, array in found.items():
        if array is not None:
            spider_samples.write_image(folder / name / f"{name}_{ending}.nii.gz", array, affine)
    return folder
