"""Which devices and machines a run uses, and how a batch is split over them."""

import functools
import json
import os
from typing import Any

import tensorflow as tf

_TF_CONFIG = "TF_CONFIG"
_EXAMPLE = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'


def make(name: str) -> tf.distribute.Strategy:
    """Makes a strategy, one per process.

    The first call for several workers must come before any operation of TensorFlow.

    Args:
        name: "one"; "mirrored" over all visible GPUs (over logical CPUs where there is none);
            "multiworker" over the workers that the environment variable TF_CONFIG names; or "auto":
            multiworker where TF_CONFIG names several, mirrored where there are several GPUs, else
            one.

    Raises:
        ValueError: If there is no such strategy, or this machine cannot give it.
    """
    if name == "auto":
        name = _automatic()
    return _make(name)


def _automatic() -> str:
    if os.environ.get(_TF_CONFIG) and len(_workers()) > 1:
        return "multiworker"
    return "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "one"


@functools.cache  # two mirrored strategies of one process would mix up their reductions on CPUs
def _make(name: str) -> tf.distribute.Strategy:
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        return _mirrored()
    if name == "multiworker":
        return _multiworker()
    raise ValueError(f"`strategy` must be one, mirrored, multiworker or auto, got {name!r}.")


def _mirrored() -> tf.distribute.Strategy:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ValueError(
            "`strategy` must be one or auto where there are not two devices, got 'mirrored' with"
            f" {devices[0].device_type}:0 alone."
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _multiworker() -> tf.distribute.Strategy:
    if len(_workers()) < 2:
        raise ValueError(
            "`strategy` must be one, mirrored or auto for a single worker, got 'multiworker' and a"
            f" {_TF_CONFIG} that names {len(_workers())}. Give every worker one such as {_EXAMPLE}."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:  # an operation has run before
        raise ValueError(
            "`strategy` must be made before anything else runs, got 'multiworker' after that"
            f" ({error}). Call strategy.make first."
        ) from error


def _workers() -> list[str]:
    """Addresses of all workers, the chief first.

    Raises:
        ValueError: If TF_CONFIG does not describe this worker's cluster.
    """
    text = os.environ.get(_TF_CONFIG, "")
    if not text:
        return []
    try:
        content = json.loads(text)
        cluster, this = content["cluster"], content["task"]
        workers = [*cluster.get("chief", []), *cluster["worker"]]
        cluster[this["type"]][int(this["index"])]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`{_TF_CONFIG}` must name the cluster's workers and this one, got {text!r}. An"
            f" example: {_EXAMPLE}."
        ) from error
    if this["type"] not in ("chief", "worker"):
        raise ValueError(f"`{_TF_CONFIG}` must be that of a chief or a worker, got {this!r}.")
    return workers


def waited_for(name: str) -> list[str]:
    """Returns the addresses of all workers if `make` will wait until they have all started."""
    workers = _workers() if name in ("auto", "multiworker") else []
    return workers if len(workers) > 1 else []


def warnings(name: str) -> list[str]:
    """Returns what a person should know of a strategy that leaves other workers out."""
    if name in ("auto", "multiworker"):
        return []
    try:
        workers = waited_for("auto")
    except ValueError:  # a TF_CONFIG that is not needed
        return []
    told = (
        f"{_TF_CONFIG} names {len(workers)} workers, and --strategy={name} trains on this one"
        " alone; give auto or multiworker to train on all of them."
    )
    return [told] if workers else []


def share(strategy: tf.distribute.Strategy) -> tuple[int, int]:
    """Returns (number of this worker, number of workers)."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 0, 1
    cluster = resolver.cluster_spec().as_dict()
    chiefs = len(cluster.get("chief", []))
    number = resolver.task_id + (0 if resolver.task_type == "chief" else chiefs)
    return number, chiefs + len(cluster.get("worker", []))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Says whether this process writes the model folder."""
    return share(strategy)[0] == 0


def check_same_start(
    strategy: tf.distribute.Strategy, place: tuple[int, int], model_dir: str
) -> None:
    """Checks that all workers have found the same checkpoint.

    Args:
        strategy: The strategy.
        place: Epoch and step at which this worker goes on.
        model_dir: The folder in which it looked.

    Raises:
        ValueError: If they have not; on all of them.
    """
    if share(strategy)[1] == 1:
        return

    @tf.function(autograph=False)
    def gather():
        return strategy.gather(strategy.run(lambda: tf.constant([place], tf.int64)), axis=0)

    found = sorted({tuple(row) for row in gather().numpy().tolist()})
    if len(found) > 1:
        places = " and ".join(f"epoch {epoch + 1}, step {step + 1}" for epoch, step in found)
        raise ValueError(
            "`model_dir` must be a folder that all workers see, with the same checkpoints, got"
            f" {model_dir}, and workers that go on at {places}."
        )


def part_size(strategy: tf.distribute.Strategy, size: int) -> int:
    """Returns how many of `size` examples a replica gets.

    Raises:
        ValueError: If they cannot be split evenly.
    """
    count = strategy.num_replicas_in_sync
    if size % count:
        raise ValueError(
            f"`batch_size` must be a multiple of the {count} devices, got {size} examples."
        )
    return size // count


def split(strategy: tf.distribute.Strategy, batch: Any) -> Any:
    """Splits the leading axis of every tensor of a batch evenly over the replicas of all workers.

    Args:
        strategy: The strategy.
        batch: Tensors with the same leading axis: the whole batch, on every worker.

    Raises:
        ValueError: If it cannot be split evenly.
    """
    if strategy.num_replicas_in_sync == 1:
        return batch

    def values(context):
        replica = context.replica_id_in_sync_group

        def part(tensor):
            size = part_size(strategy, int(tensor.shape[0]))
            return tensor[replica * size : (replica + 1) * size]

        return tf.nest.map_structure(part, batch)

    return strategy.experimental_distribute_values_from_function(values)


def total(strategy: tf.distribute.Strategy, values: Any) -> Any:
    """Adds up what every replica returned."""
    return tf.nest.map_structure(
        lambda value: strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None), values
    )


def joined(strategy: tf.distribute.Strategy, values: Any) -> Any:
    """Concatenates what the replicas of all workers returned along the leading axis."""
    if strategy.num_replicas_in_sync == 1:
        return values
    return tf.nest.map_structure(lambda value: strategy.gather(value, axis=0), values)
