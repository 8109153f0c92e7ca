import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.training import optimizers

_HAS_ADDONS = importlib.util.find_spec("tensorflow_addons") is not None


def _steps(name, count):
    """A weight of 1 after steps with gradient 2 at rate 0.1."""
    weight = tf.Variable([1.0])
    optimizer = optimizers.make(name, 0.1)
    optimizers.build(optimizer, [weight])
    for _ in range(count):
        optimizer.apply_gradients([(tf.constant([2.0]), weight)])
    return float(weight.numpy()[0])


def test_sgd_has_momentum():
    # Velocity -0.2, then 0.9 * -0.2 - 0.2 = -0.38: 1 - 0.2 - 0.38 = 0.42.
    assert _steps("sgd", 1) == pytest.approx(0.8)
    assert _steps("sgd", 2) == pytest.approx(0.42)


def test_the_first_step_of_adam_is_the_rate():
    assert _steps("adam", 1) == pytest.approx(0.9, abs=1e-5)


def test_the_rate_is_set_for_the_next_step():
    optimizer = optimizers.make("sgd", 0.1)
    assert optimizers.get_learning_rate(optimizer) == pytest.approx(0.1)
    optimizers.set_learning_rate(optimizer, 0.01)
    assert optimizers.get_learning_rate(optimizer) == pytest.approx(0.01)
    weight = tf.Variable([1.0])
    optimizers.build(optimizer, [weight])
    optimizer.apply_gradients([(tf.constant([2.0]), weight)])
    assert weight.numpy() == pytest.approx(0.98)


def test_a_rate_that_changes_reaches_a_compiled_step():
    weight = tf.Variable([0.0])
    optimizer = optimizers.make("sgd", 1.0)
    optimizers.build(optimizer, [weight])

    @tf.function
    def step():
        optimizer.apply_gradients([(tf.constant([1.0]), weight)])

    step()
    optimizers.set_learning_rate(optimizer, 0.0)
    before = float(weight.numpy()[0])
    step()
    # Keras adds rate * gradient to the velocity: at rate 0 only the momentum is left.
    assert weight.numpy() == pytest.approx(before - 0.9)


def test_unknown_names():
    with pytest.raises(ValueError, match="must be sgd, adam, .* or addons:NAME, got 'LossScale"):
        optimizers.make("LossScaleOptimizer", 0.1)


@pytest.mark.parametrize(
    "name, after",
    [
        ("adamw", 1 - 0.1 * 0.004 * 1 - 0.1),  # its own decay of 0.004 first, then the rate
        ("rmsprop", 1 - 0.1 / 0.1**0.5),  # the mean square is a tenth of the square
        ("adagrad", 1 - 0.1 * 2 / 4.1**0.5),  # begins at 0.1
        ("lion", 0.9),  # the sign
        ("nadam", 0.9),
        ("adamax", 0.9),
    ],
)
def test_the_others_of_keras(name, after):
    # Nadam's schedule makes its first step a little longer or shorter than the rate.
    assert _steps(name, 1) == pytest.approx(after, abs=0.02 if name == "nadam" else 1e-4)


@pytest.mark.parametrize("name", ["adadelta", "adafactor", "ftrl"])
def test_every_name_steps_downhill(name):
    assert _steps(name, 3) < 1


def test_addons():
    if not _HAS_ADDONS:
        with pytest.raises(ValueError, match=r"got 'addons:LAMB'. Install the addons stack"):
            optimizers.make("addons:LAMB", 0.1)
        return
    # LAMB's first step is the rate times |weight| along the sign of the gradient.
    assert _steps("addons:LAMB", 1) == pytest.approx(0.9, abs=1e-4)
    assert np.isfinite(_steps("addons:LAMB", 3))
    with pytest.raises(ValueError, match="must name an optimizer of tensorflow-addons, got 'NoSu"):
        optimizers.make("addons:NoSuch", 0.1)
    for name in ("SGDW", "Lookahead", "lamb"):  # needs a decay, needs an optimizer, is a module
        with pytest.raises(ValueError, match=f"that needs a rate alone, got '{name}' "):
            optimizers.make(f"addons:{name}", 0.1)
