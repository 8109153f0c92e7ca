"""Values as features of a tf.train.Example."""

from collections.abc import Iterable

import tensorflow as tf

SCHEMA_VERSION = 1  # of every kind of record


def of_bytes(*values: bytes) -> tf.train.Feature:
    """Returns a feature of byte strings."""
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def of_ints(*values: int) -> tf.train.Feature:
    """Returns a feature of int64."""
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v) for v in values]))


def of_floats(*values: float) -> tf.train.Feature:
    """Returns a feature of float32."""
    return tf.train.Feature(float_list=tf.train.FloatList(value=[float(v) for v in values]))


def texts(feature: tf.train.Feature) -> list[str]:
    """Returns the text of a feature of byte strings."""
    return [value.decode() for value in feature.bytes_list.value]


def rounded(feature: tf.train.Feature) -> list[float]:
    """Returns the values of a feature of floats as an index holds them."""
    return [round(value, 4) for value in feature.float_list.value]


def of_texts(values: Iterable[str]) -> tf.train.Feature:
    """Returns a feature of text, UTF-8."""
    return of_bytes(*(value.encode() for value in values))
