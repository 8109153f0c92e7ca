"""SonoNet-64, -32 and -16, and the network of the localisation task.

Source: the published SonoNet weights and Chen 2019, tasks A and B; methods 3.5 and 3.6. A side of
the image may be anything that its four (five) poolings leave something of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from spine_tf.models import blocks

_FILTERS = (1, 2, 4, 8, 8, 8)  # multiples of the width
_COUNTS = (2, 2, 3, 3, 3, 3)
NUM_BLOCKS = 5
LOCALISATION_BLOCKS = 6


def build_encoder(
    width: int,
    input_shape: Sequence[int | None],
    *,
    num_blocks: int = NUM_BLOCKS,
    seed: int = 0,
) -> keras.Model:
    """Builds the convolutions of SonoNet.

    Args:
        width: Filters of the first block: 64, 32 or 16 as published.
        input_shape: [rows, columns, channels]; rows and columns may be None.
        num_blocks: NUM_BLOCKS, or LOCALISATION_BLOCKS for one more pooling and block.
        seed: Seed of the weights.

    Returns:
        A functional model called "encoder" from [batch, rows, columns, channels] float32 to its
        stages conv1 to conv5 (conv6) by name, see `blocks.build_encoder`.

    Raises:
        ValueError: If there is no network of so many blocks.
    """
    if num_blocks not in (NUM_BLOCKS, LOCALISATION_BLOCKS):
        raise ValueError(
            f"`num_blocks` must be {NUM_BLOCKS} or {LOCALISATION_BLOCKS}, got {num_blocks!r}."
        )
    filters = [width * multiple for multiple in _FILTERS[:num_blocks]]
    return blocks.build_encoder(input_shape, filters, _COUNTS[:num_blocks], seed)


def logits(stages: Mapping[str, Any], num_classes: int, *, prefix: str = "", seed: int = 0) -> Any:
    """Adds the classifier: two 1x1 convolutions and the mean over the image.

    Over five blocks they are conv5_p and conv6_p (classification); over six, conv6_p and conv7_p
    (localisation, where the logits are of a sigmoid each).

    Args:
        stages: Stages of an encoder.
        num_classes: Classes or organs.
        prefix: Prefix of the layers' names, where a model has several heads.
        seed: Seed of the weights.

    Returns:
        [batch, num_classes] float32.
    """
    x = blocks.last_stage(stages)
    first, second = (f"{prefix}conv{len(stages) + more}_p" for more in (0, 1))
    x = blocks.convolution(x, x.shape[-1] // 2, 1, first, seed)
    x = blocks.convolution(x, num_classes, 1, second, seed, relu=False, dtype="float32")
    return keras.layers.GlobalAveragePooling2D(dtype="float32", name=f"{prefix}logits")(x)
