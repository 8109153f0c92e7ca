"""All records of one scan: its vertebral bodies and its discs, cropped and encoded."""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from spine_tf import levels, vertebrae, volume
from spine_tf.data import crops, schema

_SIGNATURE = [
    tf.TensorSpec([None, None, None], tf.float32),
    tf.TensorSpec([4, 4], tf.float64),
    tf.TensorSpec([None, 4, 3], tf.float64),
    tf.TensorSpec([None, 4, 3], tf.float64),
]


@functools.cache
def _compiled(name: str, scale: float):
    """Returns one of the crop functions as a graph that takes any scan."""
    functions = {
        "vertebrae": lambda v, a, bodies, unused: crops.crop_vertebrae(v, a, bodies, scale=scale),
        "discs": lambda v, a, upper, lower: crops.crop_discs(v, a, upper, lower, scale=scale),
        "marked": lambda v, a, disc, beside: crops.crop_marked_discs(
            v, a, disc, beside, scale=scale
        ),
    }
    return tf.function(functions[name], input_signature=_SIGNATURE)


def _cut(name: str, scan: volume.Volume, scale: float, first, second) -> dict[str, np.ndarray]:
    found = _compiled(name, scale)(scan.array, scan.affine, np.stack(first), np.stack(second))
    return {key: value.numpy() for key, value in found.items()}


def columns(annotation: vertebrae.Annotation) -> list[list[vertebrae.Vertebra]]:
    """Returns runs of neighbouring vertebrae between T12 and S1, each from head to foot.

    A run of one vertebra is left out: it has no neighbour to take its intensity from.
    """
    runs: list[list[vertebrae.Vertebra]] = []
    for vertebra in annotation.vertebrae:
        level = vertebra.known_level
        if level.order < levels.VertebraLevel.T12.order:
            continue
        if runs and levels.DiscLevel.between(runs[-1][-1].known_level, level):
            runs[-1].append(vertebra)
        else:
            runs.append([vertebra])
    return [run for run in runs if len(run) > 1]


def _crops_of(
    found: Mapping[str, np.ndarray], names: Sequence[str], corners, scan: volume.Volume
) -> dict[str, dict]:
    pitch_mm = max(float(scan.spacing_mm[0]), crops.MIN_SLICE_PITCH_MM)
    return {
        name: {
            "level": name,
            "image": found["image"][i],
            "slice_is_valid": found["slice_is_valid"][i],
            "pixel_is_valid": found["pixel_is_valid"][i],
            "spacing_mm": scan.spacing_mm,
            "slice_pitch_mm": pitch_mm,
            "width_mm": found["width_mm"][i],
            "angle_deg": found["angle_deg"][i],
            "median": found["median"][i],
            "corners_mm": corners[i],
        }
        for i, name in enumerate(names)
    }


def vertebra_crops(
    scan: volume.Volume, annotation: vertebrae.Annotation, scale: float
) -> dict[str, dict]:
    """Returns level name -> fields of `schema.Crop`, for T12 to S1 where annotated."""
    found = {}
    for run in columns(annotation):
        corners = [vertebra.corners_mm for vertebra in run]
        cut = _cut("vertebrae", scan, scale, corners, corners)
        found |= _crops_of(cut, [v.known_level.value for v in run], corners, scan)
    lumbar = {level.value for level in levels.LUMBAR_VERTEBRAE}
    return {name: crop for name, crop in found.items() if name in lumbar}


def _discs(run: list[vertebrae.Vertebra]) -> list[levels.DiscLevel]:
    """The discs between the vertebrae of a run."""
    found = [
        levels.DiscLevel.between(upper.known_level, lower.known_level)
        for upper, lower in itertools.pairwise(run)
    ]
    return [disc for disc in found if disc is not None]


def disc_crops(
    scan: volume.Volume, annotation: vertebrae.Annotation, scale: float
) -> dict[str, dict]:
    """Returns disc name -> fields of `schema.Crop`: between neighbours, or from its own quad."""
    found = {}
    for run in columns(annotation):
        upper = [vertebra.corners_mm for vertebra in run[:-1]]
        lower = [vertebra.corners_mm for vertebra in run[1:]]
        names = [disc.value for disc in _discs(run)]
        corners = crops.disc_corners_mm(np.stack(upper), np.stack(lower)).numpy()
        found |= _crops_of(_cut("discs", scan, scale, upper, lower), names, corners, scan)
    by_level = annotation.by_level
    for disc, corners_mm in annotation.disc_corners_mm.items():
        beside = by_level.get(disc.upper) or by_level.get(disc.lower)
        if disc.value not in found and beside is not None:
            cut = _cut("marked", scan, scale, [corners_mm], [beside.corners_mm])
            found |= _crops_of(cut, [disc.value], [corners_mm], scan)
    return found


def encode_scan(
    scan: volume.Volume,
    annotation: vertebrae.Annotation,
    identity: Mapping,
    grades: Mapping[str, Mapping[str, int]],
    scale: float,
    disc_pairs: bool = False,
) -> dict[str, list[tf.train.Example]]:
    """Crops and encodes one scan.

    Args:
        scan: The scan.
        annotation: Its vertebrae.
        identity: subject, family, scan, visit, days, field_strength_t and header_facts of
            `schema.Crop`.
        grades: Disc name -> grading -> published grade.
        scale: Crop scale, 1 or 0.5.
        disc_pairs: Whether to make `disc_pairs`, too.

    Returns:
        Kind of record -> records; those of pairs hold one visit.

    Raises:
        ValueError: If no crop can be cut, or one has no intensity to be normalised by.
    """
    # One after the other: the crops of both at once would take twice the memory.
    examples = _encode_discs(scan, annotation, identity, grades, scale, disc_pairs)
    bodies = _checked(vertebra_crops(scan, annotation, scale))
    examples[schema.VERTEBRA_PAIRS] = _pairs(schema.VERTEBRA_PAIRS, bodies.values(), identity)
    return examples


def _encode_discs(scan, annotation, identity, grades, scale: float, disc_pairs: bool) -> dict:
    discs = _checked_discs(scan, annotation, scale)
    examples = {schema.DISC: _disc_examples(discs, identity, grades)}
    if disc_pairs:
        lumbar = {disc.value for disc in levels.LUMBAR_DISCS}
        found = (crop for name, crop in discs.items() if name in lumbar)
        examples[schema.DISC_PAIRS] = _pairs(schema.DISC_PAIRS, found, identity)
    return examples


def encode_discs(
    scan: volume.Volume,
    annotation: vertebrae.Annotation,
    identity: Mapping,
    grades: Mapping[str, Mapping[str, int]],
    scale: float,
) -> list[tf.train.Example]:
    """Crops and encodes the discs of one scan alone; see `encode_scan`."""
    return _disc_examples(_checked_discs(scan, annotation, scale), identity, grades)


def _disc_examples(discs: Mapping[str, Mapping], identity: Mapping, grades: Mapping) -> list:
    return [
        schema.encode(schema.DISC, schema.Crop(**identity, **crop, grades=grades.get(name, {})))
        for name, crop in discs.items()
    ]


def _checked_discs(scan, annotation, scale: float) -> dict[str, dict]:
    discs = disc_crops(scan, annotation, scale)
    if not discs:
        raise ValueError("`vertebrae` must hold two neighbours between T12 and S1, got none.")
    return _checked(discs)


def _checked(found: dict[str, dict]) -> dict[str, dict]:
    """Crops that all have an intensity to be normalised by."""
    for name, crop in found.items():
        if not np.isfinite(crop["median"]):
            raise ValueError(
                f"the vertebrae beside {name} must lie inside the scan and be brighter than 0, got"
                " none of their voxels. Is the annotation of another series?"
            )
    return found


def _pairs(kind: str, found: Iterable[Mapping], identity: Mapping) -> list[tf.train.Example]:
    return [schema.encode(kind, schema.Crop(**identity, **crop)) for crop in found]
