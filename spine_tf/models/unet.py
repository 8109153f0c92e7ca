"""U-Net of four poolings, with connections between its halves that can be left out.

Source: Chen 2019, task C; methods 3.7. Its counts of parameters (31.05, 7.77 and 1.95 million of
width 64, 32 and 16) are those of this layout: two 3x3 convolutions per level without bias, each
with batch norm (four numbers per channel) and ReLU; 2x2 transposed convolutions with bias; a 1x1
convolution with bias at the end.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from spine_tf.models import blocks

OUTPUT = "decoder_output"
NUM_STAGES = 5


def build_encoder(width: int, input_shape: Sequence[int | None], *, seed: int = 0) -> keras.Model:
    """Builds the analysis part.

    Args:
        width: Filters of the first level: 64, 32 or 16.
        input_shape: [rows, columns, channels]; rows and columns may be None. For a decoder they are
            multiples of 16.
        seed: Seed of the weights.

    Returns:
        A functional model called "encoder" from [batch, rows, columns, channels] float32 to its
        stages conv1 to conv5 by name, see `blocks.build_encoder`.
    """
    filters = [width * 2**level for level in range(NUM_STAGES)]
    return blocks.build_encoder(input_shape, filters, [2] * NUM_STAGES, seed)


def decoder(stages: Mapping[str, Any], channels: int, *, skips: bool = True, seed: int = 0) -> Any:
    """Adds the reconstruction part.

    Args:
        stages: Stages of the encoder.
        channels: Channels of the result: classes of a segmentation, or those of the image.
        skips: Whether the encoder's stages are concatenated. Without them nothing of the image
            reaches the result but through conv5, so that it cannot be copied.
        seed: Seed of the weights.

    Returns:
        [batch, rows, columns, channels] float32 of the image's rows and columns.
    """
    x = blocks.last_stage(stages)
    for level in range(NUM_STAGES - 1, 0, -1):
        stage = stages[f"conv{level}"]
        name = f"decoder_up{level}"
        x = keras.layers.Conv2DTranspose(
            stage.shape[-1], 2, 2, kernel_initializer=blocks.initializer(name, seed), name=name
        )(x)
        if skips:
            x = keras.layers.Concatenate(name=f"decoder_join{level}")([stage, x])
        for number in (1, 2):
            x = blocks.convolution(x, stage.shape[-1], 3, f"decoder_conv{level}_{number}", seed)
    return blocks.output(x, channels, 1, OUTPUT, seed)
