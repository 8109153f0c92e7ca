import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.tasks.pretext import longitudinal
from tests.spine_tf import listed_pairs


def test_distances_of_stacked_embeddings():
    embedded = tf.constant([[0.0, 0.0], [1.0, 1.0], [3.0, 4.0], [1.0, 1.0]])
    # First members (0, 0) and (1, 1), second (3, 4) and (1, 1); each other's negatives.
    found = longitudinal.PairDistances()([embedded, tf.constant([1, -1])]).numpy()
    np.testing.assert_allclose(found, [[5.0, 2**0.5], [0.0, 13**0.5]], atol=1e-5)


def test_halves():
    stacked = tf.constant([[0], [1], [2], [3]])
    assert longitudinal.HalfBatch(0)(stacked).numpy().tolist() == [[0], [1]]
    second = longitudinal.HalfBatch.from_config(longitudinal.HalfBatch(1).get_config())
    assert second(stacked).numpy().tolist() == [[2], [3]]


def test_levels_are_counted():
    rows = tuple({"level": level} for level in ("T12", "S1", "L4", "S1"))
    index = records.Index("", "vertebra_pairs", 0.5, rows)
    assert longitudinal.Longitudinal().class_counts(index) == {"level": [1, 0, 0, 0, 1, 0, 2]}


@pytest.mark.parametrize("batch_size", [2, 5])
def test_batches_that_hold_no_pairs(batch_size):
    index = records.Index("", "vertebra_pairs", 0.5, ())
    with pytest.raises(ValueError, match=f"a multiple of 4 pairs, got {batch_size}"):
        longitudinal.Longitudinal().plan(index, batch_size, 0)


def test_half_of_a_batch_is_positive_and_visits_must_be_apart():
    rows = tuple(
        {"level": "L4", "visit": [0, 1], "days": [0, days]} for days in (100, 200, 300, 400)
    )
    index = records.Index("", "vertebra_pairs", 0.5, rows)
    plan = longitudinal.Longitudinal(min_interval_days=250).plan(index, 4, seed=0)
    assert plan.shape == (1, 2, 3)
    assert sorted(plan[0].tolist()) == [[2, 0, 1], [3, 0, 1]]


def _items(levels, families):
    """Items whose crops are constant: 10 times the number, plus 1 in the second visit."""
    count = len(levels)
    first = tf.range(count, dtype=tf.float32)[:, None, None, None] * 10 + tf.zeros([count, 3, 2, 2])
    return {
        "first": first,
        "second": first + 1,
        "level": tf.constant(levels),
        "family": tf.constant(families),
        "second_field_t": tf.fill([count], 1.5),
    }


def test_negatives_are_two_families_at_one_level():
    items = _items([0, 0, 4, 5], ["a", "b", "c", "d"])
    batch = longitudinal.Longitudinal().prepare_batch(items, False, tf.constant([0, 1]))
    first, second, labels, weights = listed_pairs.listed(batch)
    assert first[:, 0, 0, 0, 0].tolist() == [0, 10, 20, 30] * 2
    # 0 and 1 are each other's partners.
    assert second[:6, 0, 0, 0, 0].tolist() == [1, 11, 21, 31, 11, 1]
    assert labels.tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    # The only pair at its level has no negative.
    assert weights.tolist() == [1, 1, 1, 1, 1, 1, 0, 0]
    for name in ("level_first", "level_second"):
        assert batch.labels[name].numpy().tolist() == [0, 0, 4, 5]
        assert batch.weights[name].numpy().tolist() == [1, 1, 1, 1]


def test_negatives_stay_within_their_group():
    items = _items([0] * 8, [str(i) for i in range(8)])
    batch = longitudinal.Longitudinal().prepare_batch(items, False, tf.constant([0, 1]))
    other = np.arange(8) + batch.inputs["offset"].numpy()
    np.testing.assert_array_equal(other // 4, np.arange(8) // 4)
    assert longitudinal.Longitudinal().unit(8) == 4


def test_in_training_all_crops_of_a_level_are_reflected_or_none():
    levels = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    items = _items(levels, [str(i) for i in range(10)])
    ramp = tf.range(3, dtype=tf.float32)[None, :, None, None] / 100
    items |= {name: items[name] + ramp for name in ("first", "second")}
    batch = longitudinal.Longitudinal().prepare_batch(items, True, tf.constant([3, 4]))
    rises = [
        (batch.inputs[name][:, 2, 0, 0, 0] > batch.inputs[name][:, 0, 0, 0, 0]).numpy()
        for name in ("first", "second")
    ]
    np.testing.assert_array_equal(rises[0], rises[1])
    by_level = rises[0].reshape(5, 2)
    np.testing.assert_array_equal(by_level[..., 0], by_level[..., 1])
    assert by_level.any() and not by_level.all()


def test_the_margin_is_set_from_the_median_distance_of_negatives():
    x = keras.Input([1], name="x")
    model = keras.Model({"x": x}, {"same_subject": keras.layers.Activation("linear")(x)})

    def batch(number):
        distance = tf.constant([[100.0], [1.0 + number], [3.0 + number]])
        return task.Batch({"x": distance}, {"same_subject": tf.constant([1.0, 0.0, 0.0])}, {})

    made = longitudinal.Longitudinal().calibrate(model, batch)
    # Negatives of batches 0 to 3: 1 3, 2 4, 3 5, 4 6; their median is 3.5, times 1.25 is 4.375.
    assert made.margin == 4.375
    assert made.contrastive_weight == pytest.approx(1 / 4.375**2)
    assert made.calibrate(model, None) is made


def test_losses_and_their_shares():
    made = longitudinal.Longitudinal(margin=2.0, contrastive_weight=3.0, level_weight=0.5)
    losses = made.losses(records.Statistics({"level": [1] * 7}, {}, []))
    found = losses["same_subject"](tf.constant([1.0, 0.0]), tf.constant([0.5, 0.5]))
    np.testing.assert_allclose(found, [0.25, 2.25])  # 0.5^2 and (2 - 0.5)^2
    assert made.loss_weights() == {
        "same_subject": 3.0,
        "level_first": 0.25,
        "level_second": 0.25,
    }
