"""Context prediction: a region of an image is removed, and has to be predicted.

Source: Chen 2019, related work (after Pathak 2016); methods 3.4.
"""

from typing import NamedTuple

import tensorflow as tf

from spine_tf.data import boxes


class Masked(NamedTuple):
    """What `remove_region` returns.

    Attributes:
        image: As given, `fill` inside the mask.
        mask: [batch, slices, rows, columns] bool, what was removed.
    """

    image: tf.Tensor
    mask: tf.Tensor


def remove_region(
    image: tf.Tensor, valid: tf.Tensor, seeds: tf.Tensor, fill: tf.Tensor | float = 0.0
) -> Masked:
    """Removes a rectangle of half the height and width, at a random place, from each image.

    The sides are those of the box around the valid voxels, so about a quarter of it is removed.
    In a volume the rectangle goes through all valid slices: a slice is much like its neighbours,
    and would be copied from them.

    Args:
        image: [batch, slices, rows, columns, channels], any type; a plain image has 1 slice.
        valid: [batch, slices, rows, columns] bool; voxels that are not valid stay as they are.
        seeds: [batch, 2] int32; the same seed gives the same region.
        fill: What the removed voxels become: one value, [channels] or [batch, 1, 1, 1, channels];
            that of the background, say.

    Returns:
        The images without the region, and the region.

    Raises:
        ValueError: If the image has fewer than 2 rows or columns.
    """
    _, rows, columns = shape = boxes.volume_shape(image)
    if min(rows, columns) < 2:
        raise ValueError(f"`image` must have at least 2 rows and columns, got {shape}.")
    start, extent = boxes.around(valid)
    size = (extent + 1) // 2
    corner = start + boxes.whole(boxes.uniform(seeds, 3), extent - size + 1)
    mask = (
        valid
        & _within(corner[:, 1], size[:, 1], rows)[:, None, :, None]
        & _within(corner[:, 2], size[:, 2], columns)[:, None, None, :]
    )
    return Masked(tf.where(mask[..., None], tf.cast(fill, image.dtype), image), mask)


def _within(start, extent, length):
    """[batch, length] bool: from `start`, `extent` places; both [batch]."""
    distance = tf.range(length) - start[:, None]
    return (distance >= 0) & (distance < extent[:, None])
