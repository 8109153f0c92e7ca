"""Augmentation of a stored crop to a network input: one warp per volume, stateless seeds.

Order: slice window, warp (rotation, scale, shift in one), intensity, mask, reflection. Padded
slices and pixels outside the scan stay 0. Source: Jamaludin 2017, section 4; methods 1.4.
"""

import dataclasses
import math
from collections.abc import Mapping

import tensorflow as tf

from spine_tf.data import crops


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the augmentation; each is drawn uniformly.

    Attributes:
        rotation_deg: Largest rotation either way.
        shift_columns: Largest shift along the columns, in pixels of an input of 224 columns.
        shift_rows: Largest shift along the rows, in the same pixels.
        shift_slices: Largest shift of the slice window; no more than the stored slices allow.
        scale: Largest relative change of size either way.
        intensity: Largest change of intensity either way; the median is 0.5.
    """

    rotation_deg: float = 15.0
    shift_columns: float = 48.0
    shift_rows: float = 24.0
    shift_slices: int = 2
    scale: float = 0.1
    intensity: float = 0.2

    def scaled(self, strength: float) -> "AugmentConfig":
        """Returns every range times `strength`; the slice window to the next whole slice."""
        ranges = {name: value * strength for name, value in dataclasses.asdict(self).items()}
        return AugmentConfig(**ranges | {"shift_slices": round(ranges["shift_slices"])})


@dataclasses.dataclass(frozen=True)
class InputConfig:
    """How stored crops become network inputs.

    Attributes:
        stored_scale: Crop scale of the records.
        crop_scale: Crop scale of the network, at most `stored_scale`.
        augment: Ranges, or None for the middle of the crop as it is.
    """

    stored_scale: float
    crop_scale: float
    augment: AugmentConfig | None = None

    def __post_init__(self):
        if self.crop_scale > self.stored_scale:
            raise ValueError(
                f"`crop_scale` of the data must be at least {self.crop_scale}, got"
                f" {self.stored_scale}. Convert with --crop_scale={self.crop_scale} or choose the"
                " preset small or tiny."
            )

    @property
    def reduction(self) -> int:
        """Stored pixels per network pixel, along rows and columns."""
        return round(self.stored_scale / self.crop_scale)


def network_input(
    image: tf.Tensor,
    slice_is_valid: tf.Tensor,
    pixel_is_valid: tf.Tensor,
    kind: crops.CropKind,
    inputs: InputConfig,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Turns one stored crop into one network input.

    Args:
        image: [15, rows, columns] float32 in [0, 2], as stored; a plain image has 1 slice.
        slice_is_valid: [15] bool.
        pixel_is_valid: [rows, columns] bool.
        kind: What was cropped.
        inputs: Scales and augmentation.
        seed: [2] int32; the same seed gives the same result. Not used without augmentation.

    Returns:
        [9, rows, columns] float32 in [0, 2], of `kind.network_shape(inputs.crop_scale)`.
    """
    image = tf.convert_to_tensor(image)  # an array stays one where nothing is computed
    if inputs.augment is None:
        return crops.reduce_scale(middle(image, kind, inputs), inputs.reduction)
    image = crops.reduce_scale(image, inputs.reduction)
    mask = crops.reduce_scale(tf.cast(pixel_is_valid, tf.float32), inputs.reduction)
    shape = kind.network_shape(inputs.crop_scale)
    return _augmented(image, slice_is_valid, mask, shape, inputs.augment, seed)


def record_input(
    record: Mapping[str, tf.Tensor],
    visit: tf.Tensor | None,
    kind: crops.CropKind,
    inputs: InputConfig,
    seed: tf.Tensor,
) -> tf.Tensor:
    """Turns a crop of a parsed record into one network input, see `network_input`.

    Args:
        record: From `schema.parse`, or what else has image, slice_is_valid and pixel_is_valid.
        visit: [] int32, which one of a record that has visits; None of one that has none.
        kind: What was cropped.
        inputs: Scales and augmentation.
        seed: [2] int32.
    """
    stored = [record[name] for name in ("image", "slice_is_valid", "pixel_is_valid")]
    image, slice_is_valid, pixel_is_valid = (
        stored if visit is None else [of_visits[visit] for of_visits in stored]
    )
    return network_input(image, slice_is_valid, pixel_is_valid, kind, inputs, seed)


def middle(stored: tf.Tensor, kind: crops.CropKind, inputs: InputConfig) -> tf.Tensor:
    """Cuts what the network sees without augmentation out of stored crops.

    Args:
        stored: [..., 15, rows, columns], of any type.
        kind: What was cropped.
        inputs: Scales.

    Returns:
        [..., 9, rows, columns], `inputs.reduction` times `kind.network_shape(inputs.crop_scale)`
        in rows and columns.
    """
    factors = 1, inputs.reduction, inputs.reduction
    inside = []
    for have, want, factor in zip(
        stored.shape[-3:], kind.network_shape(inputs.crop_scale), factors, strict=True
    ):
        begin = (have // factor - want) // 2 * factor  # blocks that are averaged stay whole
        inside.append(slice(begin, begin + want * factor))
    return stored[(..., *inside)]


def _augmented(image, slice_is_valid, mask, shape, options: AugmentConfig, seed) -> tf.Tensor:
    draws = tf.random.stateless_uniform([5], seed, -1.0, 1.0)
    margin = (image.shape[0] - shape[0]) // 2
    most = min(options.shift_slices, margin)
    begin = margin + tf.random.stateless_uniform([], seed + 1, -most, most + 1, tf.int32)
    image = tf.ensure_shape(image[begin : begin + shape[0]], [shape[0], None, None])
    slice_is_valid = tf.ensure_shape(slice_is_valid[begin : begin + shape[0]], [shape[0]])
    planes = tf.concat([image, mask[None]], 0)
    pixels = shape[2] / crops.NETWORK_COLUMNS
    transform = warp(
        angle_rad=draws[0] * options.rotation_deg * (math.pi / 180),
        scale=1.0 + draws[1] * options.scale,
        shift_rows=draws[2] * options.shift_rows * pixels,
        shift_columns=draws[3] * options.shift_columns * pixels,
        from_size=planes.shape[1:],
        to_size=shape[1:],
    )
    planes = apply_warp(planes, transform, shape[1:])
    valid = slice_is_valid[:, None, None] & (planes[-1] > 0.999)
    image = tf.clip_by_value(planes[:-1] + draws[4] * options.intensity, 0.0, crops.MAX_INTENSITY)
    return tf.where(valid, image, 0.0)


def warp(
    *,
    angle_rad: tf.Tensor,
    scale: tf.Tensor,
    shift_rows: tf.Tensor,
    shift_columns: tf.Tensor,
    from_size: tuple[int, int],
    to_size: tuple[int, int],
) -> tf.Tensor:
    """Returns the [8] projective transform that takes output pixels to input pixels.

    The output's middle is the input's middle plus the shift; around it the content is turned by
    `angle_rad` and enlarged by `scale`.
    """
    cosine, sine = tf.cos(angle_rad) / scale, tf.sin(angle_rad) / scale
    to_row, to_column = (to_size[0] - 1) / 2, (to_size[1] - 1) / 2
    from_row, from_column = (from_size[0] - 1) / 2, (from_size[1] - 1) / 2
    column0 = from_column + shift_columns - cosine * to_column - sine * to_row
    row0 = from_row + shift_rows + sine * to_column - cosine * to_row
    zero = tf.zeros_like(cosine)
    return tf.stack([cosine, sine, column0, -sine, cosine, row0, zero, zero])


def apply_warp(planes: tf.Tensor, transform: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Warps [planes, rows, columns] float32 to [planes, *size], bilinear, 0 outside."""
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.transpose(planes, [1, 2, 0])[None],
        transforms=transform[None],
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )[0]
    warped = tf.ensure_shape(warped, [*size, planes.shape[0]])
    return tf.stack(tf.unstack(warped, axis=-1))  # twice as fast as a transposition


def reflect_one(image: tf.Tensor, inputs: InputConfig, seed: tf.Tensor) -> tf.Tensor:
    """Reverses the slices of [slices, rows, columns] in half of all draws, if it is augmented."""
    if inputs.augment is None:
        return image
    flip = tf.random.stateless_uniform([1], seed + 2) < 0.5
    return reflect(image[None], flip)[0]


def reflect(images: tf.Tensor, flip: tf.Tensor) -> tf.Tensor:
    """Reverses the slices of [batch, slices, rows, columns] where `flip` [batch] is true."""
    return tf.where(flip[:, None, None, None], tf.reverse(images, [1]), images)
