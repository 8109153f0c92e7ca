"""Augmentation of slices: one warp per image, its label map by the nearest pixel, stateless seeds.

A rectangle is cut out of a slice, turned, shifted and scaled in one step, then its intensities are
changed. Images are never reflected: left and right are told apart. What lies outside the slice is
0, as its padding is. Source: Chen 2019, rows "RD+AG"; methods 3.4 (what is changed) and P8.
"""

import math
from collections.abc import Mapping, Sequence

import tensorflow as tf

from spine_tf.data import augmentation, crops

# Smaller than those of crops, which are stored with margins. An intensity is in deviations of the
# foreground, and a share of the contrast.
RANGES = augmentation.AugmentConfig(
    rotation_deg=10.0, shift_columns=22.4, shift_rows=22.4, shift_slices=0
)


def warped(
    planes: Mapping[str, tf.Tensor],
    corner: Sequence[tf.Tensor | int],
    size: tuple[int, int],
    ranges: augmentation.AugmentConfig,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Cuts one rectangle out of planes as it is after a random rotation, shift and change of size.

    Args:
        planes: Name -> [rows, columns] or [rows, columns, channels]. float32 is interpolated
            bilinearly, bool and int32 take the nearest pixel. 0 (False) beyond the edges.
        corner: Row and column of the rectangle's first pixel; it may lie outside.
        size: Its rows and columns.
        ranges: Ranges; pixels of a shift are those of a rectangle of 224 columns.
        seed: [2] int32.

    Returns:
        The planes by name, [*size] or [*size, channels], of the same dtypes.
    """
    rows, columns = (tf.cast(side, tf.float32) for side in _sides(planes))
    draws = tf.random.stateless_uniform([4], seed, -1.0, 1.0)
    pixels = size[1] / crops.NETWORK_COLUMNS
    first_row, first_column = (tf.cast(place, tf.float32) for place in corner)
    transform = augmentation.warp(
        angle_rad=draws[0] * ranges.rotation_deg * (math.pi / 180),
        scale=1.0 + draws[1] * ranges.scale,
        shift_rows=first_row + (size[0] - rows) / 2 + draws[2] * ranges.shift_rows * pixels,
        shift_columns=first_column
        + (size[1] - columns) / 2
        + draws[3] * ranges.shift_columns * pixels,
        from_size=(rows, columns),
        to_size=size,
    )
    return {name: projected(plane, transform, size) for name, plane in planes.items()}


def _sides(planes: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
    """Rows and columns that all planes have."""
    return tf.unstack(tf.shape(next(iter(planes.values())))[:2])


def projected(plane: tf.Tensor, transform: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Returns a plane as `augmentation.warp` moves it, see `warped`."""
    is_smooth = plane.dtype == tf.float32
    image = tf.cast(plane, tf.float32 if is_smooth else tf.int32)
    has_channels = len(plane.shape) == 3
    found = tf.raw_ops.ImageProjectiveTransformV3(
        images=(image if has_channels else image[..., None])[None],
        transforms=transform[None],
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR" if is_smooth else "NEAREST",
        fill_mode="CONSTANT",
    )[0]
    found = tf.ensure_shape(found, [*size, plane.shape[2] if has_channels else 1])
    return tf.cast(found if has_channels else found[..., 0], plane.dtype)


def with_intensity(
    image: tf.Tensor, ranges: augmentation.AugmentConfig, seed: tf.Tensor
) -> tf.Tensor:
    """Changes contrast and brightness of every channel.

    Args:
        image: [rows, columns, channels] float32 of mean 0 and deviation 1.
        ranges: Ranges: `intensity` of both.
        seed: [2] int32.
    """
    draws = ranges.intensity * tf.random.stateless_uniform([2, image.shape[-1]], seed, -1.0, 1.0)
    return image * (1.0 + draws[0]) + draws[1]
