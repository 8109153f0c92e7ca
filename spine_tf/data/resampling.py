"""Volumes on a grid of another spacing."""

import numpy as np
import scipy.ndimage

from spine_tf import geometry


def resampled(
    array: np.ndarray,
    spacing_mm: np.ndarray,
    wanted_mm: np.ndarray,
    *,
    is_label_map: bool = False,
) -> np.ndarray:
    """Resamples a volume about its centre.

    Args:
        array: [a, b, c, channels].
        spacing_mm: [3] distance of its voxels.
        wanted_mm: [3] distance of the voxels of the result.
        is_label_map: Whether to take the nearest voxel; else it is linear, after a Gaussian blur
            along the axes that get coarser.

    Returns:
        [a', b', c', channels] of the same type, with as many voxels as fit best, at least 1.
    """
    factors = np.asarray(wanted_mm) / spacing_mm
    if np.allclose(factors, 1):
        return array
    sizes = np.array(array.shape[:3])
    shape = np.maximum(1, np.round(sizes / factors)).astype(int)
    offset = (sizes - 1) / 2 - factors * (shape - 1) / 2
    sigma = 0 if is_label_map else np.maximum(0, (factors - 1) / 2)
    channels = [
        scipy.ndimage.affine_transform(
            scipy.ndimage.gaussian_filter(channel, sigma, mode="nearest")
            if np.any(sigma)
            else channel,
            factors,
            offset,
            output_shape=tuple(shape),
            order=0 if is_label_map else 1,
            mode="nearest",
        )
        for channel in np.moveaxis(array, -1, 0)
    ]
    return np.stack(channels, -1)


def resampled_affine(
    affine: np.ndarray, shape: tuple[int, ...], new_shape: tuple[int, ...], spacing_mm: np.ndarray
) -> np.ndarray:
    """Returns the affine of a volume that was resampled about its centre.

    Args:
        affine: [4, 4] index to LPS mm of the volume before.
        shape: [3] its voxels before.
        new_shape: [3] its voxels now.
        spacing_mm: [3] their distance now.
    """
    centre_mm = geometry.to_patient(affine, (np.array(shape) - 1) / 2)
    changed = np.copy(affine)
    changed[:3, :3] *= np.asarray(spacing_mm) / geometry.spacing_mm(affine)
    changed[:3, 3] = centre_mm - changed[:3, :3] @ ((np.array(new_shape) - 1) / 2)
    return changed
