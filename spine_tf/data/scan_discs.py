"""The discs of an annotated scan as network inputs: what the `scan` signature does in its graph.

The rules are those of conversion: discs from T12-L1 downwards, between neighbours that are both
annotated. What `vertebrae.Annotation` and `volume.Volume` check is checked again here, because a
client of a served model has neither.
"""

import tensorflow as tf

from spine_tf import geometry, levels
from spine_tf.data import augmentation, crops

INPUTS = (
    tf.TensorSpec([None, None, None], tf.uint16, "volume"),
    tf.TensorSpec([4, 4], tf.float64, "affine"),
    tf.TensorSpec([None, 4, 3], tf.float64, "corners_mm"),
    tf.TensorSpec([None], tf.string, "levels"),
)

_VERTEBRAE = tuple(level.value for level in levels.VertebraLevel)
_DISCS = tuple(
    disc for disc in levels.DiscLevel if disc.upper.order >= levels.LUMBAR_VERTEBRAE[0].order
)
_SUMMARISE = 32


def cut(
    volume: tf.Tensor,
    affine: tf.Tensor,
    corners_mm: tf.Tensor,
    names: tf.Tensor,
    inputs: augmentation.InputConfig,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts the discs between annotated neighbours, as conversion and training do.

    Args:
        volume: [slices, rows, columns] canonical sagittal scan, any real type.
        affine: [4, 4] float64, index (slice, row, column) to DICOM patient mm (LPS).
        corners_mm: [vertebrae, 4, 3] float64, LPS, `vertebrae.CORNER_ORDER`, in any order.
        names: [vertebrae] string, the level of each.
        inputs: Crop scale of the data and of the network.

    Returns:
        Names of the discs [discs] string, head to foot, and crops [discs, 9, rows, columns]
        float32 in [0, 2] at the network's scale.

    Raises:
        tf.errors.InvalidArgumentError: When run, if the affine is not canonical, a level is unknown
            or named twice, corners run in another order, there are no two neighbours, or
            vertebrae lie outside the scan. The message says which.
    """
    with tf.control_dependencies(_affine_rules(affine)):
        affine = tf.identity(affine)
    upper_mm, lower_mm, disc = _neighbours(corners_mm, names)
    found = crops.crop_discs(
        tf.cast(volume, tf.float32),
        affine,
        upper_mm,
        lower_mm,
        scale=inputs.stored_scale,
        stored=False,
    )
    inside = tf.math.is_finite(found["median"])
    rule = _rule(
        tf.reduce_all(inside),
        "the vertebrae beside these discs must lie inside the scan and be brighter than 0 (are"
        " corners and affine of the same series?)",
        tf.boolean_mask(disc, ~inside),
    )
    with tf.control_dependencies([rule]):
        return disc, crops.reduce_scale(found["image"], inputs.reduction)


def _rule(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(condition, [message, *values], _SUMMARISE)


def _affine_rules(affine: tf.Tensor) -> list[tf.Operation]:
    """What `geometry.is_canonical` says, in the graph."""
    largest = tf.argmax(tf.abs(affine[:3, :3]), 0, tf.int32)
    signs = tf.sign(
        tf.stack([affine[axis, i] for i, (axis, _) in enumerate(geometry.CANONICAL_AXES)])
    )
    canonical = tf.reduce_all(largest == [axis for axis, _ in geometry.CANONICAL_AXES])
    canonical &= tf.reduce_all(signs == [sign for _, sign in geometry.CANONICAL_AXES])
    return [
        _rule(
            canonical & tf.reduce_all(tf.math.is_finite(affine)),
            "`affine` must be canonical (slices right to left, rows head to foot, columns front to"
            " back, LPS mm), got",
            affine,
        )
    ]


def _neighbours(corners_mm: tf.Tensor, names: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Corners above and below each disc [discs, 4, 3], and the discs' names, head to foot."""
    is_level = names[:, None] == tf.constant(_VERTEBRAE)[None, :]  # [vertebrae, levels]
    with tf.control_dependencies(_annotation_rules(corners_mm, names, is_level)):
        order = tf.argmax(is_level, 1, tf.int32)
    by_order = tf.argsort(order, stable=True)
    order, corners_mm = tf.gather(order, by_order), tf.gather(corners_mm, by_order)
    upper = tf.constant([disc.upper.order for disc in _DISCS])
    lower = tf.constant([disc.lower.order for disc in _DISCS])
    is_disc = (order[:-1, None] == upper) & (order[1:, None] == lower)  # [vertebrae - 1, discs]
    exists = tf.reduce_any(is_disc, 1)
    height_mm = tf.reduce_mean(corners_mm[..., 2], 1)
    rules = [
        _rule(
            tf.reduce_all(height_mm[1:] < height_mm[:-1]),
            "`corners_mm` must run from head to foot in the order of `levels`, got these mean z",
            height_mm,
        ),
        _rule(
            tf.reduce_any(exists),
            f"`levels` must name two neighbouring vertebrae from {_DISCS[0].upper.value} to"
            f" {_DISCS[-1].lower.value}, got",
            names,
        ),
    ]
    with tf.control_dependencies(rules):
        exists = tf.identity(exists)
    disc = tf.gather([disc.value for disc in _DISCS], tf.argmax(is_disc, 1))
    return (
        tf.boolean_mask(corners_mm[:-1], exists),
        tf.boolean_mask(corners_mm[1:], exists),
        tf.boolean_mask(disc, exists),
    )


def _annotation_rules(corners_mm, names, is_level) -> list[tf.Operation]:
    """What holds for each vertebra: what `vertebrae.Annotation` says, in the graph."""
    known = tf.reduce_any(is_level, 1)
    count = tf.reduce_sum(tf.cast(is_level, tf.int32), 0)
    back, foot = corners_mm[..., 1], -corners_mm[..., 2]
    area_mm2 = tf.reduce_sum(back * tf.roll(foot, -1, 1) - tf.roll(back, -1, 1) * foot, 1) / 2
    return [
        tf.debugging.assert_equal(
            tf.shape(corners_mm)[0],
            tf.size(names),
            "`corners_mm` and `levels` must be of the same vertebrae",
        ),
        _rule(
            tf.reduce_all(known),
            f"`levels` must be among {', '.join(_VERTEBRAE)}, got",
            tf.boolean_mask(names, ~known),
        ),
        _rule(
            tf.reduce_all(count <= 1),
            "`levels` must name each vertebra once, got more than once",
            tf.boolean_mask(tf.constant(_VERTEBRAE), count > 1),
        ),
        _rule(
            tf.reduce_all(area_mm2 > 0),
            "`corners_mm` must run anterior-superior, posterior-superior, posterior-inferior,"
            " anterior-inferior (LPS mm); these areas in mm2 must be positive",
            area_mm2,
        ),
    ]
