"""Records of kind `slice`: one 2-D image of any size and number of channels.

A slice is a whole plain image, or one slice of a volume in one view. It carries what it needs to be
normalised like the rest of its volume, so reading one never reads its neighbours; a whole volume is
the slices of one case and view in order of position (`records.cases`).

Pixels are uint16, little endian, over [low, high] of their channel in the whole volume; rounding
costs at most half a step, (high - low) / 131070.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.data import features

KIND = "slice"
AXIAL, CORONAL, SAGITTAL = "axial", "coronal", "sagittal"
VIEWS = (AXIAL, CORONAL, SAGITTAL)

_TOP = 65535
_QUAD = (4, 2)  # corners of (row, column)
_TEXT = ("kind", "key", "subject", "family", "scan", "label", "view")
_INTS = ("visit", "days", "position", "num_positions")
_PER_CHANNEL = ("low", "high", "mean", "std", "background")


@dataclasses.dataclass(frozen=True)
class SliceKind:
    """What all slices of a data set have in common.

    Attributes:
        num_channels: Channels of every image.
        rows: Rows of every image; None where they differ.
        columns: The same of columns.
    """

    num_channels: int = 1
    rows: int | None = None
    columns: int | None = None


def slice_kind(settings: Mapping[str, Any]) -> SliceKind:
    """Returns what the slices of a data set have in common.

    Args:
        settings: Those in its manifest: `channels` of volumes; `image_rows` and `image_columns` of
            plain images, which are grey.
    """
    return SliceKind(
        num_channels=len(channels(settings)),
        rows=settings.get("image_rows"),
        columns=settings.get("image_columns"),
    )


def channels(settings: Mapping[str, Any]) -> list[str]:
    """Returns what the channels of the slices of a data set are called, by its settings."""
    return list(settings.get("channels", ["grey"]))


# Settings that decide what one pixel of an image means: how far it reaches, what its value is.
_PIXEL_SETTINGS = ("spacing_mm", "resample", "window_hu", "image_rows", "image_columns")


def pixel_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that images must share with those that a network was trained on.

    Args:
        settings: Those in the manifest of a data set; crops of scans have none of them.
    """
    return {name: settings[name] for name in _PIXEL_SETTINGS if name in settings}


@dataclasses.dataclass(frozen=True)
class Slice:
    """One slice and what goes with it.

    Attributes:
        subject: Pseudonym of the subject.
        family: Pseudonym of the family.
        scan: Pseudonym of the volume or image; it is its case.
        visit: 0-based visit of the subject.
        days: Days since the subject's first visit.
        image: [rows, columns, channels] float32.
        low: [channels] lowest intensity of the volume.
        high: [channels] highest intensity of the volume.
        mean: [channels] mean intensity of the volume's foreground.
        std: [channels] standard deviation of the volume's foreground.
        background: [channels] a pixel is foreground if any channel is above its threshold.
        inside: First row, first column, rows and columns of the image within its padding.
        spacing_mm: [3] distance between slices, rows and columns; 0 is unknown.
        label: Name of the class of a plain image, or "".
        view: One of VIEWS, or "" for a plain image.
        position: Number of the slice in its view, before any was left out.
        num_positions: Slices that the volume has in this view.
        label_map: [rows, columns] uint8, or None.
        quads: Label -> [4, 2] (row, column) corners of what has it, of label maps for detection.
    """

    subject: str
    family: str
    scan: str
    visit: int
    days: int
    image: np.ndarray
    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    background: np.ndarray
    inside: tuple[int, int, int, int]
    spacing_mm: np.ndarray
    label: str = ""
    view: str = ""
    position: int = 0
    num_positions: int = 1
    label_map: np.ndarray | None = None
    quads: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the slice; keys of one view sort by position."""
        return f"{self.scan}/{self.view}/{self.position:05d}"


def foreground(image: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns [...] bool: where any channel of [..., channels] is above its threshold."""
    return np.any(image > np.asarray(background, np.float32), -1)


def encode(one: Slice) -> tf.train.Example:
    """Returns the record of one slice."""
    image = np.asarray(one.image, np.float32)
    texts = {"kind": KIND, "key": one.key}
    texts |= {name: getattr(one, name) for name in _TEXT if name not in texts}
    feature = {name: features.of_texts([text]) for name, text in texts.items()}
    feature["schema_version"] = features.of_ints(features.SCHEMA_VERSION)
    feature["shape"] = features.of_ints(*image.shape)
    feature["inside"] = features.of_ints(*one.inside)
    for name in _INTS:
        feature[name] = features.of_ints(getattr(one, name))
    for name in (*_PER_CHANNEL, "spacing_mm"):
        feature[name] = features.of_floats(*getattr(one, name))
    feature["image"] = features.of_bytes(_pixels(image, one.low, one.high))
    if one.label_map is not None:
        content = np.ascontiguousarray(one.label_map, np.uint8).tobytes()
        feature["label_map"] = features.of_bytes(content)
    if one.quads:
        feature["quad_labels"] = features.of_ints(*one.quads)
        feature["quads"] = features.of_floats(*np.ravel(list(one.quads.values())))
    return tf.train.Example(features=tf.train.Features(feature=feature))


def _pixels(image: np.ndarray, low, high) -> bytes:
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    unit = (image - low) / np.where(high > low, high - low, 1)
    return np.round(np.clip(unit, 0, 1) * _TOP).astype("<u2").tobytes()


def parse(serialized: tf.Tensor, kind: SliceKind) -> dict[str, tf.Tensor]:
    """Parses one slice.

    Args:
        serialized: Scalar string, a serialized tf.train.Example.
        kind: `Index.crop_kind` of the records; its rows and columns are static if they are given.

    Returns:
        image [rows, columns, channels] float32, intensities as they were converted; label_map
        [rows, columns] int32, 0 where has_label_map, scalar bool, is false; valid [rows, columns]
        bool, false in the padding around a plain image; foreground [rows, columns] bool; low, high,
        mean, std, background [channels] float32; spacing_mm [3]; visit, days, position and
        num_positions, scalar int64; kind, key, subject, family, scan, case, label and view, scalar
        strings; quad_labels [quads] int64 and quads [quads, 4, 2] float32.
    """
    parsed = tf.io.parse_single_example(serialized, _specification(kind.num_channels))
    shape = [kind.rows, kind.columns]
    size = parsed.pop("shape")
    parsed["case"] = parsed["scan"]
    image = _decoded(parsed["image"], size, parsed["low"], parsed["high"])
    parsed["image"] = tf.ensure_shape(image, [*shape, kind.num_channels])
    valid = tf.ensure_shape(_valid(parsed.pop("inside"), size), shape)
    above = tf.reduce_any(parsed["image"] > parsed["background"], -1)
    parsed |= {"valid": valid, "foreground": valid & above}
    parsed["has_label_map"] = tf.strings.length(parsed["label_map"]) > 0
    label_map = _label_map(parsed["label_map"], parsed["has_label_map"], size[:2])
    parsed["label_map"] = tf.ensure_shape(label_map, shape)
    parsed["quads"] = tf.reshape(parsed["quads"], [-1, *_QUAD])
    return parsed


def _specification(num_channels: int) -> dict[str, tf.io.FixedLenFeature]:
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in (*_TEXT, "image")}
    spec["label_map"] = tf.io.FixedLenFeature([], tf.string, "")
    spec |= {name: tf.io.FixedLenFeature([], tf.int64) for name in (*_INTS, "schema_version")}
    spec |= {"shape": tf.io.FixedLenFeature([3], tf.int64)}
    spec |= {"inside": tf.io.FixedLenFeature([4], tf.int64)}
    spec |= {name: tf.io.FixedLenFeature([num_channels], tf.float32) for name in _PER_CHANNEL}
    for name, shape, dtype in (("quad_labels", [], tf.int64), ("quads", _QUAD, tf.float32)):
        spec[name] = tf.io.FixedLenSequenceFeature(shape, dtype, allow_missing=True)
    return spec | {"spacing_mm": tf.io.FixedLenFeature([3], tf.float32)}


def _decoded(content, size, low, high) -> tf.Tensor:
    pixels = tf.reshape(tf.io.decode_raw(content, tf.uint16, little_endian=True), size)
    return low + tf.cast(pixels, tf.float32) * ((high - low) / _TOP)


def _valid(inside: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    def along(axis):
        place = tf.range(size[axis])
        return (place >= inside[axis]) & (place < inside[axis] + inside[axis + 2])

    return along(0)[:, None] & along(1)[None]


def _label_map(content, is_there, size) -> tf.Tensor:
    def decoded():
        return tf.reshape(tf.cast(tf.io.decode_raw(content, tf.uint8), tf.int32), size)

    return tf.cond(is_there, decoded, lambda: tf.zeros(size, tf.int32))


def facts(example: tf.train.Example) -> dict:
    """Returns what an index holds of a slice: everything but pixels, as plain Python.

    `scan`, `visit` and `days` are lists of one, as of other kinds. `label_pixels` maps each label
    of the label map that the slice shows to its pixels (0 is no label), and is None without a
    label map. `foreground_pixels` counts those of the image itself.
    """
    feature = example.features.feature
    found: dict[str, Any] = {name: features.texts(feature[name])[0] for name in _TEXT}
    found |= {"scan": [found["scan"]], "case": found["scan"]}
    found |= {name: feature[name].int64_list.value[0] for name in ("position", "num_positions")}
    found |= {name: list(feature[name].int64_list.value) for name in ("visit", "days", "inside")}
    for name in (*_PER_CHANNEL, "spacing_mm"):
        found[name] = features.rounded(feature[name])
    sizes = feature["shape"].int64_list.value
    found |= dict(zip(("rows", "columns", "channels"), sizes, strict=True))
    found["label_pixels"] = _label_pixels(feature)
    found["foreground_pixels"] = _foreground_pixels(feature)
    return found


def _label_pixels(feature) -> dict[str, int] | None:
    if "label_map" not in feature:
        return None
    labels = np.frombuffer(feature["label_map"].bytes_list.value[0], np.uint8)
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    return {str(value): int(count) for value, count in zip(values, counts, strict=True)}


def _foreground_pixels(feature) -> int:
    low, high, background = (
        np.array(feature[name].float_list.value, np.float32)
        for name in ("low", "high", "background")
    )
    pixels = np.frombuffer(feature["image"].bytes_list.value[0], "<u2").astype(np.float32)
    image = low + pixels.reshape(feature["shape"].int64_list.value) * ((high - low) / _TOP)
    row, column, rows, columns = feature["inside"].int64_list.value
    return int(foreground(image, background)[row : row + rows, column : column + columns].sum())


def summary(rows: Iterable[Mapping[str, Any]]) -> dict:
    """Returns counts of the rows of an index, for the manifest.

    `label_counts` counts class names of images, `label_slices` and `label_pixels` the slices and
    pixels that show each label of the label maps.
    """
    rows = list(rows)
    slices, pixels = {}, {}
    for row in rows:
        for label, count in (row["label_pixels"] or {}).items():
            slices[label] = slices.get(label, 0) + 1
            pixels[label] = pixels.get(label, 0) + count
    labels, views = [row["label"] for row in rows], [row["view"] for row in rows]
    return {
        "label_counts": {name: labels.count(name) for name in sorted(set(labels))},
        "view_counts": {name: views.count(name) for name in sorted(set(views))},
        "num_cases": len({row["case"] for row in rows}),
        "label_slices": {label: slices[label] for label in sorted(slices, key=int)},
        "label_pixels": {label: pixels[label] for label in sorted(pixels, key=int)},
    }
