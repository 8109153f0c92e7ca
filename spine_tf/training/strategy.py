"""Which devices a run uses, and how a batch is split over them."""

import functools
from typing import Any

import tensorflow as tf


@functools.cache  # two mirrored strategies of one process would mix up their reductions on CPUs
def make(name: str) -> tf.distribute.Strategy:
    """Makes a strategy, one per process.

    Args:
        name: "one", or "mirrored" over all visible GPUs (over logical CPUs where there is none).

    Raises:
        ValueError: If there is no such strategy.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    raise ValueError(f"`strategy` must be one or mirrored, got {name!r}.")


def split(strategy: tf.distribute.Strategy, batch: Any) -> Any:
    """Splits the leading axis of every tensor of a batch evenly over the replicas.

    Args:
        strategy: The strategy.
        batch: Tensors with the same leading axis.

    Raises:
        ValueError: If it cannot be split evenly.
    """
    count = strategy.num_replicas_in_sync
    if count == 1:
        return batch

    def part(tensor, replica: int):
        size = int(tensor.shape[0])
        if size % count:
            raise ValueError(
                f"`batch_size` must be a multiple of the {count} devices, got {size} examples."
            )
        return tensor[replica * size // count : (replica + 1) * size // count]

    def values(context):
        replica = context.replica_id_in_sync_group
        return tf.nest.map_structure(lambda tensor: part(tensor, replica), batch)

    return strategy.experimental_distribute_values_from_function(values)


def total(strategy: tf.distribute.Strategy, values: Any) -> Any:
    """Adds up what every replica returned."""
    return tf.nest.map_structure(
        lambda value: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None), values
    )


def joined(strategy: tf.distribute.Strategy, values: Any) -> Any:
    """Concatenates what every replica returned along the leading axis."""
    return tf.nest.map_structure(
        lambda value: tf.concat(strategy.experimental_local_results(value), 0), values
    )
