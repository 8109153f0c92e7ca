"""The intensities of one image or volume that its slices carry: range, foreground, background."""

import dataclasses

import numpy as np

from spine_tf.data import slice_schema

_FLOOR_PERCENT, _TOP_PERCENT = 1.0, 99.5
_BACKGROUND_SHARE = 0.05  # of the way from the floor to the top
_LEAST_DEVIATION = 1e-3  # of the same way


@dataclasses.dataclass(frozen=True)
class Intensities:
    """Fields of `slice_schema.Slice` that all slices of a volume share; each is [channels]."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    background: np.ndarray


def describe(array: np.ndarray) -> Intensities:
    """Measures an image or volume.

    Background is what lies in the lowest twentieth of the range from the 1st to the 99.5th
    percentile: the zeros around a brain, the air around a body, the dark of an ultrasound image. A
    pixel is foreground if any channel is above it.

    Args:
        array: [..., channels] float32, finite.

    Raises:
        ValueError: If a channel has one value everywhere, or nearly one in the foreground, as that
            of a mask: then there is no deviation to standardise by.
    """
    pixels = array.reshape(-1, array.shape[-1])
    low, high = pixels.min(0), pixels.max(0)
    if np.any(low == high):
        raise ValueError(f"has no foreground: every pixel is {low[low == high][0]:g}")
    floor, top = np.percentile(pixels, [_FLOOR_PERCENT, _TOP_PERCENT], axis=0)
    is_sparse = floor == top
    floor, top = np.where(is_sparse, low, floor), np.where(is_sparse, high, top)
    background = (floor + _BACKGROUND_SHARE * (top - floor)).astype(np.float32)
    inside = pixels[slice_schema.foreground(pixels, background)].astype(np.float64)
    std = inside.std(0)
    if np.any(std < _LEAST_DEVIATION * (top - floor)):
        raise ValueError(
            "has a foreground of one value, as a mask has; give the image that it was made from"
        )
    return Intensities(low, high, inside.mean(0), std, background)
