"""Updates of a line y = w1 x1 + w2 x2, worked out by hand; one device."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.training import optimizers, step, strategy


class _Line:
    """What a step asks of a task. The gradient of an example is (y - label) x."""

    def losses(self, statistics):
        return {"y": lambda label, y: 0.5 * tf.square(y - label)}

    def loss_weights(self):
        return {}


def _steps(weights, with_norm=False, **settings):
    """The steps of a line with given weights at rate 0.1, and its variable."""
    crop = keras.Input([2], name="crop")
    dense = keras.layers.Dense(1, use_bias=False)
    y = dense(crop)
    y = keras.layers.BatchNormalization(momentum=0.9)(y) if with_norm else y
    model = keras.Model({"crop": crop}, {"y": y})
    dense.set_weights([np.array(weights, np.float32)[:, None]])
    settings = {"learning_rate": 0.1, "weight_decay": 0.0} | settings
    made = step.Steps(
        model,
        _Line(),
        records.Statistics({}, {}, []),
        config.TrainConfig(**settings),
        strategy.make("one"),
    )
    return made, model


def _batch(*examples):
    """A batch of (x1, x2, label), each of the same weight."""
    crop, label = np.split(np.array(examples, np.float32), [2], axis=1)
    weight = np.full(label.shape, 1 / len(label), np.float32)
    return task.Batch(
        {"crop": tf.constant(crop)}, {"y": tf.constant(label)}, {"y": tf.constant(weight)}
    )


def _weights(model):
    return model.get_weights()[0][:, 0]


def test_losses_are_means_over_the_batch():
    # y is 1 and 2: losses 0.5 * 1^2 and 0.5 * 1^2 for labels 0 and 3, and 0.5 * 2^2 for label 0.
    steps, _ = _steps([1, 2])
    losses = steps.train(_batch((1, 0, 0), (0, 1, 3)), is_last=True)
    assert {name: float(value) for name, value in losses.items()} == {"loss": 0.5, "y": 0.5}
    steps, _ = _steps([1, 2])
    losses, outputs = steps.test(_batch((1, 0, 0), (0, 1, 0)))
    assert float(losses["loss"]) == 0.5 * (0.5 + 2.0)
    assert outputs["y"].numpy().ravel().tolist() == [1, 2]


def test_accumulated_batches_move_the_weights_once_along_their_mean():
    steps, model = _steps([1, 2], accumulate_steps=2)
    steps.train(_batch((1, 0, 0)), is_last=False)  # gradient (1, 0)
    assert steps.is_between_updates and _weights(model).tolist() == [1, 2]
    losses = steps.train(_batch((0, 1, 1)), is_last=False)  # gradient (0, 1), mean (0.5, 0.5)
    assert float(losses["loss"]) == 0.5 and not steps.is_between_updates
    np.testing.assert_allclose(_weights(model), [0.95, 1.95], rtol=1e-6)
    # The last batch is a group of its own: y 2.9, gradient (2.9, 2.9). The velocity was -0.05:
    # 0.9 * -0.05 - 0.1 * 2.9 = -0.335.
    steps.train(_batch((1, 1, 0)), is_last=True)
    assert not steps.is_between_updates
    np.testing.assert_allclose(_weights(model), [0.615, 1.615], rtol=1e-6)


def test_observing_moves_the_statistics_of_batch_norm_alone():
    steps, model = _steps([1, 2], with_norm=True)
    *weights, mean, variance = model.get_weights()
    assert (mean.tolist(), variance.tolist()) == ([0], [1])
    steps.observe(_batch((1, 0, 0), (3, 0, 0)))  # y 1 and 3: mean 2, variance 1
    *after, mean, variance = model.get_weights()
    np.testing.assert_allclose([mean[0], variance[0]], [0.1 * 2, 0.9 + 0.1], rtol=1e-6)
    for one, other in zip(weights, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert optimizers.num_updates(steps.optimizer) == 0


def test_accumulated_batches_are_one_large_batch():
    examples = np.random.default_rng(0).normal(size=(6, 3))
    large, expected = _steps([1, 2])
    large.train(_batch(*examples), is_last=False)
    small, model = _steps([1, 2], accumulate_steps=3)
    for part in np.split(examples, 3):
        small.train(_batch(*part), is_last=False)
    np.testing.assert_allclose(_weights(model), _weights(expected), rtol=1e-6)


def test_xla_takes_the_same_steps():
    found = []
    for xla in (False, True):
        steps, model = _steps([1, 2], xla=xla, accumulate_steps=2, clip_norm=1.0)
        losses = [steps.train(_batch(x), is_last=False) for x in ((1, 0, 0), (0, 1, 1), (1, 1, 0))]
        found.append(([float(loss["loss"]) for loss in losses], _weights(model)))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-6)


@pytest.mark.parametrize(
    "clip_norm, update", [(0.0, (0.3, 0.4)), (1.0, (0.06, 0.08)), (5.1, (0.3, 0.4))]
)
def test_the_norm_of_a_gradient_is_clipped(clip_norm, update):
    # y 3, label 2: the gradient is (3, 4), of norm 5.
    steps, model = _steps([1, 0], clip_norm=clip_norm)
    steps.train(_batch((3, 4, 2)), is_last=True)
    np.testing.assert_allclose(_weights(model), [1 - update[0], -update[1]], rtol=1e-6)


def test_the_mean_of_accumulated_gradients_is_clipped():
    # Gradients (3, 4) and 0: their mean (1.5, 2) has norm 2.5 and becomes (1.2, 1.6).
    steps, model = _steps([1, 0], clip_norm=2.0, accumulate_steps=2)
    steps.train(_batch((3, 4, 2)), is_last=False)
    steps.train(_batch((0, 0, 0)), is_last=False)
    np.testing.assert_allclose(_weights(model), [1 - 0.12, -0.16], rtol=1e-6)


# === Loss scaling: wired as for float16, on a line that is float32 ===


@pytest.mark.parametrize("settings", [{}, {"clip_norm": 1.0}, {"accumulate_steps": 2}])
def test_a_scaled_loss_gives_the_same_update(settings):
    found = []
    for precision in ("float32", "mixed_float16"):
        steps, model = _steps([1, 0], precision=precision, **settings)
        for example in ((3, 4, 2), (1, 2, 0), (0, 1, 1)):
            losses = steps.train(_batch(example), is_last=example[0] == 0)
        found.append((_weights(model), float(losses["loss"])))
    assert float(optimizers.loss_scale(steps.optimizer)) == 2**15
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-6)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-6)  # what is shown is not scaled


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_a_scaled_gradient_that_overflows_skips_the_step(clip_norm):
    # y 1e17, x 1e18: the gradient 1e35 is finite, 2^15 times it is not; nor is the velocity moved.
    steps, model = _steps([0.1, 0], precision="mixed_float16", clip_norm=clip_norm)
    losses = steps.train(_batch((1e18, 0, 0)), is_last=True)
    assert np.isfinite(float(losses["loss"]))
    assert _weights(model) == pytest.approx([0.1, 0])
    assert float(optimizers.loss_scale(steps.optimizer)) == 2**14
    steps.train(_batch((1, 0, 0)), is_last=True)  # gradient 0.1
    assert _weights(model) == pytest.approx([0.09, 0])


def test_a_checkpoint_holds_the_scale_and_the_velocity(tmp_path):
    steps, model = _steps([0.1, 0], precision="mixed_float16")
    steps.train(_batch((1e18, 0, 0)), is_last=True)
    steps.train(_batch((1, 0, 0)), is_last=True)
    other, other_model = _steps([0, 0], precision="mixed_float16")
    path = tf.train.Checkpoint(model=model, optimizer=steps.optimizer).write(str(tmp_path / "a"))
    whole = tf.train.Checkpoint(model=other_model, optimizer=other.optimizer)
    whole.read(path).assert_existing_objects_matched()
    assert float(optimizers.loss_scale(other.optimizer)) == 2**14
    for one in (steps, other):
        one.train(_batch((1, 1, 0)), is_last=True)
    np.testing.assert_array_equal(_weights(model), _weights(other_model))


def test_the_rate_of_a_scaling_optimizer_can_be_set():
    steps, model = _steps([1, 0], precision="mixed_float16")
    optimizers.set_learning_rate(steps.optimizer, 0.01)
    assert optimizers.get_learning_rate(steps.optimizer) == pytest.approx(0.01)
    steps.train(_batch((1, 0, 0)), is_last=True)
    assert _weights(model) == pytest.approx([0.99, 0])


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_a_gradient_that_is_not_finite_makes_the_loss_so(accumulate_steps):
    # y is its label: the root's gradient is infinite, the square's 0; the loss itself is 0.
    steps, _ = _steps([1, 2], accumulate_steps=accumulate_steps)
    steps._losses = {"y": lambda label, y: tf.sqrt(tf.square(y - label))}
    losses = steps.train(_batch((1, 0, 1)), is_last=True)
    assert np.isnan(losses["loss"]) and float(losses["y"]) == 0
