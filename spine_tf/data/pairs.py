"""Pairs of vertebral bodies: which positives an epoch holds, and negatives within a batch.

A positive is one subject and one level at two visits. A negative takes the earlier visit of one
subject and the later visit of another: same level, another family, and the same pair of field
strengths as the positive it is made from, so that neither level nor scanner tells the label.
Source: Jamaludin 2017, section 3.1; methods 1.6, P2, P3 and P5.
"""

import itertools
import math

import numpy as np
import tensorflow as tf

from spine_tf.data import records

DEFAULT_MIN_INTERVAL_DAYS = 180
_GROUP = 4  # positives of one level that stand together in a batch


def group_size(num_positives: int) -> int:
    """Returns how many positives of one level stand together: 4, or 2 where 4 does not divide."""
    return math.gcd(_GROUP, num_positives)


def positives(index: records.Index, min_interval_days: int) -> np.ndarray:
    """Returns every pair of visits of every record, in time order.

    Args:
        index: `vertebra_pairs` records.
        min_interval_days: Visits closer than this are no pair.

    Returns:
        [pairs, 3] int32: record, earlier visit, later visit (positions in the record).
    """
    found = [
        (number, first, second)
        for number, row in enumerate(index.rows)
        for first, second in itertools.combinations(range(len(row["visit"])), 2)
        if row["days"][second] - row["days"][first] >= min_interval_days
    ]
    return np.asarray(found, np.int32).reshape(-1, 3)


def plan(pairs: np.ndarray, levels: np.ndarray, num_positives: int, seed: int) -> np.ndarray:
    """Plans one epoch: every positive once, standing in groups of one level.

    Args:
        pairs: [pairs, 3] from `positives`.
        levels: [pairs] level of each pair, any integer code.
        num_positives: Positives per step.
        seed: Another seed is another order.

    Returns:
        [steps, num_positives, 3] int32. Groups and the last step are filled up with further
        positives of the same levels.
    """
    rng = np.random.default_rng(seed)
    size = group_size(num_positives)
    groups = []
    for level in np.unique(levels):
        members = rng.permutation(np.flatnonzero(levels == level))
        groups.append(np.resize(members, (-(-len(members) // size), size)))
    if not groups:
        return np.zeros((0, num_positives, 3), np.int32)
    order = rng.permutation(np.concatenate(groups)).ravel()
    num_steps = -(-len(order) // num_positives)
    return pairs[np.resize(order, (num_steps, num_positives))]


def negative_partners(
    level: tf.Tensor, family: tf.Tensor, second_field_t: tf.Tensor, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Draws, for every positive, the one whose later visit makes a negative with its earlier.

    It is drawn from the positive's own group, so that a batch can be split over devices between
    groups.

    Args:
        level: [batch] level code.
        family: [batch] family, any type that compares.
        second_field_t: [batch] field strength of the later visit.
        seed: [2] int32.

    Returns:
        partner [batch] int32 positions in the batch, and exists [batch] bool.
    """
    count = level.shape[0]
    group = tf.range(count) // group_size(count)
    allowed = (
        (group[:, None] == group[None])
        & (level[:, None] == level[None])
        & (family[:, None] != family[None])
        & (second_field_t[:, None] == second_field_t[None])
    )
    draws = tf.random.stateless_uniform(tf.shape(allowed), seed)
    partner = tf.argmax(tf.where(allowed, draws, -1.0), 1, tf.int32)
    return partner, tf.reduce_any(allowed, 1)
