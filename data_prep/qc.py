"""Pictures of a scan to look at before training: every crop's mid-slice, the outlined vertebrae."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw

from data_prep import overlay, slice_qc
from spine_tf import vertebrae
from spine_tf.data import crops, schema

CROPS, OUTLINES = ".png", "-outlines.png"  # what the names of pictures end in
_SHOWN_SCALE = 0.5
_OUTLINES_PIXEL_MM = 0.8
_GAP = 2
_CAPTION_ROWS = 14  # above a strip: the level of every crop


# Pairs of discs are the pixels of the discs again.
_ROWS = (schema.VERTEBRA_PAIRS, schema.DISC, schema.IMAGE_PAIRS)


def pictures(
    loaded: Any, examples: Mapping[str, Sequence[tf.train.Example]], settings: Mapping[str, Any]
) -> dict[str, bytes]:
    """Returns the pictures of one scan.

    Args:
        loaded: What its records were made of; of a Volume and its Annotation there are outlines.
        examples: As of `crop_sheet`.
        settings: As of `crop_sheet`.

    Returns:
        CROPS or OUTLINES -> PNG.
    """
    found = {CROPS: crop_sheet(examples, settings)}
    if isinstance(loaded, tuple) and isinstance(loaded[-1], vertebrae.Annotation):
        scan, annotation = loaded
        found[OUTLINES] = overlay.draw(scan, annotation, _OUTLINES_PIXEL_MM)
    return found


def crop_sheet(
    examples: Mapping[str, Sequence[tf.train.Example]], settings: Mapping[str, Any]
) -> bytes:
    """Returns a PNG: vertebral bodies in the first row, discs in the second, head to foot.

    The name of its level stands above every crop.

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
    return tf.io.encode_png(grey[..., None], compression=2).numpy()  # half the time


def _strip(kind: str, examples: Sequence[tf.train.Example], settings) -> np.ndarray:
    shape = schema.stored_kind(kind, settings).stored_shape(settings["crop_scale"])
    step = round(settings["crop_scale"] / _SHOWN_SCALE)
    tiles = []
    for example in examples:
        level = example.features.feature["level"].bytes_list.value[0].decode()
        content = example.features.feature["image"].bytes_list.value[0]
        shown = schema.stored_pixels(content, shape)[shape[0] // 2, ::step, ::step]
        tile = np.concatenate([_caption(level, shown.shape[1]), schema.intensity(shown)])
        tiles += [tile, np.zeros((len(tile), _GAP))]
    return np.concatenate(tiles, 1)


def _caption(text: str, width: int) -> np.ndarray:
    """`text` in white on black, as intensities."""
    picture = Image.new("L", (width, _CAPTION_ROWS))
    ImageDraw.Draw(picture).text((2, _CAPTION_ROWS // 2), text, fill=255, anchor="lm")
    return np.asarray(picture, np.float32) * (crops.MAX_INTENSITY / 255)
