"""One encoder over several tiles of an image, for relative positions and jigsaw.

Source: Chen 2019's rivals, Doersch's relative positions and Noroozi's jigsaw; methods 3.4. The
tiles of a batch pass the encoder as one batch; their last stages are averaged over the plane,
concatenated, and classified by two fully connected layers.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.models import blocks

# Padding of conv4 -> smallest side of a crop that leaves conv5 of the 3-D VGG-M one pixel.
LEAST_SIDE = {0: 57, 1: 25}
_LOGITS_STDDEV = 0.01


class MergeTiles(keras.layers.Layer):
    """[batch, tiles, ...] to [batch * tiles, ...]."""

    def call(self, inputs):
        known, found = inputs.shape[2:], tf.unstack(tf.shape(inputs))[2:]
        sides = [found[i] if side is None else side for i, side in enumerate(known)]
        return tf.reshape(inputs, [-1, *sides])

    def compute_output_shape(self, input_shape):
        return (None, *input_shape[2:])


class JoinTiles(keras.layers.Layer):
    """[batch * tiles, features] to [batch, tiles * features]."""

    def __init__(self, num_tiles: int, **kwargs):
        super().__init__(**kwargs)
        self.num_tiles = num_tiles

    def call(self, inputs):
        return tf.reshape(inputs, [-1, self.num_tiles * inputs.shape[-1]])

    def compute_output_shape(self, input_shape):
        return (None, self.num_tiles * input_shape[-1])

    def get_config(self):
        return super().get_config() | {"num_tiles": self.num_tiles}


def encoder_shape(
    tile_shape: Sequence[int], num_slices: int, model_config: config.ModelConfig
) -> tuple[int, int, int]:
    """Returns the [slices, rows, columns] to build a VGG-M for, so that it can see tiles.

    A tile of a small crop is too small for its strides. It is then shown enlarged by a whole
    number. A tile of few slices is shown with its slices repeated, because the kernel of conv4 has
    as many slices as the crop.

    Args:
        tile_shape: [..., rows, columns] of a tile.
        num_slices: Slices of the crops that the weights shall serve.
        model_config: Padding of the network.
    """
    rows, columns = _enlarged(tile_shape[-2:], LEAST_SIDE[model_config.conv4_padding])
    return (num_slices, rows, columns)


def logits(
    encoder_model: keras.Model,
    tiles: Any,
    num_classes: int,
    *,
    units: int,
    seed: int = 0,
) -> Any:
    """Adds the encoder over all tiles and the classifier over them together.

    Args:
        encoder_model: Any encoder. Where it was built for a size, tiles are resized to that; else a
            tile that is too small for its poolings is shown enlarged by a whole number.
        tiles: [batch, tiles, (slices,) rows, columns, channels], the number of tiles fixed; two for
            a relative position.
        num_classes: Positions or permutations.
        units: Units of the fully connected layer; 1024 or 4096 in full networks.
        seed: Seed of the weights.

    Returns:
        [batch, num_classes] float32.
    """
    num_tiles, tile_shape = tiles.shape[1], tuple(tiles.shape[2:-1])
    wanted = tuple(encoder_model.input_shape[1:-1])
    if None in wanted:
        least = 2 ** (len(encoder_model.output) - 1)
        wanted = tile_shape if None in tile_shape else _enlarged(tile_shape, least)
    x = MergeTiles(dtype="float32", name="tiles_merge")(tiles)
    if wanted != tile_shape:
        x = blocks.Resize(wanted, dtype="float32", name="tiles_resize")(x)
    x = blocks.last_stage(encoder_model(x))
    x = keras.layers.GlobalAveragePooling2D(dtype="float32", name="tiles_mean")(x)
    x = JoinTiles(num_tiles, name="tiles_join")(x)
    x = keras.layers.Dense(
        units,
        use_bias=False,
        kernel_initializer=blocks.initializer("tiles_fc", seed),
        name="tiles_fc",
    )(x)
    x = blocks.normalise(x, "tiles_fc")
    return keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=_LOGITS_STDDEV, seed=seed),
        dtype="float32",
        name="tiles_logits",
    )(x)


def _enlarged(shape: Sequence[int], least: int) -> tuple[int, ...]:
    """A shape times the least whole number that makes all sides at least so long."""
    factor = max(-(-least // side) for side in shape)
    return tuple(side * factor for side in shape)
