"""Plain 2-D images, such as radiographs, made to the size and intensities of stored crops.

TensorFlow code, as `crops`, so that conversion and an exported model see the same pixels.
"""

import tensorflow as tf

from spine_tf.data import crops, intensity


def fit(image: tf.Tensor, shape: tuple[int, int]) -> dict[str, tf.Tensor]:
    """Normalises one image and fits it into a size, whole and centred, with 0 around it.

    The lowest value becomes 0 if it is negative. Then the median of what is not 0 becomes 0.5.

    Args:
        image: [height, width] any real type, finite.
        shape: (rows, columns) of the result.

    Returns:
        image [1, rows, columns] float32 in [0, 2], resized bilinearly with antialias;
        pixel_is_valid [rows, columns] bool, false around the image; median, scalar float32: the
        intensity that became 0.5, NaN (and the image, too) where every value is 0.
    """
    image = tf.cast(image, tf.float32)
    image = image - tf.minimum(tf.reduce_min(image), 0.0)
    median = intensity.median(tf.boolean_mask(image, image != 0))
    placed, valid = place(image, shape)
    scaled = tf.clip_by_value(placed * (crops.MEDIAN_INTENSITY / median), 0.0, crops.MAX_INTENSITY)
    return {"image": scaled[None], "pixel_is_valid": valid, "median": median}


def place(image: tf.Tensor, shape: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Fits one image into a size, whole and centred, with 0 around it.

    Args:
        image: [height, width] float32.
        shape: (rows, columns) of the result.

    Returns:
        [rows, columns] float32, resized bilinearly with antialias; [rows, columns] bool, false
        around the image.
    """
    size = _fitting_size(tf.shape(image), shape)
    resized = tf.image.resize(image[..., None], size, antialias=True)[..., 0]
    before = (tf.constant(shape) - size) // 2
    padding = tf.stack([before, shape - size - before], 1)
    valid = tf.pad(tf.ones(size, tf.bool), padding)
    placed = tf.ensure_shape(tf.pad(resized, padding), shape)
    return placed, tf.ensure_shape(valid, shape)


def _fitting_size(size: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    """[2] int32: the largest size of the same proportions that fits into `shape`."""
    factor = tf.reduce_min(tf.constant(shape, tf.float32) / tf.cast(size, tf.float32))
    fitting = tf.cast(tf.round(tf.cast(size, tf.float32) * factor), tf.int32)
    return tf.clip_by_value(fitting, 1, tf.constant(shape))
