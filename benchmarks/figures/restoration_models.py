"""The networks that restore images, built as training builds them, as blocks to draw."""

import dataclasses

import keras

from benchmarks.figures import layers
from spine_tf import config
from spine_tf.data import records
from spine_tf.tasks.pretext import context_restoration
from spine_tf.training import model_folder

CONVOLUTION, DOWN, UP = "convolution", "down-sampling", "up-sampling"


@dataclasses.dataclass(frozen=True)
class Strip:
    """A layer that is drawn.

    Attributes:
        name: Name of the layer.
        kind: CONVOLUTION, DOWN or UP.
        output: Rows, columns and channels.
    """

    name: str
    kind: str
    output: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Network:
    """A restoration network.

    Attributes:
        input_shape: Rows, columns and channels of the image.
        analysis: Layers of the encoder.
        reconstruction: Layers after it.
        joins: Per concatenation the number of the analysis layer that is concatenated, and the
            number of the reconstruction layer that sees it.
        num_weights: Weights of the whole model.
    """

    input_shape: tuple[int, int, int]
    analysis: list[Strip]
    reconstruction: list[Strip]
    joins: list[tuple[int, int]]
    num_weights: int


def restoration(preset: str, image_shape: tuple[int, int, int]) -> Network:
    """Returns the network that context restoration trains.

    Args:
        preset: A 2-D network of `config.PRESETS`.
        image_shape: Rows, columns and channels of the image.
    """
    made = context_restoration.ContextRestoration("slice", image_shape=(1, *image_shape))
    statistics = records.Statistics({}, {}, [])
    model = model_folder.build_model(made, config.preset(preset), statistics, seed=0)
    analysis = _strips(model_folder.find_encoder(model), image_shape[0])
    reconstruction = _strips(model, analysis[-1].output[0])
    joins = [
        _join(layer, analysis, reconstruction)
        for layer in model.layers
        if isinstance(layer, keras.layers.Concatenate)
    ]
    return Network(image_shape, analysis, reconstruction, sorted(joins), model.count_params())


def _strips(model: keras.Model, rows: int) -> list[Strip]:
    """The layers of a model, but for the models in it; `rows` are those of its input."""
    strips = []
    for block in layers.walk(model.layers):
        after = block.output[0]
        kind = CONVOLUTION if after == rows else DOWN if after < rows else UP
        strips.append(Strip(block.name, kind, block.output))
        rows = after
    return strips


def _join(layer, analysis: list[Strip], reconstruction: list[Strip]) -> tuple[int, int]:
    """From the last analysis layer of its size to the first convolution of its size after it."""
    rows = layer.output.shape[1]
    source = max(i for i, strip in enumerate(analysis) if strip.output[0] == rows)
    target = min(
        i
        for i, strip in enumerate(reconstruction)
        if strip.output[0] == rows and strip.kind == CONVOLUTION
    )
    return source, target
