"""The layers of a Keras model as blocks to draw: what it is made of is read from the model."""

import dataclasses
from collections.abc import Sequence

import keras

from spine_tf.models import encoder

_POOLINGS = (encoder.SlicePooling, keras.layers.MaxPooling2D)
_SHORT = {
    "LocalResponseNormalization": "LRN",
    "BatchNormalization": "batch norm",
    "Dropout": "dropout",
    "Reshape": "squeeze",
    "Flatten": "flatten",
}


@dataclasses.dataclass(frozen=True)
class Block:
    """A convolution, a pooling or a fully connected layer, and what follows it.

    Attributes:
        name: Name of the layer.
        kernel: Size over (slices,) rows, columns; empty for a fully connected layer.
        stride: Step over the same.
        padding: Zeros added on each side, over the same.
        output: Shape of the layer's output without the batch: (slices,) (rows, columns,) channels.
        weights: Shapes of its weights.
        is_trained: Whether its weights are trained.
        then: Activation, normalisation and the like that follow.
    """

    name: str
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]
    is_trained: bool
    then: tuple[str, ...] = ()


def walk(layers: Sequence[keras.layers.Layer]) -> list[Block]:
    """Returns the blocks of the layers of one branch, in their order.

    Args:
        layers: Layers; models among them are left out.
    """
    blocks, padding = [], ()
    for layer in layers:
        if isinstance(layer, keras.layers.ZeroPadding3D):
            padding = tuple(before for before, _ in layer.padding)
        elif hasattr(layer, "kernel") or isinstance(layer, _POOLINGS):
            blocks.append(_block(layer, padding))
            padding = ()
        elif blocks and _word(layer):
            then = (*blocks[-1].then, _word(layer))
            blocks[-1] = dataclasses.replace(blocks[-1], then=then)
    return blocks


def _word(layer: keras.layers.Layer) -> str:
    if isinstance(layer, keras.layers.Activation):
        return layer.activation.__name__
    return _SHORT.get(type(layer).__name__, "")


def _block(layer: keras.layers.Layer, padding: tuple[int, ...]) -> Block:
    source, output = _shape(layer.input), _shape(layer.output)
    kernel, stride = (), ()
    if isinstance(layer, _POOLINGS):
        kernel = stride = tuple(a // b for a, b in zip(source[:-1], output[:-1], strict=True))
    elif hasattr(layer, "kernel_size"):
        kernel, stride = tuple(layer.kernel_size), tuple(layer.strides)
        if layer.padding == "same":
            padding = tuple(size // 2 for size in kernel)
    return Block(
        name=layer.name,
        kernel=kernel,
        stride=stride,
        padding=padding or (0,) * len(kernel),
        output=output,
        weights=tuple(tuple(weight.shape) for weight in layer.weights),
        is_trained=layer.trainable and bool(layer.weights),
    )


def _shape(tensor) -> tuple[int, ...]:
    return tuple(int(size) for size in tensor.shape[1:])
