"""The plain baseline of verification: normalised cross-correlation of two crops, unmoved.

Each slice is normalised by itself, and only slices that both scans have count, so that padding
tells nothing. Plain image similarity is the baseline to beat.
"""

import numpy as np
import tensorflow as tf

from spine_tf.data import crops

_ROWS = 56  # crops are averaged down to this, which also takes out noise


def descriptor(crop: tf.Tensor, slice_is_valid: tf.Tensor) -> tf.Tensor:
    """Returns what `similarity` compares.

    Args:
        crop: [batch, slices, rows, columns] float32.
        slice_is_valid: [batch, slices] bool.

    Returns:
        [batch, slices, pixels] float32: every slice of mean 0 and norm 1, 0 where it is not valid.
    """
    small = crops.reduce_scale(crop, max(1, crop.shape[-2] // _ROWS))
    small = tf.reshape(small, [tf.shape(small)[0], crop.shape[1], -1])
    small -= tf.reduce_mean(small, -1, keepdims=True)
    return tf.math.l2_normalize(small, -1) * tf.cast(slice_is_valid, small.dtype)[..., None]


def similarity(descriptors: np.ndarray) -> np.ndarray:
    """Returns the correlation [n, n] of [n, slices, pixels] descriptors, -1 to 1.

    It is the mean over the slices both have; 0 where there is none.
    """
    flat = descriptors.reshape(len(descriptors), -1)
    valid = (np.abs(descriptors).max(-1) > 0).astype(float)
    return flat @ flat.T / np.maximum(valid @ valid.T, 1)


def euclidean(embeddings: np.ndarray) -> np.ndarray:
    """Returns the distance [n, n] of [n, units] embeddings."""
    embeddings = np.asarray(embeddings, np.float64)
    square = np.sum(embeddings**2, 1)
    squares = square[:, None] + square[None] - 2 * embeddings @ embeddings.T
    return np.sqrt(np.maximum(squares, 0.0))
