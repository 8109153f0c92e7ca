"""Reconstruction parts: from an encoder's stages back to an image of the size that it saw.

Source: Chen 2019 (few upsampling layers before classification and localisation, the structure of
the segmentation network before segmentation); methods 3.2. Layers are called decoder_NAME, the last
one `unet.OUTPUT`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from spine_tf import config
from spine_tf.models import blocks, unet

_LEAST_FILTERS = 16  # so that a narrow network has no fewer filters than slices
_BRIDGE_STEPS = 4


def decoder(
    kind: str,
    stages: Mapping[str, Any],
    image_shape: Sequence[int | None],
    *,
    skips: bool = False,
    seed: int = 0,
) -> Any:
    """Adds the reconstruction part that fits a kind of encoder.

    Args:
        kind: One of `config.NETWORKS`.
        stages: Stages of the encoder.
        image_shape: [rows, columns, channels] or, of VGG-M, [slices, rows, columns, 1]: what the
            encoder was built for. Rows and columns may be None in 2-D.
        skips: Whether a U-Net's stages are concatenated, see `unet.decoder`.
        seed: Seed of the weights.

    Returns:
        [batch, *image_shape] float32, linear.

    Raises:
        ValueError: If there is no such kind, if it has no concatenations, or if a side of the image
            is no multiple of what the encoder's poolings need.
    """
    if kind not in config.NETWORKS:
        raise ValueError(f"`kind` must be one of {', '.join(config.NETWORKS)}, got {kind!r}.")
    if skips and kind != config.UNET:
        raise ValueError(
            f"`skips` must be False for {kind}: only {config.UNET} has concatenations."
        )
    if kind == config.VGG_M:
        return _bridge(stages, blocks.known_shape(image_shape), seed)
    blocks.check_sides(image_shape, len(stages))
    (channels,) = blocks.known_shape(image_shape[-1:])
    if kind == config.UNET:
        return unet.decoder(stages, channels, skips=skips, seed=seed)
    return _transposed(stages, channels, seed)


def _transposed(stages: Mapping[str, Any], channels: int, seed: int) -> Any:
    """A transposed 4x4 convolution per pooling of SonoNet: 256, 128, 64, 32 filters of width 64."""
    x = blocks.last_stage(stages)
    for number, filters in enumerate(_filters(x.shape[-1], len(stages) - 1), 1):
        name = f"decoder_up{number}"
        x = keras.layers.Conv2DTranspose(
            filters,
            4,
            2,
            padding="same",
            use_bias=False,
            kernel_initializer=blocks.initializer(name, seed),
            name=name,
        )(x)
        x = blocks.normalise(x, name)
    return blocks.output(x, channels, 3, unet.OUTPUT, seed)


def _bridge(stages: Mapping[str, Any], image_shape: Sequence[int], seed: int) -> Any:
    """Resizes conv5 to a 16th of the crop and four times to twice that; slices are channels."""
    slices, rows, columns, _ = image_shape
    x = blocks.last_stage(stages)
    x = blocks.Resize(_halved(rows, columns, _BRIDGE_STEPS), name="decoder_resize0")(x)
    for number, filters in enumerate(_filters(x.shape[-1], _BRIDGE_STEPS), 1):
        plane = _halved(rows, columns, _BRIDGE_STEPS - number)
        x = blocks.Resize(plane, name=f"decoder_resize{number}")(x)
        x = blocks.convolution(x, filters, 3, f"decoder_conv{number}", seed)
    x = blocks.output(x, slices, 3, unet.OUTPUT, seed)
    x = keras.layers.Permute((3, 1, 2), dtype="float32", name="decoder_depth_first")(x)
    return keras.layers.Reshape(tuple(image_shape), dtype="float32", name="decoder_crop")(x)


def _halved(rows: int, columns: int, times: int) -> tuple[int, int]:
    """Sides over 2^times, rounded up: a disc of 56 rows goes 4, 7, 14, 28, 56."""
    return -(-rows // 2**times), -(-columns // 2**times)


def _filters(channels: int, count: int) -> list[int]:
    """Half of the channels before, but not below the least."""
    return [max(_LEAST_FILTERS, channels // 2**number) for number in range(1, count + 1)]
