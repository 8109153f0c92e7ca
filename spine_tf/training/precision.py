"""The precision of a run: what the layers compute in; weights are always float32."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

MIXED_FLOAT16 = "mixed_float16"


def check(name: str) -> None:
    """Raises ValueError where this machine cannot give a precision."""
    if name == MIXED_FLOAT16 and not tf.config.list_physical_devices("GPU"):
        raise ValueError(
            "`precision` must be float32 or mixed_bfloat16 without a GPU, got 'mixed_float16'."
        )


@contextlib.contextmanager
def policy(name: str) -> Iterator[None]:
    """Builds layers of a precision in its block; Keras has no other way to say it of all."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
