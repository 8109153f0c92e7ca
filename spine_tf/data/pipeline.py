"""From planned items to batches: a tf.data pipeline that is a pure function of plan and seed.

Because every batch follows from the plan and the seed, a run resumes at any step without a stored
iterator. An item's augmentation follows from the seed and the item itself, not from its place in
the plan: a record looks the same in one pass over any subset that holds it.
"""

import os
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from spine_tf.data import augmentation, crops, records, schema, slice_schema

_PREFETCH = 4


def compile_preprocess(
    kind: str,
    stored_scale: float,
    preprocess: Callable,
    inputs: augmentation.InputConfig | None,
    crop_kind: crops.CropKind | slice_schema.SliceKind | None = None,
) -> Callable:
    """Compiles parsing and preprocessing of one item, once for all epochs of a run.

    Args:
        kind: Kind of record.
        stored_scale: Crop scale of the records.
        preprocess: (example, inputs, seed) -> tensors of one item, see `Task.preprocess`.
        inputs: Scales and augmentation.
        crop_kind: See `schema.parse`.

    Returns:
        (serialized, item, seed) -> tensors of one item.
    """

    def process(serialized, item, seed):
        example = schema.parse(kind, serialized, stored_scale, crop_kind)
        example["item"] = item
        return preprocess(example, inputs, seed)

    return tf.function(process, autograph=False)


def compile_parse(
    kind: str, stored_scale: float, crop_kind: crops.CropKind | None = None
) -> Callable:
    """Compiles parsing alone, for items that are preprocessed batch by batch.

    Args:
        kind: Kind of record; not `slice`, whose images differ in size.
        stored_scale: Crop scale of the records.
        crop_kind: See `schema.parse`.

    Returns:
        (serialized, item, seed) -> what `compile_batch_preprocess` takes of one item.
    """

    def process(serialized, item, seed):
        example = schema.parse(kind, serialized, stored_scale, crop_kind)
        return {"example": example | {"item": item}, "seed": seed}

    return tf.function(process, autograph=False)


def compile_batch_preprocess(preprocess: Callable, inputs: augmentation.InputConfig) -> Callable:
    """Compiles the preprocessing of parsed items; it runs on the first GPU where there is one.

    Args:
        preprocess: See `compile_preprocess`.
        inputs: Scales and augmentation.

    Returns:
        parsed -> tensors with a leading axis of items, the same as `compile_preprocess` has of
        each item. `parsed` is what `compile_parse` has of them, each tensor with that axis.
    """

    @tf.function(autograph=False)
    def one(parsed):
        return preprocess(parsed["example"], inputs, parsed["seed"])

    def process(parsed):
        spec = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape[1:], t.dtype), parsed)
        made = one.get_concrete_function(spec).structured_outputs
        signature = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), made)
        return tf.map_fn(one, parsed, fn_output_signature=signature)

    return tf.function(process, autograph=False)


def item_numbers(index: records.Index, plan: np.ndarray) -> np.ndarray:
    """Returns the number [...] int32 of every item of a plan [..., width].

    It is a hash of the record's key and of what else the plan says of the item.
    """
    keys = index.column("key")
    numbers = [
        zlib.crc32(f"{keys[item[0]]}/{item[1:]}".encode()) & 0x7FFFFFFF
        for item in plan.reshape(-1, plan.shape[-1]).tolist()
    ]
    return np.array(numbers, np.int32).reshape(plan.shape[:-1])


def items(
    index: records.Index,
    plan: np.ndarray,
    process: Callable,
    *,
    seed: int | Sequence[int],
    first_step: int = 0,
    share: tuple[int, int] = (0, 1),
    process_others: Callable | None = None,
    is_parsed_only: bool = False,
) -> tf.data.Dataset:
    """Reads, parses and preprocesses the items of a plan, batch by batch.

    Args:
        index: The records.
        plan: [steps, items, width] int32, see `Task.plan`.
        process: From `compile_preprocess` or `compile_parse`.
        seed: With the item's own number, the seed of its augmentation; one, or one per step.
        first_step: Steps to leave out at the start.
        share: (number of this worker, number of workers): which part of a batch is its own.
        process_others: What is done instead with the items of other workers, of which the labels
            are needed but not the pixels.
        is_parsed_only: Whether `process` is from `compile_parse`. Records that differ in their
            number of visits are filled up with zeros then.

    Returns:
        A dataset of (step, batch): scalar int32, and tensors with a leading axis of items.
    """
    steps = np.arange(first_step, len(plan), dtype=np.int32)
    count = plan.shape[1]
    numbers = item_numbers(index, plan[first_step:])
    is_own = np.arange(count) * share[1] // count == share[0]
    is_own = np.broadcast_to(is_own, numbers.shape)

    @tf.autograph.experimental.do_not_convert
    def read(item, number, seed, is_own):
        # Reading has no state, so determinism does not force one item at a time.
        serialized = tf.numpy_function(
            lambda record: index.read(int(record)), [item[0]], tf.string, stateful=False
        )
        inputs = (tf.ensure_shape(serialized, []), item[1:], tf.stack([seed, number]))
        if process_others is None:
            return process(*inputs)
        return tf.cond(is_own, lambda: process(*inputs), lambda: process_others(*inputs))

    seeds = np.broadcast_to(np.asarray(seed, np.int32), len(plan))[first_step:]
    planned = (plan[first_step:], numbers, np.tile(seeds[:, None], count), is_own)
    flat = tf.data.Dataset.from_tensor_slices(planned).unbatch()
    read_items = flat.map(read, num_parallel_calls=os.cpu_count())
    batches = read_items.padded_batch(count) if is_parsed_only else read_items.batch(count)
    numbered = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(steps), batches))
    options = tf.data.Options()
    # The end of an iterator may wait for the tuner's thread, which sleeps for up to a minute
    # (TensorFlow 2.21, seen with op determinism): epochs took up to twice their time.
    options.autotune.enabled = False
    return numbered.prefetch(_PREFETCH).with_options(options)
