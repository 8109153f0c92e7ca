import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from sklearn import metrics

from spine_tf.data import pairs, records
from spine_tf.tasks.pretext import longitudinal
from tests.spine_tf import listed_pairs


def _index(*days):
    rows = tuple({"visit": list(range(len(d))), "days": list(d)} for d in days)
    return records.Index("", "vertebra_pairs", 0.5, rows)


def test_two_visits_are_one_pair_and_three_are_three():
    found = pairs.positives(_index((0,), (0, 3650), (0, 3000, 6000)), 180)
    assert found.tolist() == [[1, 0, 1], [2, 0, 1], [2, 0, 2], [2, 1, 2]]


def test_visits_that_are_close_are_no_pair():
    assert pairs.positives(_index((0, 179), (0, 180)), 180).tolist() == [[1, 0, 1]]


def test_no_follow_up_is_no_pair():
    assert pairs.positives(_index((0,), (0,)), 180).shape == (0, 3)


def _positives(levels):
    return np.stack([np.arange(len(levels)), np.zeros_like(levels), np.ones_like(levels)], 1)


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(st.integers(0, 6), min_size=1, max_size=50), st.sampled_from([2, 4, 8, 16])
)
def test_an_epoch_holds_every_positive_in_groups_of_one_level(levels, num_positives):
    levels = np.array(levels)
    found = pairs.plan(_positives(levels), levels, num_positives, seed=1)
    assert found.shape[1:] == (num_positives, 3)
    assert set(found[..., 0].ravel()) == set(range(len(levels)))
    size = min(4, num_positives)
    groups = levels[found[..., 0]].reshape(-1, size)
    assert np.all(groups == groups[:, :1])


def test_a_plan_follows_from_its_seed():
    levels = np.arange(40) % 7
    one, again, other = (pairs.plan(_positives(levels), levels, 8, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


def test_a_plan_without_pairs_has_no_step():
    assert pairs.plan(np.zeros((0, 3), int), np.zeros(0, int), 8, 0).shape == (0, 8, 3)


BATCHES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 4), st.sampled_from([1.0, 1.5, 3.0])),
    min_size=1,
    max_size=16,
)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(BATCHES, st.integers(0, 1000))
def test_negatives_keep_level_and_field_and_leave_the_family(batch, seed):
    level, family, field_t = (np.array(column) for column in zip(*batch, strict=True))
    partner, exists = pairs.negative_partners(
        tf.constant(level), tf.constant(family), tf.constant(field_t), tf.constant([seed, 0])
    )
    partner, exists = partner.numpy(), exists.numpy()
    for item, other in enumerate(partner):
        allowed = (level == level[item]) & (family != family[item]) & (field_t == field_t[item])
        size = pairs.group_size(len(batch))
        allowed &= np.arange(len(batch)) // size == item // size
        assert exists[item] == allowed.any()
        if exists[item]:
            assert allowed[other]


def test_every_allowed_partner_is_drawn():
    level, family = tf.zeros(4, tf.int32), tf.constant(["a", "b", "c", "a"])
    found = {
        int(pairs.negative_partners(level, family, tf.zeros(4), tf.constant([seed, 1]))[0][0])
        for seed in range(40)
    }
    assert found == {1, 2}


# === The batch of the longitudinal task ===


def _batch(rng, number=16):
    """Fake items in groups of one level: 3 slices of 2 x 2 whose order carries the reflection."""
    level = np.repeat(rng.integers(0, 7, number // 4), 4).astype(np.int32)
    crops = {}
    for side in ("first", "second"):
        crop = np.broadcast_to(np.array([1.0, 2.0, 3.0])[:, None, None], (number, 3, 2, 2)).copy()
        crop[rng.random(number) < 0.5, 0] = 0  # one padded slice, of each scan by itself
        crops[side] = tf.constant(crop, tf.float32)
    return crops | {
        "level": tf.constant(level),
        "family": tf.constant([f"f{i}" for i in rng.permutation(number)]),
        "second_field_t": tf.constant(rng.choice([1.5, 3.0], number, p=[0.9, 0.1]), tf.float32),
    }


def _is_flipped(crop):
    """Of [batch, 3, 2, 2, 1]: whether slice 3 stands first."""
    return np.asarray(crop)[:, 0, 0, 0, 0] == 3


def _is_padded(crop):
    """Where the first slice of the scan is black: in front, or behind after a reflection."""
    crop = np.asarray(crop)
    return np.where(_is_flipped(crop), crop[:, 2, 0, 0, 0], crop[:, 0, 0, 0, 0]) == 0


@pytest.fixture(scope="module")
def many_batches():
    task = longitudinal.Longitudinal()
    rng = np.random.default_rng(0)
    return [
        task.prepare_batch(_batch(rng), True, tf.constant([number, 7], tf.int32))
        for number in range(150)
    ]


def _agreement_auc(batches, fact):
    labels, agreement, weights = [], [], []
    for batch in batches:
        first, second, label, weight = listed_pairs.listed(batch)
        labels.append(label)
        agreement.append(fact(first) == fact(second))
        weights.append(weight)
    labels, agreement, weights = map(np.concatenate, (labels, agreement, weights))
    return metrics.roc_auc_score(labels, agreement, sample_weight=weights)


@pytest.mark.parametrize("fact", [_is_flipped, _is_padded])
def test_reflection_and_padding_do_not_tell_the_label(many_batches, fact):
    assert _agreement_auc(many_batches, fact) == pytest.approx(0.5, abs=0.02)


def test_both_members_and_both_labels_are_reflected_alike(many_batches):
    share = np.mean([np.mean(_is_flipped(inputs["first"])) for inputs, _, _ in many_batches])
    assert 0.4 < share < 0.6
    for batch in many_batches[:20]:
        first, second, _, weight = listed_pairs.listed(batch)
        used = weight > 0
        np.testing.assert_array_equal(_is_flipped(first)[used], _is_flipped(second)[used])


def test_a_batch_is_positives_then_negatives_without_partners_of_weight_zero():
    batch = {
        "first": tf.reshape(tf.range(4.0), (4, 1, 1, 1)),
        "second": tf.reshape(tf.range(4.0) + 10, (4, 1, 1, 1)),
        "level": tf.constant([0, 0, 0, 1]),
        "family": tf.constant(["a", "b", "a", "a"]),
        "second_field_t": tf.constant([1.5, 1.5, 3.0, 1.5]),
    }
    task = longitudinal.Longitudinal()
    made = task.prepare_batch(batch, False, tf.constant([0, 0]))
    first, second, labels, weights = listed_pairs.listed(made)
    np.testing.assert_array_equal(labels, [1, 1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(made.labels["level_second"], [0, 0, 0, 1])
    # Items 0 and 1 are each other's only partner; item 2 is at 3 T, item 3 alone at its level.
    np.testing.assert_array_equal(weights, [1, 1, 1, 1, 1, 1, 0, 0])
    np.testing.assert_array_equal(np.ravel(first), [0, 1, 2, 3] * 2)
    np.testing.assert_array_equal(np.ravel(second)[:6], [10, 11, 12, 13, 11, 10])
