"""Floating point operations of a step, and what the machine can do at most.

A multiplication and an addition are two operations. Convolutions and dense layers alone are
counted; a training step is three times the forward pass.
"""

import math
from collections.abc import Callable
from typing import Any

PEAK_SIZE = 4096  # rows and columns of the matrices of the peak


def forward_flops(model: Any) -> int:
    """Returns the operations of one example through a Keras model, nested models included."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += forward_flops(layer)
        elif getattr(layer, "kernel", None) is not None:
            places = math.prod(layer.output.shape[1:-1])
            total += 2 * places * math.prod(layer.kernel.shape)
    return total


def step_flops(model: Any) -> int:
    """Returns the operations of one example in a training step."""
    return 3 * forward_flops(model)


def make_peak(dtype: str) -> tuple[Callable[[], None], dict]:
    """Returns a product of two square matrices, see `contender.Contender`.

    Args:
        dtype: "float32" or "bfloat16".
    """
    import tensorflow as tf

    matrix = tf.cast(tf.random.uniform([PEAK_SIZE, PEAK_SIZE]), dtype)
    product = tf.function(lambda: tf.matmul(matrix, matrix))
    return lambda: product()[0, 0].numpy(), {"flops": 2 * PEAK_SIZE**3}
