import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import augmentation, crops, records
from spine_tf.tasks.downstream import grading

ROWS = (
    {"grades": {"pfirrmann": 1, "modic": 0}},
    {"grades": {"pfirrmann": 5}},
    {"grades": {"modic": 3}},
    {"grades": {"pfirrmann": 5, "disc_bulging": 1}},
    {"grades": {}},
)
INDEX = records.Index("", "disc", 0.5, ROWS)


def _statistics(**counts):
    return records.Statistics(counts, {}, [0.0] * 15)


def test_all_gradings_of_the_records_in_the_order_of_the_table():
    made = grading.Grading().configure(INDEX)
    assert made.gradings == ("pfirrmann", "modic", "disc_bulging")
    assert grading.Grading(("modic",)).configure(INDEX).gradings == ("modic",)


def test_gradings_that_no_record_has():
    with pytest.raises(ValueError, match=r"got \['spondylolisthesis'\]. Convert with --gradings"):
        grading.Grading(("modic", "spondylolisthesis")).configure(INDEX)
    with pytest.raises(ValueError, match="the training records hold no gradings, so grading"):
        grading.Grading().configure(records.Index("", "disc", 0.5, ROWS[-1:]))


def test_classes_are_counted_by_index():
    counts = grading.Grading(("pfirrmann", "modic")).class_counts(INDEX)
    # Pfirrmann begins at 1 and Modic at 0.
    assert counts == {"pfirrmann": [1, 0, 0, 0, 2], "modic": [1, 0, 0, 1]}


def test_discs_without_a_grade_that_is_asked_for_are_not_planned():
    plan = grading.Grading(("modic",)).plan(INDEX, 2, seed=0)
    assert sorted(plan.ravel()) == [0, 2]
    assert grading.Grading(("modic_",)[:0]).plan(INDEX, 2, seed=0).shape == (0, 2, 1)


def _batch(made, labels):
    crop = tf.reshape(tf.range(len(labels) * 12, dtype=tf.float32), [len(labels), 3, 2, 2, 1])
    items = {"crop": crop, "pfirrmann": tf.constant(labels)}
    return crop, made.prepare_batch(items, True, tf.constant([1, 2]))


def test_a_missing_label_has_no_weight():
    crop, batch = _batch(grading.Grading(("pfirrmann",)), [3, -1])
    assert batch.weights["pfirrmann"].numpy().tolist() == [1.0, 0.0]
    assert batch.labels["pfirrmann"].numpy().tolist() == [3, -1]
    np.testing.assert_array_equal(batch.inputs["crop"], crop)


@pytest.mark.parametrize("augment", [augmentation.AugmentConfig(0, 0, 0, 0, 0, 0), None])
def test_in_training_some_crops_are_reflected_as_a_whole(augment):
    shape = crops.DISC.stored_shape(0.5)
    slices = tf.range(shape[0], dtype=tf.float32)[:, None, None] / 10
    example = {
        "image": tf.broadcast_to(slices, shape),
        "slice_is_valid": tf.ones(shape[0], tf.bool),
        "pixel_is_valid": tf.ones(shape[1:], tf.bool),
        "grading/pfirrmann": tf.constant(5, tf.int64),
    }
    inputs = augmentation.InputConfig(0.5, 0.5, augment)
    found = set()
    for number in range(8):
        made = grading.Grading(("pfirrmann",))
        item = made.preprocess(example, inputs, tf.constant([1, number]))
        assert item["pfirrmann"] == 4 and item["crop"].shape == (9, 56, 112, 1)
        found.add(tuple(np.round(item["crop"][:, 20, 20, 0].numpy() * 10).astype(int)))
    # Of 15 slices 3 to 11 are the middle 9.
    middle = tuple(range(3, 12))
    assert found == ({middle, middle[::-1]} if augment else {middle})


def test_two_examples_of_which_one_is_masked_cost_what_one_costs():
    made = grading.Grading(("pfirrmann", "modic"))
    losses = made.losses(_statistics(pfirrmann=[1, 0, 0, 0, 3], modic=[1, 1, 1, 1]))
    logits = tf.constant([[2.0, 0.0, 0.0, 0.0, 1.0], [0.0, 5.0, 0.0, 0.0, 0.0]])

    def cost(labels):
        _, batch = _batch(grading.Grading(("pfirrmann",)), labels)
        weights = batch.weights["pfirrmann"] / tf.reduce_sum(batch.weights["pfirrmann"])
        loss = losses["pfirrmann"](batch.labels["pfirrmann"], logits[: len(labels)])
        return float(tf.reduce_sum(weights * loss))

    # Class 4 has 3 of 4 labels of two classes: weight 4 / (2 * 3) = 2/3. Log loss of class 4:
    # log(e^2 + 3 + e) - 1 = log(13.107338) - 1 = 1.573172. Product 1.048781.
    assert cost([4]) == pytest.approx(1.048781, abs=1e-5)
    assert cost([4, -1]) == pytest.approx(1.048781, abs=1e-5)


def test_a_masked_label_has_no_gradient():
    losses = grading.Grading(("modic",)).losses(_statistics(modic=[1, 1, 1, 1]))
    logits = tf.Variable([[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses["modic"](tf.constant([-1, 0]), logits))
    gradient = tape.gradient(loss, logits).numpy()
    assert not gradient[0].any() and gradient[1].all()


def test_metrics_know_the_number_of_classes():
    (metric,) = grading.Grading(("modic",)).metrics()["modic"]
    metric.update_state(tf.constant([0, 3]), tf.eye(4)[::3], sample_weight=tf.ones([2]))
    assert float(metric.result()) == 1.0
