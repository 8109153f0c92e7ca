"""What the tasks over tiles ask of the network."""

import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import tiles
from spine_tf.models import networks
from spine_tf.tasks.pretext import jigsaw, relative_positions

SEED = tf.constant([3, 4])
SONONET = config.ModelConfig(width=1 / 64, fc6=8, network=config.SONONET)


def _batch(slices=1):
    rng = np.random.default_rng(0)
    image = tf.constant(rng.normal(size=(2, slices, 96, 96, 1)), tf.float32)
    return {"image": image, "valid": tf.ones(image.shape[:-1], tf.bool)}


def _model(made):
    shape = made.encoder_shape(SONONET)
    encode = networks.build_encoder(SONONET, shape, slice_means=[], seed=0)
    return made.build(encode, SONONET, 0)


@pytest.mark.parametrize(
    "made, num_tiles, num_classes",
    [
        (relative_positions.RelativePositions("slice", 0, (1, 96, 96, 1)), 2, 8),
        (
            jigsaw.Jigsaw(
                "slice",
                0,
                (1, 96, 96, 1),
                num_permutations=4,
                permutations=tiles.permutation_set(4),
            ),
            9,
            4,
        ),
    ],
)
def test_tiles_are_shown_and_the_answer_is_asked_for(made, num_tiles, num_classes):
    batch = made.prepare_batch(_batch(), True, SEED)
    shown, labels = batch.inputs["tiles"].numpy(), batch.labels[made.output].numpy()
    assert shown.shape == (2, num_tiles, 22, 22, 1)  # a cell of 32 less a sixth for gap and jitter
    np.testing.assert_allclose(shown.mean((2, 3, 4)), 0, atol=1e-5)  # each tile by itself
    np.testing.assert_allclose(shown.std((2, 3, 4)), 1, atol=1e-3)
    expected = made.cut(*_batch().values(), _seeds(SEED)).labels
    np.testing.assert_array_equal(labels, expected)
    outputs = _model(made)(batch.inputs)
    assert outputs[made.output].shape == (2, num_classes)


def _seeds(seed):
    return tf.random.stateless_uniform([2, 2], seed, None, None, tf.int32)


def test_a_grid_in_a_volume_has_26_places():
    made = relative_positions.RelativePositions("disc", in_volume=True)
    assert made.num_classes == 26
    with pytest.raises(ValueError, match="`in_volume` must be false for slices"):
        relative_positions.RelativePositions("slice", in_volume=True)


def test_permutations_are_kept_with_the_task():
    made = jigsaw.Jigsaw(num_permutations=5).configure(None)
    assert made.permutations == tiles.permutation_set(5)
    orders = [list(order) for order in made.permutations]
    again = jigsaw.Jigsaw(num_permutations=5, permutations=orders)
    assert again.permutations == made.permutations
    with pytest.raises(ValueError, match=r"must be the number of `permutations` \(5\), got 100"):
        jigsaw.Jigsaw(permutations=orders)
    with pytest.raises(ValueError, match="`num_permutations` must be at least 2, got 1"):
        jigsaw.Jigsaw(num_permutations=1)


def test_alarm_of_a_pretext_that_is_not_learned():
    made = relative_positions.RelativePositions()
    rows = [{"val_position/balanced_accuracy": 0.2}] * 20
    assert "val_position/balanced_accuracy is 0.200 after 20 epochs" in made.alarms(rows)[0]
    assert not made.alarms(rows[:19]) and not made.alarms([*rows, {}])
    half = {"val_position/balanced_accuracy": 0.5}
    assert not made.alarms([half] * 20)
    few = made.alarms([half | {"val_position/classes_seen": 3.0}] * 20)
    assert "less than 0.667" in few[0]  # always the same of three has a third
