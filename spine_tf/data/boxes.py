"""Boxes of voxels in batched volumes: drawing, counting and indexing, for the pretexts.

A volume is [slices, rows, columns]; a plain image has one slice. A box is a corner and a size, both
(slices, rows, columns) int32.
"""

import math
from collections.abc import Sequence

import tensorflow as tf


def volume_shape(image: tf.Tensor) -> tuple[int, int, int]:
    """Returns (slices, rows, columns) of [batch, slices, rows, columns, channels].

    Raises:
        ValueError: If the rank is not 5, or another size than that of the batch is unknown.
    """
    shape = tf.TensorShape(image.shape)
    if shape.rank != 5 or None in shape[1:4]:
        raise ValueError(
            "`image` must be [batch, slices, rows, columns, channels] of known slices, rows and"
            f" columns, got {shape}. A plain image has 1 slice."
        )
    return tuple(shape[1:4])


def uniform(seeds: tf.Tensor, count: int) -> tf.Tensor:
    """Returns [batch, count] float32 in [0, 1) from a seed [2] int32 for each image.

    What an image gets does not depend on the other images of its batch.
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform([count], seed),
        seeds,
        fn_output_signature=tf.TensorSpec([count], tf.float32),
    )


def whole(draws: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Turns draws in [0, 1) into whole numbers 0..count - 1, int32; `count` [...] int32."""
    number = tf.cast(draws * tf.cast(count, tf.float32), tf.int32)
    return tf.minimum(number, count - 1)  # a draw close to 1 may round up


def around(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the smallest box around what is true in [batch, slices, rows, columns] bool.

    Returns:
        corner [batch, 3] and size [batch, 3] int32; the whole volume where nothing is true.
    """
    corners, sizes = [], []
    for axis in (1, 2, 3):
        others = [other for other in (1, 2, 3) if other != axis]
        line = tf.cast(tf.reduce_any(mask, others), tf.int32)
        before = tf.argmax(line, 1, tf.int32)
        after = tf.argmax(tf.reverse(line, [1]), 1, tf.int32)
        corners.append(before)
        sizes.append(tf.shape(line)[1] - before - after)
    return tf.stack(corners, 1), tf.stack(sizes, 1)


def offsets(size: Sequence[int] | tf.Tensor) -> tf.Tensor:
    """Returns the places [voxels, 3] int32 inside a box of `size`, in raster order."""
    axes = [tf.range(size[axis]) for axis in range(3)]
    return tf.reshape(tf.stack(tf.meshgrid(*axes, indexing="ij"), -1), [-1, 3])


def flat_index(places: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns the raster index [...] int32 of places [..., 3] in a volume of `shape`."""
    return (places[..., 0] * shape[1] + places[..., 1]) * shape[2] + places[..., 2]


def first_of_image(batch: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns [batch] int32: where each image starts in the raster order of the whole batch."""
    return tf.range(batch) * math.prod(shape)


def integral(values: tf.Tensor) -> tf.Tensor:
    """Returns the table [batch, slices + 1, rows + 1, columns + 1] that `sums` reads.

    Args:
        values: [batch, slices, rows, columns], whole numbers whose sum fits their type.
    """
    for axis in (3, 2, 1):
        if values.shape[axis] != 1:
            values = tf.cumsum(values, axis)
    return tf.pad(values, [[0, 0], [1, 0], [1, 0], [1, 0]])


def sums(table: tf.Tensor, corner: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Returns the sums over boxes.

    Args:
        table: From `integral`.
        corner: [batch, ..., 3] int32.
        size: int32 of the rank of `corner`; broadcasts to it.

    Returns:
        [batch, ...] of the type of the table.
    """
    shape = tf.shape(table)
    values = tf.reshape(table, [-1])
    each_image = [-1] + [1] * (corner.shape.rank - 2)
    first = tf.reshape(tf.range(shape[0]) * tf.reduce_prod(shape[1:]), each_image)
    total = 0
    for place in range(8):
        upper = [(place >> axis) & 1 for axis in range(3)]
        sign = 1 if sum(upper) % 2 else -1
        total += sign * tf.gather(values, first + flat_index(corner + size * upper, shape[1:]))
    return total
