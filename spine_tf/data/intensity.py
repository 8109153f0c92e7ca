"""The intensity a crop is normalised by: a median inside vertebral bodies."""

import tensorflow as tf


def inside_polygon(polygon: tf.Tensor, num_rows: tf.Tensor, num_columns: tf.Tensor) -> tf.Tensor:
    """Returns which pixel centres lie in a polygon, by the even-odd rule.

    Args:
        polygon: [corners, 2] float32 (row, column).
        num_rows: Scalar int32.
        num_columns: Scalar int32.

    Returns:
        [num_rows, num_columns] bool.
    """
    rows = tf.range(num_rows, dtype=tf.int32)
    row = tf.cast(rows, tf.float32)[:, None, None]
    column = tf.cast(tf.range(num_columns), tf.float32)[None, :, None]
    start, end = polygon, tf.roll(polygon, -1, 0)
    crosses = (start[:, 0] > row) != (end[:, 0] > row)  # [rows, 1, corners]
    slope = tf.math.divide_no_nan(end[:, 1] - start[:, 1], end[:, 0] - start[:, 0])
    left = column < start[:, 1] + slope * (row - start[:, 0])  # [rows, columns, corners]
    count = tf.reduce_sum(tf.cast(crosses & left, tf.int32), -1)
    return count % 2 == 1


def median_inside(volume: tf.Tensor, corners_index: tf.Tensor, mids: tf.Tensor) -> tf.Tensor:
    """Returns the median intensity inside quads, each on its mid-slice and the two beside it.

    Args:
        volume: [slices, rows, columns], any real type.
        corners_index: [quads, 4, 3] float32 (slice, row, column).
        mids: [quads] float32 mid-slice of each quad, a whole number.

    Returns:
        Scalar float32; NaN if no voxel lies inside.

    Source: Jamaludin 2017, section 2; methods 1.2 step 8.
    """
    shape = tf.shape(volume)
    mids = tf.cast(mids, tf.int32)

    def values_of(quad):
        corners, mid = quad
        inside = inside_polygon(corners[:, 1:], shape[1], shape[2])
        slices = mid + tf.constant([-1, 0, 1])
        slices = tf.boolean_mask(slices, (slices >= 0) & (slices < shape[0]))
        values = tf.boolean_mask(tf.gather(volume, slices), inside, axis=1)
        return tf.RaggedTensor.from_tensor(tf.reshape(tf.cast(values, tf.float32), [1, -1]))

    values = tf.map_fn(
        values_of,
        (corners_index, mids),
        fn_output_signature=tf.RaggedTensorSpec([1, None], tf.float32),
    ).flat_values
    return median(values)


def median(values: tf.Tensor) -> tf.Tensor:
    """Median of [n] float32 as NumPy defines it."""
    values = tf.sort(values)
    count = tf.size(values)
    if_any = lambda: (values[(count - 1) // 2] + values[count // 2]) / 2  # noqa: E731
    return tf.cond(count > 0, if_any, lambda: tf.constant(float("nan")))
