"""The one definition of every record: names, types, encoding and parsing.

`disc` is one disc of one scan with its gradings. `vertebra_pairs` is one vertebral body of one
subject at all its visits, in time order: two visits are one positive pair, three visits three, and
a single visit can only be the other side of a negative. Negatives are made in the batch and are
never stored. `disc_pairs` is the same of a disc, and `image_pairs` of plain 2-D images of one view
or landmark, which is their level. `disc_or_body` reads `disc` and `vertebra_pairs` together, each
crop in the shape of a disc: of a body the middle rows. `slice` is one 2-D image with its label or
label map, in a size of its own; see `slice_schema`.

Crops are uint16, little endian, over [0, 2]; a step is 3.1e-5, so rounding costs at most 1.6e-5.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf import gradings, header_facts
from spine_tf.data import crops, features, slice_schema

SCHEMA_VERSION = features.SCHEMA_VERSION
DISC = "disc"
VERTEBRA_PAIRS = "vertebra_pairs"
DISC_PAIRS = "disc_pairs"
IMAGE_PAIRS = "image_pairs"
SLICE = slice_schema.KIND
PAIRS = (VERTEBRA_PAIRS, DISC_PAIRS, IMAGE_PAIRS)  # kinds that hold all visits
DISC_OR_BODY = "disc_or_body"
JOINED = {DISC_OR_BODY: (DISC, VERTEBRA_PAIRS)}  # kinds that are read together
# The size of plain images is a setting of a data set: see `crop_kind`.
CROP_KINDS = {DISC: crops.DISC, VERTEBRA_PAIRS: crops.VERTEBRA, DISC_PAIRS: crops.DISC}
CROP_KINDS |= {kind: CROP_KINDS[parts[0]] for kind, parts in JOINED.items()}

_UINT16_PER_UNIT = 65535 / crops.MAX_INTENSITY
_GRADING_PREFIX = "grading/"
_HEADER_PREFIX = "header/"
# Of a subject and a level.
_TEXT = ("kind", "key", "subject", "family", "level")
# Of a visit: a list as long as there are visits (one in a `disc` record).
_VISIT_TEXT = ("scan", "image", "pixel_is_valid")
_VISIT_INTS = ("visit", "days")
_VISIT_FLOATS = ("field_strength_t", "slice_pitch_mm", "width_mm", "angle_deg", "median")
_VISIT_VECTORS = {"spacing_mm": 3, "corners_mm": 12}
_PER_VISIT = (*_VISIT_TEXT, *_VISIT_INTS, *_VISIT_FLOATS, *_VISIT_VECTORS, "slice_is_valid")
# Of a visit where it was asked for: class indices, see `spine_tf.header_facts`.
_VISIT_HEADER = tuple(_HEADER_PREFIX + name for name in header_facts.FACTS)


@dataclasses.dataclass(frozen=True)
class Crop:
    """One crop of one visit with the facts that go with it.

    A plain image has no geometry: its spacing, pitch, width, angle and corners are 0.

    Attributes:
        subject: Pseudonym of the subject.
        family: Pseudonym of the family.
        scan: Pseudonym of the scan.
        visit: 0-based visit of the subject.
        days: Days since the subject's first study.
        field_strength_t: Tesla; 0 is unknown.
        level: Published name of the vertebra or disc; view or landmark of a plain image.
        image: [15, rows, columns] float32 in [0, 2]; a plain image has 1 slice.
        slice_is_valid: [15] bool, False where the scan has no such slice.
        pixel_is_valid: [rows, columns] bool, False outside the scan.
        spacing_mm: [3] distance between slices, rows and columns of the scan.
        slice_pitch_mm: Distance between the slices of the crop.
        width_mm: Width of the body or disc.
        angle_deg: Angle of the crop in the slice.
        median: Intensity that became 0.5.
        corners_mm: [4, 3] the quad, LPS mm.
        grades: Grading name -> published grade; of discs only.
        header_facts: Name of a fact -> class index, of the facts that were asked for.
    """

    subject: str
    family: str
    scan: str
    visit: int
    days: int
    field_strength_t: float
    level: str
    image: np.ndarray
    slice_is_valid: np.ndarray
    pixel_is_valid: np.ndarray
    spacing_mm: np.ndarray
    slice_pitch_mm: float
    width_mm: float
    angle_deg: float
    median: float
    corners_mm: np.ndarray
    grades: Mapping[str, int] = dataclasses.field(default_factory=dict)
    header_facts: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)


def encode_pixels(image: np.ndarray) -> bytes:
    """Returns the bytes of a float32 crop in [0, 2] as little-endian uint16."""
    return np.round(np.asarray(image) * _UINT16_PER_UNIT).astype("<u2").tobytes()


def decode_pixels(content: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    """Returns the float32 crop of bytes [...]; `shape` is that of one crop."""
    return to_intensity(_decode_uint16(content, shape))


def _decode_uint16(content: tf.Tensor, shape: Sequence[int]) -> tf.Tensor:
    pixels = tf.io.decode_raw(content, tf.uint16, little_endian=True)
    return tf.reshape(pixels, tf.concat([tf.shape(content), shape], 0))


def to_intensity(pixels: tf.Tensor) -> tf.Tensor:
    """Returns stored pixels, uint16, as float32 in [0, 2]."""
    return tf.cast(pixels, tf.float32) / _UINT16_PER_UNIT


def stored_pixels(content: bytes, shape: Sequence[int]) -> np.ndarray:
    """Returns the crop of `encode_pixels` as it is stored, uint16; it shares the memory."""
    return np.frombuffer(content, "<u2").reshape(shape)


def intensity(pixels: np.ndarray) -> np.ndarray:
    """Returns stored pixels, or means of them, in [0, 2]."""
    return pixels / _UINT16_PER_UNIT


def encode(kind: str, crop: Crop) -> tf.train.Example:
    """Returns the record of one crop: a `disc`, or one of `PAIRS` with one visit."""
    key = "/".join([crop.subject, str(crop.visit), crop.level])
    texts = {
        "kind": kind,
        "key": key if kind == DISC else f"{crop.subject}/{crop.level}",
        "subject": crop.subject,
        "family": crop.family,
        "level": crop.level,
        "scan": crop.scan,
    }
    feature = {name: features.of_bytes(text.encode()) for name, text in texts.items()}
    feature["schema_version"] = features.of_ints(SCHEMA_VERSION)
    feature["image"] = features.of_bytes(encode_pixels(crop.image))
    feature["pixel_is_valid"] = features.of_bytes(
        np.asarray(crop.pixel_is_valid, np.uint8).tobytes()
    )
    feature["slice_is_valid"] = features.of_ints(*crop.slice_is_valid)
    for name in _VISIT_INTS:
        feature[name] = features.of_ints(getattr(crop, name))
    for name in _VISIT_FLOATS:
        feature[name] = features.of_floats(getattr(crop, name))
    for name in _VISIT_VECTORS:
        feature[name] = features.of_floats(*np.ravel(getattr(crop, name)))
    for name, found in crop.header_facts.items():
        feature[_HEADER_PREFIX + name] = features.of_ints(found)
    if kind == DISC:
        for name in gradings.GRADINGS:
            grade = crop.grades.get(name, gradings.NOT_GRADED)
            gradings.GRADINGS[name].class_index(grade)  # raises on a grade that cannot be
            feature[_GRADING_PREFIX + name] = features.of_ints(grade)
    return tf.train.Example(features=tf.train.Features(feature=feature))


def _header_value(example: tf.train.Example, name: str) -> int:
    feature = example.features.feature
    return feature[name].int64_list.value[0] if name in feature else header_facts.UNKNOWN


def merge_visits(examples: Sequence[tf.train.Example]) -> tf.train.Example:
    """Joins records of one subject and level into one, in time order.

    Raises:
        ValueError: If two of them have different keys or the same visit.
    """
    examples = sorted(examples, key=lambda e: e.features.feature["visit"].int64_list.value[0])
    keys = {e.features.feature["key"].bytes_list.value[0] for e in examples}
    visits = [e.features.feature["visit"].int64_list.value[0] for e in examples]
    if len(keys) != 1 or len(set(visits)) != len(visits):
        raise ValueError(f"`examples` must be visits of one body, got {keys} at {visits}.")
    merged = tf.train.Example()
    merged.CopyFrom(examples[0])
    for example in examples[1:]:
        for name in _PER_VISIT:
            merged.features.feature[name].MergeFrom(example.features.feature[name])
    for name in _VISIT_HEADER:
        if any(name in example.features.feature for example in examples):
            values = (_header_value(example, name) for example in examples)
            merged.features.feature[name].CopyFrom(features.of_ints(*values))
    return merged


def crop_kind(kind: str, settings: Mapping[str, Any]) -> crops.CropKind | slice_schema.SliceKind:
    """Returns how the records of one kind were cropped.

    Args:
        kind: Kind of record.
        settings: Those in the data set's manifest; of plain images image_rows and image_columns.
    """
    return slice_schema.slice_kind(settings) if kind == SLICE else stored_kind(kind, settings)


def stored_kind(kind: str, settings: Mapping[str, Any]) -> crops.CropKind:
    """Returns how the records of one kind, not slices, were cropped; see `crop_kind`."""
    if kind == IMAGE_PAIRS:
        return crops.image_kind(settings["image_rows"], settings["image_columns"])
    return CROP_KINDS[kind]


def _specification(kind: str, num_slices: int) -> dict[str, tf.io.FixedLenFeature]:
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in _TEXT}
    spec["schema_version"] = tf.io.FixedLenFeature([], tf.int64)

    def per_visit(shape, dtype):
        return tf.io.FixedLenSequenceFeature(shape, dtype, allow_missing=True)

    spec |= {name: per_visit([], tf.string) for name in _VISIT_TEXT}
    spec |= {name: per_visit([], tf.int64) for name in _VISIT_INTS}
    spec |= {name: per_visit([], tf.float32) for name in _VISIT_FLOATS}
    spec |= {name: per_visit([size], tf.float32) for name, size in _VISIT_VECTORS.items()}
    spec |= {name: per_visit([], tf.int64) for name in _VISIT_HEADER}
    spec["slice_is_valid"] = per_visit([num_slices], tf.int64)
    if kind in (DISC, DISC_OR_BODY):
        for name in gradings.GRADINGS:
            spec[_GRADING_PREFIX + name] = tf.io.FixedLenFeature([], tf.int64, gradings.NOT_GRADED)
    return spec


def parse(
    kind: str,
    serialized: tf.Tensor,
    crop_scale: float,
    crop_kind: crops.CropKind | slice_schema.SliceKind | None = None,
) -> dict[str, tf.Tensor]:
    """Parses one record.

    Args:
        kind: DISC, one of PAIRS or of JOINED, or SLICE, for which see `slice_schema.parse`.
        serialized: Scalar string, a serialized tf.train.Example.
        crop_scale: The data set's crop scale; it fixes the shape of a crop.
        crop_kind: How it was cropped, see `Index.crop_kind`; only `image_pairs` and `slice` need
            it.

    Returns:
        The features by name. Of PAIRS and JOINED everything of a visit has a leading axis of
        visits; of `disc` it has none. image is [15, rows, columns] float32 in [0, 2],
        pixel_is_valid [rows, columns] bool, slice_is_valid [15] bool; a plain image has 1 slice.
        Gradings are "grading/NAME", int64, as published, -1 = not graded. What a header told is
        "header/NAME", int64, a class index, -1 = not known or not asked for.
    """
    if isinstance(crop_kind, slice_schema.SliceKind):
        return slice_schema.parse(serialized, crop_kind)
    shape = (crop_kind or CROP_KINDS[kind]).stored_shape(crop_scale)
    parsed = tf.io.parse_single_example(serialized, _specification(kind, shape[0]))
    for name in _VISIT_HEADER:
        absent = tf.size(parsed["visit"]) - tf.size(parsed[name])
        parsed[name] = tf.pad(parsed[name], [[0, absent]], constant_values=header_facts.UNKNOWN)
    rows = _stored_rows(parsed["kind"], kind, crop_scale) if kind in JOINED else shape[1]
    image = decode_pixels(parsed["image"], [shape[0], rows, shape[2]])
    parsed["image"] = _middle_rows(image, [None, *shape])
    valid = tf.io.decode_raw(parsed["pixel_is_valid"], tf.uint8)
    valid = tf.reshape(valid, [-1, rows, shape[2]]) > 0
    parsed["pixel_is_valid"] = _middle_rows(valid, [None, *shape[1:]])
    parsed["slice_is_valid"] = parsed["slice_is_valid"] > 0
    if kind == DISC:
        for name in (*_PER_VISIT, *_VISIT_HEADER):
            parsed[name] = parsed[name][0]
    return parsed


def parse_disc_pixels(serialized: tf.Tensor, crop_scale: float) -> dict[str, tf.Tensor]:
    """Parses the pixels of many `disc` records at once, for serving.

    One operation parses them all, and what a model does not look at stays unparsed: that takes a
    tenth of the time of `parse` on one record after the other.

    Args:
        serialized: [batch] string, each a serialized tf.train.Example.
        crop_scale: The data set's crop scale; it fixes the shape of a crop.

    Returns:
        pixels [batch, 15, rows, columns] uint16, for `to_intensity`; key and level [batch] string.
        Running it refuses records of another kind or schema.
    """
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in ("kind", "key", "level")}
    spec["schema_version"] = tf.io.FixedLenFeature([], tf.int64)
    # A list, so that a record with more visits is refused for its kind and not for its length.
    spec["image"] = tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True)
    parsed = tf.io.parse_example(serialized, spec)
    versions, kinds = parsed["schema_version"], parsed["kind"]
    rules = [
        tf.debugging.Assert(
            tf.reduce_all(versions == SCHEMA_VERSION),
            [f"`schema_version` must be {SCHEMA_VERSION}, got", versions],
        ),
        tf.debugging.Assert(
            tf.reduce_all(kinds == DISC), [f"`kind` must be {DISC}, got", kinds], summarize=10
        ),
    ]
    with tf.control_dependencies(rules):
        content = tf.reshape(parsed["image"], tf.shape(kinds))
    pixels = _decode_uint16(content, CROP_KINDS[DISC].stored_shape(crop_scale))
    return {"pixels": pixels, "key": parsed["key"], "level": parsed["level"]}


def _stored_rows(record_kind: tf.Tensor, joined: str, crop_scale: float) -> tf.Tensor:
    """Rows of a stored crop, by the kind of its record."""
    parts = JOINED[joined]
    rows = [CROP_KINDS[part].stored_shape(crop_scale)[1] for part in parts]
    return tf.gather(rows, tf.argmax(tf.constant(parts) == record_kind, output_type=tf.int32))


def _middle_rows(stacked: tf.Tensor, shape: Sequence[int | None]) -> tf.Tensor:
    """Returns the middle rows of [..., rows, columns]; `shape` is that of the result."""
    begin = (tf.shape(stacked)[-2] - shape[-2]) // 2
    return tf.ensure_shape(stacked[..., begin : begin + shape[-2], :], shape)


def class_index(parsed: Mapping[str, tf.Tensor], grading: str) -> tf.Tensor:
    """Returns the class index of a parsed record's grade, -1 where it was not graded."""
    grade = parsed[_GRADING_PREFIX + grading]
    first = gradings.from_name(grading).first_grade
    return tf.cast(tf.where(grade == gradings.NOT_GRADED, grade, grade - first), tf.int32)


def facts(example: tf.train.Example) -> dict:
    """Returns what an index holds of a record: everything but pixels, as plain Python.

    `slice_mean` is the mean of every slice over its valid pixels, per visit; None where the scan
    has no such slice. `header_facts` is there where a header told something: name -> class index
    per visit, -1 = not known.
    """
    feature = example.features.feature
    if feature["kind"].bytes_list.value[0] == SLICE.encode():
        return slice_schema.facts(example)
    found = {name: feature[name].bytes_list.value[0].decode() for name in _TEXT}
    found["scan"] = [scan.decode() for scan in feature["scan"].bytes_list.value]
    found |= {name: list(feature[name].int64_list.value) for name in _VISIT_INTS}
    for name in (*_VISIT_FLOATS, "spacing_mm"):
        found[name] = [round(value, 4) for value in feature[name].float_list.value]
    found["grades"] = {
        name[len(_GRADING_PREFIX) :]: feature[name].int64_list.value[0]
        for name in sorted(feature)
        if name.startswith(_GRADING_PREFIX)
        and feature[name].int64_list.value[0] != gradings.NOT_GRADED
    }
    header = {
        name: list(feature[name].int64_list.value) for name in _VISIT_HEADER if name in feature
    }
    known = {name: facts for name, facts in header.items() if max(facts) != header_facts.UNKNOWN}
    if known:
        found["header_facts"] = {
            name[len(_HEADER_PREFIX) :]: facts for name, facts in known.items()
        }
    found["slice_mean"] = _slice_means(feature)
    return found


def _mean_inside(pixels: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Mean of every row but for some columns, 0 of no column; sums of integers are exact."""
    # Few columns are outside, and taking the others out would copy the crop.
    total, less = (part.sum(1, dtype=np.int64) for part in (pixels, pixels[:, outside]))
    return (total - less) / max(1, outside.size - np.count_nonzero(outside))


def _slice_means(feature) -> list[list[float | None]]:
    num_visits = len(feature["visit"].int64_list.value)
    valid = np.reshape(feature["slice_is_valid"].int64_list.value, [num_visits, -1])
    num_slices, means = valid.shape[1], []
    for visit, content in enumerate(feature["image"].bytes_list.value):
        pixels = stored_pixels(content, [num_slices, -1])
        outside = np.frombuffer(feature["pixel_is_valid"].bytes_list.value[visit], np.uint8) == 0
        mean = intensity(_mean_inside(pixels, outside))
        means.append(
            [round(float(m), 5) if ok else None for m, ok in zip(mean, valid[visit], strict=True)]
        )
    return means
