"""A picture per scan: the mid-slice of every crop, to look at before training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data_prep import slice_qc
from spine_tf.data import crops, schema

_SHOWN_SCALE = 0.5
_GAP = 2


# Pairs of discs are the pixels of the discs again.
_ROWS = (schema.VERTEBRA_PAIRS, schema.DISC, schema.IMAGE_PAIRS)


def crop_sheet(
    examples: Mapping[str, Sequence[tf.train.Example]], settings: Mapping[str, Any]
) -> bytes:
    """Returns a PNG: vertebral bodies in the first row, discs in the second, head to foot.

    Of a scan with slices alone see `slice_qc.sheet`.

    Args:
        examples: Kind of record -> the records of one scan.
        settings: Those of the data set, as in its manifest: crop_scale, and the size of images.
    """
    strips = [_strip(kind, examples[kind], settings) for kind in _ROWS if examples.get(kind)]
    if not strips and examples.get(schema.SLICE):
        return slice_qc.sheet(examples[schema.SLICE])
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, _GAP), (0, width - strip.shape[1]))) for strip in strips]
    grey = np.clip(np.concatenate(padded) * (255 / crops.MAX_INTENSITY), 0, 255).astype(np.uint8)
    return tf.io.encode_png(grey[..., None]).numpy()


def _strip(kind: str, examples: Sequence[tf.train.Example], settings) -> np.ndarray:
    shape = schema.crop_kind(kind, settings).stored_shape(settings["crop_scale"])
    step = round(settings["crop_scale"] / _SHOWN_SCALE)
    tiles = []
    for example in examples:
        content = example.features.feature["image"].bytes_list.value[0]
        image = schema.decode_pixels(tf.constant(content), shape).numpy()
        tiles += [image[shape[0] // 2, ::step, ::step], np.zeros((shape[1] // step, _GAP))]
    return np.concatenate(tiles, 1)
