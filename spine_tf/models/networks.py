"""The networks by name: the one place that knows them all."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from spine_tf import config
from spine_tf.models import blocks, encoder, reconstruction, sononet, unet

_WIDTH = 64  # filters of the first block of a 2-D network of width 1


def build_encoder(
    model_config: config.ModelConfig,
    input_shape: Sequence[int | None],
    *,
    slice_means: Sequence[float],
    seed: int,
) -> keras.Model:
    """Builds the encoder of a configuration.

    Args:
        model_config: Network and sizes.
        input_shape: [slices, rows, columns] of a crop for VGG-M; [rows, columns, channels] of an
            image for the others.
        slice_means: Means of the stored slices of crops; VGG-M subtracts those of the middle.
        seed: Seed of the weights.

    Returns:
        A functional model called "encoder" to its stages by name.
    """
    if model_config.network == config.VGG_M:
        slices, rows, columns = blocks.known_shape(input_shape)
        begin = (len(slice_means) - slices) // 2
        means = slice_means[begin : begin + slices]
        shape = (slices, rows, columns)
        return encoder.build_encoder(model_config, shape, slice_means=means, seed=seed)
    width = max(1, round(_WIDTH * model_config.width))
    if model_config.network == config.UNET:
        return unet.build_encoder(width, input_shape, seed=seed)
    is_larger = model_config.network == config.SONONET_6
    num_blocks = sononet.LOCALISATION_BLOCKS if is_larger else sononet.NUM_BLOCKS
    return sononet.build_encoder(width, input_shape, num_blocks=num_blocks, seed=seed)


def decoder(
    model_config: config.ModelConfig,
    stages: Mapping[str, Any],
    image_shape: Sequence[int | None],
    *,
    skips: bool,
    seed: int,
) -> Any:
    """Adds the reconstruction part that goes with the encoder of a configuration.

    Args:
        model_config: Network and sizes.
        stages: Stages of the encoder.
        image_shape: See `reconstruction.decoder`.
        skips: Whether a U-Net concatenates its stages; the others never do.
        seed: Seed of the weights.

    Returns:
        [batch, *image_shape] float32.
    """
    network = model_config.network
    skips = skips and network == config.UNET
    return reconstruction.decoder(network, stages, image_shape, skips=skips, seed=seed)
