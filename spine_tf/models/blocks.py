"""What the 2-D networks of Chen 2019 and all decoders are made of.

Source: methods 3.2, 3.5 and 3.7. A convolution has no bias, batch norm (epsilon 1e-4, as published
with SonoNet) and ReLU follow. Every layer draws its weights from the seed and its own name.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

_EPSILON = 1e-4


class Resize(keras.layers.Layer):
    """Resizes images, bilinear in the plane and by the nearest slice; computed in float32.

    From [batch, rows, columns, channels] to a shape [rows, columns], or from [batch, slices, rows,
    columns, channels] to [slices, rows, columns].
    """

    def __init__(self, shape: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(int(side) for side in shape)

    def call(self, inputs):
        x, plane = tf.cast(inputs, tf.float32), self.shape[-2:]
        if len(self.shape) == 2:
            return tf.cast(tf.image.resize(x, plane), inputs.dtype)
        x = tf.gather(x, _nearest(tf.shape(x)[1], self.shape[0]), axis=1)
        resized = tf.image.resize(tf.reshape(x, tf.concat([[-1], tf.shape(x)[2:]], 0)), plane)
        resized = tf.reshape(resized, [-1, *self.shape, inputs.shape[-1]])
        return tf.cast(resized, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.shape, input_shape[-1])

    def get_config(self):
        return super().get_config() | {"shape": self.shape}


def _nearest(count: tf.Tensor, wanted: int) -> tf.Tensor:
    """Indices [wanted] of the nearest of `count` slices."""
    return (2 * tf.range(wanted) + 1) * count // (2 * wanted)


def initializer(name: str, seed: int) -> keras.initializers.Initializer:
    """Returns the He-normal start of the layer called `name`."""
    return keras.initializers.HeNormal(seed=zlib.crc32(f"{seed}/{name}".encode()) >> 1)


def normalise(x: Any, name: str, *, relu: bool = True, dtype: Any = None) -> Any:
    """Adds batch norm over the whole batch, on however many devices, and ReLU."""
    x = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=_EPSILON, synchronized=True, dtype=dtype, name=f"{name}_norm"
    )(x)
    return keras.layers.Activation("relu", dtype=dtype, name=f"{name}_relu")(x) if relu else x


def convolution(
    x: Any, filters: int, size: int, name: str, seed: int, *, relu: bool = True, dtype: Any = None
) -> Any:
    """Adds a 2-D convolution of the same size, batch norm and ReLU.

    Args:
        x: [batch, rows, columns, channels].
        filters: Channels of the result.
        size: Rows and columns of the kernel.
        name: Name of the convolution; the others are NAME_norm and NAME_relu.
        seed: Seed of the weights.
        relu: Whether a ReLU follows.
        dtype: What is computed in, where it is not the policy's.

    Returns:
        [batch, rows, columns, filters].
    """
    x = keras.layers.Conv2D(
        filters,
        size,
        padding="same",
        use_bias=False,
        kernel_initializer=initializer(name, seed),
        dtype=dtype,
        name=name,
    )(x)
    return normalise(x, name, relu=relu, dtype=dtype)


def output(x: Any, channels: int, size: int, name: str, seed: int) -> Any:
    """Adds a last convolution with bias: [batch, rows, columns, channels] float32."""
    return keras.layers.Conv2D(
        channels,
        size,
        padding="same",
        kernel_initializer=initializer(name, seed),
        dtype="float32",
        name=name,
    )(x)


def build_encoder(
    input_shape: Sequence[int | None], filters: Sequence[int], counts: Sequence[int], seed: int
) -> keras.Model:
    """Builds blocks of 3x3 convolutions with 2x2 maximum pooling between them.

    Args:
        input_shape: [rows, columns, channels]; rows and columns may be None.
        filters: Per block, filters of its convolutions.
        counts: Per block, how many convolutions it has.
        seed: Seed of the weights.

    Returns:
        A functional model called "encoder" from [batch, rows, columns, channels] float32 to a dict
        of the stages conv1, conv2, ...: the output of a block before its pooling, [batch, rows /
        2^n, columns / 2^n, filters], rounded down. Layers are called convBLOCK_NUMBER.
    """
    image = x = keras.Input(tuple(input_shape), name="image")
    stages = {}
    for block, (width, count) in enumerate(zip(filters, counts, strict=True), 1):
        if block > 1:
            x = keras.layers.MaxPooling2D(2, name=f"pool{block - 1}")(x)
        for number in range(1, count + 1):
            x = convolution(x, width, 3, f"conv{block}_{number}", seed)
        stages[f"conv{block}"] = x
    return keras.Model(image, stages, name="encoder")


def last_stage(stages: Mapping[str, Any]) -> Any:
    """Returns the deepest stage of an encoder, conv5 or conv6."""
    return stages[max(stages)]


def known_shape(image_shape: Sequence[int | None]) -> tuple[int, ...]:
    """Returns a shape whose sides must all be known.

    Raises:
        ValueError: If a side is None.
    """
    sides = tuple(side for side in image_shape if side is not None)
    if len(sides) < len(image_shape):
        raise ValueError(f"`image_shape` must have known sides, got {tuple(image_shape)}.")
    return sides


def check_sides(image_shape: Sequence[int | None], num_stages: int) -> None:
    """Checks that every pooling halves an image, so that a decoder gives its size again.

    Args:
        image_shape: [rows, columns, channels]; a side that is None is not checked.
        num_stages: Stages of the encoder.

    Raises:
        ValueError: If rows or columns are not a multiple of 2^(num_stages - 1).
    """
    step = 2 ** (num_stages - 1)
    for name, side in zip(("rows", "columns"), image_shape, strict=False):
        if side is not None and side % step:
            raise ValueError(
                f"`{name}` must be a multiple of {step} for a decoder, got {side!r}. Crop or pad"
                " the images, or choose `patch_size` so."
            )
