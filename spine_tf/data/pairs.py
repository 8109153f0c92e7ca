"""Pairs over time: which positives an epoch holds, and which pairs of a batch count.

A positive is one subject and one level at two visits. A negative takes the earlier visit of one
subject and the later visit of another: same level, another family, a later visit in number and by
as many days as a positive must be, and a pair of field strengths that a positive of that level has,
so that neither level nor scanner nor time tells the label.
Source: Jamaludin 2017, section 3.1; methods 1.6, P2, P3 and P5.
"""

import dataclasses
import itertools
import math

import numpy as np
import tensorflow as tf

from spine_tf.data import records

DEFAULT_MIN_INTERVAL_DAYS = 180
EARLIER, LATER = 0, 1
SAMPLED, ALL = "sampled", "all"
_GROUP = 4  # positives of one level that stand together in a batch
_SINGLES = 2  # places of a group that baseline-only subjects take


def positives(index: records.Index, min_interval_days: int) -> np.ndarray:
    """Returns every pair of visits of every record, in time order.

    Args:
        index: Records with an axis of visits.
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


def have_negatives(index: records.Index, found: np.ndarray) -> bool:
    """Whether two families have a positive of one level and one pair of field strengths.

    Args:
        index: The records.
        found: [pairs, 3] from `positives`.
    """
    families: dict[tuple, set[str]] = {}
    for record, *visits in found:
        row = index.rows[record]
        stratum = (row["level"], *(row["field_strength_t"][visit] for visit in visits))
        families.setdefault(stratum, set()).add(row["family"])
    return any(len(members) > 1 for members in families.values())


@dataclasses.dataclass(frozen=True)
class Members:
    """What an epoch is planned from.

    Attributes:
        pairs: [pairs, 3] from `positives`.
        pair_levels: [pairs] level of each, any integer code.
        singles: [singles] records of baseline-only subjects; empty where they are not wanted.
        single_levels: [singles] level of each.
    """

    pairs: np.ndarray
    pair_levels: np.ndarray
    singles: np.ndarray
    single_levels: np.ndarray


def plan(members: Members, batch_size: int, seed: int) -> np.ndarray:
    """Plans one epoch: every positive once, standing in groups of one level.

    Args:
        members: The positives, and the records of baseline-only subjects.
        batch_size: Crops per step, a multiple of 4; of 8 where there are singles.
        seed: Another seed is another order.

    Returns:
        [steps, batch_size, 3] int32: record, visit, side (EARLIER or LATER). The two members of a
        positive are neighbours. Groups and the last step are filled up with further positives of
        the same levels.

    Raises:
        ValueError: If `batch_size` is not such a multiple.
    """
    least = 2 * _GROUP if len(members.singles) else _GROUP
    if batch_size < least or batch_size % least:
        reason = " with baseline-only subjects" if len(members.singles) else ""
        raise ValueError(
            f"`batch_size` must be a multiple of {least} crops{reason}, got {batch_size!r}."
        )
    rng = np.random.default_rng(seed)
    group_size = math.gcd(2 * _GROUP, batch_size)
    groups = [_groups(members, level, group_size, rng) for level in np.unique(members.pair_levels)]
    if not groups:
        return np.zeros((0, batch_size, 3), np.int32)
    order = rng.permutation(np.concatenate(groups)).reshape(-1, 3)
    num_steps = -(-len(order) // batch_size)
    return np.resize(order, (num_steps, batch_size, 3)).astype(np.int32)


def _groups(members: Members, level: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Groups of one level, [groups, size, 3]."""
    found = rng.permutation(members.pairs[members.pair_levels == level])
    singles = rng.permutation(members.singles[members.single_levels == level])
    num_singles = _SINGLES if len(singles) else 0
    num_pairs = (size - num_singles) // 2
    count = -(-len(found) // num_pairs)
    found = np.resize(found, (count, num_pairs, 3))
    sides = [
        np.stack([found[..., 0], found[..., 1 + side], np.full(found.shape[:2], side)], -1)
        for side in (EARLIER, LATER)
    ]
    items = np.stack(sides, 2).reshape(count, 2 * num_pairs, 3)
    if not num_singles:
        return items
    alone = np.zeros((count, num_singles, 3), items.dtype)
    alone[..., 0] = np.resize(singles, (count, num_singles))
    return np.concatenate([items, alone], 1)


def pair_matrix(
    level: tf.Tensor,
    subject: tf.Tensor,
    family: tf.Tensor,
    visit: tf.Tensor,
    days: tf.Tensor,
    field_strength_t: tf.Tensor,
    side: tf.Tensor,
    *,
    mode: str,
    min_interval_days: int,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Says of every two crops of a batch whether they are a pair, which, and how much it counts.

    Args:
        level: [batch] level code.
        subject: [batch] subject, any type that compares.
        family: [batch] family, the same.
        visit: [batch] number of the visit, in time order.
        days: [batch] days since the subject's first study.
        field_strength_t: [batch] tesla.
        side: [batch] EARLIER or LATER.
        mode: SAMPLED draws as many negatives as there are positives, of each level and pair of
            field strengths; ALL takes every negative and lets those of a level and pair of field
            strengths weigh as much together as its positives.
        min_interval_days: Visits closer than this are no pair.
        seed: [2] int32, for SAMPLED.

    Returns:
        labels [batch, batch] float32, 1 for a positive; weights [batch, batch] float32, 0 where
        row and column are no pair. The row is the earlier side. A positive that has no negative of
        its level and field strengths weighs nothing, else the scanners would tell the label.
    """

    def both(values: tf.Tensor) -> tf.Tensor:
        return values[:, None] == values[None]

    in_order = (side[:, None] == EARLIER) & (side[None] == LATER) & both(level)
    in_order &= visit[None] > visit[:, None]
    in_order &= days[None] - days[:, None] >= tf.cast(min_interval_days, days.dtype)
    positive = in_order & both(subject)
    stratum = _strata(level, field_strength_t)
    num_positive = _count(positive, stratum)
    negative = in_order & ~both(family) & (num_positive > 0)
    if mode == SAMPLED:
        negative &= _rank_in_stratum(negative, stratum, seed) < num_positive
    num_negative = _count(negative, stratum)
    share = tf.math.divide_no_nan(
        tf.cast(num_positive, tf.float32), tf.cast(num_negative, tf.float32)
    )
    weights = tf.where(negative, share, 0.0)
    weights = tf.where(positive & (num_negative > 0), 1.0, weights)
    return tf.cast(positive, tf.float32), weights


def _strata(level: tf.Tensor, field_strength_t: tf.Tensor) -> tf.Tensor:
    """Code [batch, batch] of level and pair of field strengths, below batch^2."""
    count = tf.shape(level)[0]
    scanner = tf.unique(field_strength_t).idx
    pair = scanner[:, None] * count + scanner[None]
    # The row's level will do: pairs of two levels never count.
    code = tf.cast(level, tf.int64)[:, None] * tf.cast(count * count, tf.int64)
    codes = tf.unique(tf.reshape(code + tf.cast(pair, tf.int64), [-1])).idx
    return tf.reshape(codes, [count, count])


def _count(chosen: tf.Tensor, stratum: tf.Tensor) -> tf.Tensor:
    """How many are chosen in the stratum of each pair, [batch, batch] int32."""
    flat = tf.reshape(stratum, [-1])
    counts = tf.math.unsorted_segment_sum(
        tf.reshape(tf.cast(chosen, tf.int32), [-1]), flat, tf.size(flat)
    )
    return tf.gather(counts, stratum)


def _rank_in_stratum(chosen: tf.Tensor, stratum: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """A random order of the chosen within each stratum, from 0, [batch, batch] int32."""
    flat, size = tf.reshape(stratum, [-1]), tf.size(stratum)
    draws = tf.random.stateless_uniform([size], seed, dtype=tf.float64)
    draws += tf.cast(tf.where(tf.reshape(chosen, [-1]), flat, size), tf.float64)
    place = tf.argsort(tf.argsort(draws))
    first = tf.math.unsorted_segment_min(
        tf.where(tf.reshape(chosen, [-1]), place, size), flat, size
    )
    return tf.reshape(place - tf.gather(first, flat), tf.shape(stratum))
