"""The 3-D VGG-M: conv1 to conv5 over a crop, depth first.

Source: Jamaludin 2017, section 3 (3-D kernels, conv4 collapses the slices, 2x2 pools);
MatConvNet's VGG-M for strides, padding and normalisation; methods 1.3, tables A and B.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config

STAGES = ("conv1", "conv2", "conv3", "conv4", "conv5")
_SLICE_KERNEL = 3
_MANY_CHANNELS = 64  # from here a CPU is faster with the 3-D kernel
_LRN_ALPHA = 1e-4 / 5


class LocalResponseNormalization(keras.layers.Layer):
    """VGG-M's normalisation over channels, for inputs of any rank.

    x / (1 + 1e-4 / 5 * sum of x^2 over 5 channels) ^ 0.75. Always float32: its sums are small
    beside 1.
    """

    def call(self, inputs):
        normal = _normalise_over_channels(tf.cast(inputs, tf.float32))
        return tf.cast(normal, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@tf.custom_gradient
def _normalise_over_channels(x: tf.Tensor):
    """As tf.nn.local_response_normalization, whose gradient takes 3 times as long on a CPU."""
    root = tf.math.rsqrt(1.0 + _sum_of_neighbours(_LRN_ALPHA * tf.square(x)))
    power = root * tf.sqrt(root)  # ^ -0.75

    def gradient(upstream):
        scaled = upstream * power
        inner = _sum_of_neighbours(1.5 * _LRN_ALPHA * scaled * x * tf.square(root))
        return scaled - x * inner

    return x * power, gradient


def _sum_of_neighbours(x: tf.Tensor) -> tf.Tensor:
    """Sums every channel and two on either side: a product with a band of ones."""
    count = x.shape[-1]
    band = tf.linalg.band_part(tf.ones([count, count], x.dtype), 2, 2)
    return tf.reshape(tf.matmul(tf.reshape(x, [-1, count]), band), tf.shape(x))


class SubtractSliceMeans(keras.layers.Layer):
    """Subtracts the training set's mean of every slice from [batch, slices, rows, columns, 1]."""

    def __init__(self, means: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        self.means = [float(mean) for mean in means]

    def call(self, inputs):
        means = tf.constant(self.means, inputs.dtype)
        return inputs - tf.reshape(means, [1, -1, 1, 1, 1])

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"means": self.means}


class SliceConv3D(keras.layers.Conv3D):
    """A 3-D convolution of few channels, computed as 2-D ones: same weights and result.

    On a CPU the 3-D kernel is 3 times as slow for one input channel, and its gradient 40 times for
    12 channels of a disc; with many channels it is as fast, and used (docs/architecture.md, docs/
    speed.md). Stride 1 over slices, no padding.
    """

    def call(self, inputs):
        if inputs.shape[-1] >= _MANY_CHANNELS:
            return super().call(inputs)
        kernel = tf.cast(tf.convert_to_tensor(self.kernel), inputs.dtype)
        has_blocks = not inputs.shape[2] % 2 and not inputs.shape[3] % 2
        if inputs.shape[-1] == 1 and self.strides[1:] == (2, 2) and has_blocks:
            found = _over_blocks(inputs, kernel)
        else:
            found = _over_slices(inputs, kernel, self.strides[1:])
        return tf.nn.bias_add(found, tf.cast(tf.convert_to_tensor(self.bias), found.dtype))


def _over_slices(inputs: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int]) -> tf.Tensor:
    """Sums one 2-D convolution per slice of the kernel over neighbour slices."""
    depth, filters = kernel.shape[0], kernel.shape[-1]
    flat = tf.reshape(inputs, [-1, *inputs.shape[2:]])
    side_by_side = tf.concat(tf.unstack(kernel), -1)  # all slices of the kernel at once
    found = tf.nn.conv2d(flat, side_by_side, strides, "VALID")
    found = tf.reshape(found, [-1, inputs.shape[1], *found.shape[1:]])
    slices = inputs.shape[1] - depth + 1
    return tf.add_n(
        [found[:, i : i + slices, ..., i * filters : (i + 1) * filters] for i in range(depth)]
    )


def _over_blocks(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Stride 2 and one channel: 2x2 blocks become 4 channels, neighbour slices 4 more each."""
    depth, rows, columns, _, filters = kernel.shape
    slices = inputs.shape[1] - depth + 1
    blocks = tf.nn.space_to_depth(tf.reshape(inputs, [-1, *inputs.shape[2:]]), 2)
    blocks = tf.reshape(blocks, [-1, inputs.shape[1], *blocks.shape[1:]])
    stacked = tf.concat([blocks[:, i : i + slices] for i in range(depth)], -1)
    flat = tf.reshape(stacked, [-1, *stacked.shape[2:]])
    half = ((rows + 1) // 2, (columns + 1) // 2)
    kernel = tf.pad(kernel, [[0, 0], [0, rows % 2], [0, columns % 2], [0, 0], [0, 0]])
    kernel = tf.reshape(kernel, [depth, half[0], 2, half[1], 2, filters])
    kernel = tf.reshape(tf.transpose(kernel, [1, 3, 0, 2, 4, 5]), [*half, 4 * depth, filters])
    found = tf.nn.conv2d(flat, kernel, 1, "VALID")
    return tf.reshape(found, [-1, slices, *found.shape[1:]])


class SlicePooling(keras.layers.Layer):
    """2x2 maximum inside every slice, as MaxPooling3D((1, 2, 2)) but faster on a CPU."""

    def call(self, inputs):
        flat = tf.reshape(inputs, [-1, *inputs.shape[2:]])
        pooled = tf.nn.max_pool2d(flat, 2, 2, "VALID")
        return tf.reshape(pooled, [-1, inputs.shape[1], *pooled.shape[1:]])

    def compute_output_shape(self, input_shape):
        batch, slices, rows, columns, channels = input_shape
        return (batch, slices, rows // 2, columns // 2, channels)


def initializer(norm: str, seed: int) -> keras.initializers.Initializer:
    """Returns N(0, 0.01) as MatConvNet, or He-normal where batch norm follows (methods 1.3)."""
    if norm == "batch":
        return keras.initializers.HeNormal(seed=seed)
    return keras.initializers.RandomNormal(stddev=0.01, seed=seed)


def normalise(x: Any, norm: str, name: str, *, local: bool) -> Any:
    """Adds the activation and the normalisation of one layer to a symbolic or real tensor.

    Batch norm comes before the ReLU; local response normalisation after it, and only where VGG-M
    has it (`local`).
    """
    if norm == "batch":
        # Statistics of the whole batch, over how many devices it may be split.
        x = keras.layers.BatchNormalization(momentum=0.9, synchronized=True, name=f"{name}_norm")(x)
    x = keras.layers.Activation("relu", name=f"{name}_relu")(x)
    if norm == "lrn" and local:
        x = LocalResponseNormalization(name=f"{name}_norm")(x)
    return x


def build_encoder(
    model_config: config.ModelConfig,
    input_shape: tuple[int, int, int],
    *,
    slice_means: Sequence[float],
    seed: int = 0,
) -> keras.Model:
    """Builds conv1 to conv5.

    Args:
        model_config: Width, normalisation and padding.
        input_shape: [slices, rows, columns] of a crop; the slices collapse in conv4.
        slice_means: [slices] training-set means that are subtracted first.
        seed: Seed of the weights.

    Returns:
        A functional model from [batch, slices, rows, columns, 1] float32 in [0, 2] to a dict of
        the stages by name: conv1, conv2, conv3 are [batch, slices, rows, columns, filters], conv4
        and conv5 [batch, rows, columns, filters]. A stage is the output before its pooling.
    """
    filters, norm = model_config.filters, model_config.norm

    def kernel(number: int) -> dict:
        return {"kernel_initializer": initializer(norm, seed + number), "name": f"conv{number}"}

    def pad(x, number: int, plane: int, slices: int = _SLICE_KERNEL // 2):
        return keras.layers.ZeroPadding3D((slices, plane, plane), name=f"conv{number}_pad")(x)

    # === Functional model ===
    crop = keras.Input((*input_shape, 1), name="crop")
    # In float32 whatever the policy: bfloat16 has only 8 bits for an intensity.
    x = SubtractSliceMeans(slice_means, dtype="float32", name="subtract_slice_means")(crop)
    stages = {}
    for number, size, stride, plane in ((1, 7, 2, 0), (2, 5, 2, 1), (3, 3, 1, 1)):
        x = pad(x, number, plane)
        convolution = SliceConv3D if number < 3 else keras.layers.Conv3D
        x = convolution(
            filters[number - 1], (_SLICE_KERNEL, size, size), (1, stride, stride), **kernel(number)
        )(x)
        x = stages[f"conv{number}"] = normalise(x, norm, f"conv{number}", local=number < 3)
        if number < 3:
            x = SlicePooling(name=f"pool{number}")(x)
    if model_config.conv4_padding:
        x = pad(x, 4, model_config.conv4_padding, slices=0)
    x = keras.layers.Conv3D(filters[3], (input_shape[0], 3, 3), **kernel(4))(x)
    x = keras.layers.Reshape(tuple(x.shape[2:]), name="conv4_squeeze")(x)
    x = stages["conv4"] = normalise(x, norm, "conv4", local=False)
    x = keras.layers.Conv2D(filters[4], 3, padding="same", **kernel(5))(x)
    stages["conv5"] = normalise(x, norm, "conv5", local=False)
    return keras.Model(crop, stages, name="encoder")
