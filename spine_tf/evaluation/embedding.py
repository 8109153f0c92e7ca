"""The embedding of a longitudinal model, as evaluation and verification use it."""

import keras
import tensorflow as tf

from spine_tf.training import model_folder


def load_tower(folder: model_folder.ModelFolder) -> keras.Model:
    """Returns the branch of a trained longitudinal model that embeds one crop.

    Raises:
        FileNotFoundError: If no epoch was finished.
    """
    return folder.load_model().get_layer("tower")


def embed(tower: keras.Model, crop: tf.Tensor) -> dict[str, tf.Tensor]:
    """Embeds crops.

    Args:
        tower: See `load_tower`.
        crop: [batch, slices, rows, columns] float32, the network's input.

    Returns:
        "embedding" [batch, units] float32 and "level" [batch] int64, the class of the level head.
    """
    outputs = tower(crop[..., None], training=False)
    return {
        "embedding": tf.cast(outputs["embedding"], tf.float32),
        "level": tf.argmax(outputs["level"], -1),
    }
