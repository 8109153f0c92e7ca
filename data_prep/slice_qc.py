"""A picture of the slices of one scan, with label maps in colour."""

import colorsys
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from spine_tf.data import slice_schema

_MOST_PIXELS = 512  # rows or columns shown of one slice
_GAP = 2
_COLOUR_SHARE = 0.45
_HUE_STEP = 0.381966  # of the circle: neighbouring labels differ


def sheet(examples: Sequence[tf.train.Example]) -> bytes:
    """Returns a PNG: of each view the slice that shows most, every channel grey, then the labels.

    Args:
        examples: Records of kind `slice`, of one scan.
    """
    facts = [slice_schema.facts(example) for example in examples]
    strips = []
    for view in dict.fromkeys(row["view"] for row in facts):
        number = max((n for n, row in enumerate(facts) if row["view"] == view), key=_shown(facts))
        kind = slice_schema.SliceKind(facts[number]["channels"])
        serialized = examples[number].SerializeToString()
        strips.append(_strip(slice_schema.parse(tf.constant(serialized), kind)))
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(s, ((0, _GAP), (0, width - s.shape[1]), (0, 0))) for s in strips]
    return tf.io.encode_png(np.concatenate(padded)).numpy()


def _shown(facts: Sequence[Mapping]):
    """How much a slice shows: pixels with a label, then foreground."""

    def key(number: int) -> tuple[int, int]:
        row = facts[number]
        return sum((row["label_pixels"] or {}).values()), row["foreground_pixels"]

    return key


def _strip(parsed: Mapping[str, tf.Tensor]) -> np.ndarray:
    """[rows, columns, 3] uint8: the channels side by side, and the first one with its labels."""
    step = -(-max(parsed["image"].shape[:2]) // _MOST_PIXELS)
    image = parsed["image"].numpy()[::step, ::step]
    low, mean, std = (parsed[name].numpy() for name in ("low", "mean", "std"))
    unit = np.clip((image - low) / (mean + 3 * std - low), 0, 1)
    tiles = [np.repeat(channel[..., None], 3, -1) for channel in np.moveaxis(unit, -1, 0)]
    if parsed["has_label_map"]:
        tiles.append(overlaid(tiles[0], parsed["label_map"].numpy()[::step, ::step]))
    gap = np.zeros((len(image), _GAP, 3))
    shown = np.concatenate([part for tile in tiles for part in (tile, gap)], 1)
    return (255 * shown).astype(np.uint8)


def overlaid(image: np.ndarray, label_map: np.ndarray) -> np.ndarray:
    """Returns an image [rows, columns, 3] in [0, 1] with a colour over each label."""
    hues = np.arange(label_map.max() + 1) * _HUE_STEP % 1
    colours = np.array([colorsys.hsv_to_rgb(hue, 1, 1) for hue in hues])
    share = _COLOUR_SHARE * (label_map > 0)[..., None]
    return image * (1 - share) + colours[label_map] * share
