"""Optimizers: the one place where the two stacks differ."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.training import precision as precisions

_MOMENTUM = 0.9
_ADDONS = "addons:"
# Those that both stacks have and that need a rate alone.
_KERAS = {
    name.lower(): name
    for name in (
        *("SGD", "Adam", "AdamW", "Adadelta", "Adafactor", "Adagrad"),
        *("Adamax", "Ftrl", "Lion", "Nadam", "RMSprop"),
    )
}


def make(name: str, learning_rate: float, precision: str = "float32") -> Any:
    """Makes an optimizer.

    Args:
        name: "sgd" (momentum 0.9, Jamaludin 2017 section 4), "adam", "adamw" or another of Keras
            in lower case, with its own settings; or "addons:NAME" for an optimizer of
            tensorflow-addons.
        learning_rate: Rate at the start.
        precision: With mixed_float16 the loss is scaled, so that no gradient falls to 0.

    Raises:
        ValueError: If there is no such optimizer, or tensorflow-addons is not installed.
    """
    optimizer = _plain(name, learning_rate)
    if precision == precisions.MIXED_FLOAT16:
        return keras.mixed_precision.LossScaleOptimizer(optimizer)
    return optimizer


def _plain(name: str, learning_rate: float) -> Any:
    if name.startswith(_ADDONS):
        return _from_addons(name[len(_ADDONS) :], learning_rate)
    if name == "sgd":
        return keras.optimizers.SGD(learning_rate, momentum=_MOMENTUM)
    if name in _KERAS:
        return getattr(keras.optimizers, _KERAS[name])(learning_rate)
    raise ValueError(f"`optimizer` must be {', '.join(_KERAS)} or addons:NAME, got {name!r}.")


def _from_addons(name: str, learning_rate: float):
    try:
        import tensorflow_addons.optimizers as addons
    except ImportError as error:
        raise ValueError(
            "`optimizer` must be one of Keras where tensorflow-addons is missing, got"
            f" {_ADDONS + name!r}. Install the addons stack: pip install 'spine-tf[addons]'."
        ) from error
    if not hasattr(addons, name):
        raise ValueError(f"`optimizer` must name an optimizer of tensorflow-addons, got {name!r}.")
    try:
        return getattr(addons, name)(learning_rate=learning_rate)
    except TypeError as error:  # a wrapper of another optimizer, say, or needs a decay
        raise ValueError(
            f"`optimizer` must name an optimizer of tensorflow-addons that needs a rate alone, got"
            f" {name!r} ({error})."
        ) from error


def build(optimizer: Any, variables: Sequence[tf.Variable]) -> None:
    """Makes the slots before the first step, so that a checkpoint finds them."""
    if hasattr(optimizer, "build"):
        optimizer.build(variables)
    else:  # addons' LAMB and others are Keras 2 legacy optimizers
        optimizer._create_all_weights(variables)


def loss_scale(optimizer: Any) -> tf.Tensor | float:
    """Returns what the loss is multiplied with before its gradient is taken; 1 without scaling."""
    if not isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer):
        return 1.0
    if hasattr(optimizer, "dynamic_scale"):
        return tf.convert_to_tensor(optimizer.dynamic_scale)
    return optimizer.loss_scale


def apply(optimizer: Any, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> None:
    """Takes a step along gradients of the scaled loss, each replica's own; they are added up."""
    if hasattr(optimizer, "get_unscaled_gradients"):  # Keras 3 does it in `apply_gradients`
        gradients = optimizer.get_unscaled_gradients(gradients)
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def set_learning_rate(optimizer: Any, learning_rate: float) -> None:
    """Sets the rate of the next steps."""
    optimizer.learning_rate = learning_rate


def start_epoch(optimizer: Any, settings: config.TrainConfig, epoch: int) -> None:
    """Sets the rate of an epoch, from 0 on, of a schedule that knows it beforehand.

    That of a run that goes on may have another number of epochs. The half wave of the cosine
    reaches 0 after the last one.
    """
    if settings.schedule == config.COSINE:
        wave = keras.optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs)
        set_learning_rate(optimizer, float(wave(epoch)))


def get_learning_rate(optimizer: Any) -> float:
    """Returns the rate of the next step."""
    return float(tf.convert_to_tensor(optimizer.learning_rate))


def num_updates(optimizer: Any) -> int:
    """Returns the number of steps taken so far."""
    return int(tf.convert_to_tensor(optimizer.iterations))
