"""From planned items to batches: a tf.data pipeline that is a pure function of plan and seed.

Because every batch follows from the plan, the seed and the number of the step, a run resumes at any
step without a stored iterator.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spine_tf.data import augmentation, records, schema

_PREFETCH = 4


def items(
    index: records.Index,
    plan: np.ndarray,
    preprocess: Callable,
    inputs: augmentation.InputConfig,
    *,
    seed: int,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Reads, parses and preprocesses the items of a plan, batch by batch.

    Args:
        index: The records.
        plan: [steps, items, width] int32, see `Task.plan`.
        preprocess: (example, inputs, seed) -> tensors of one item, see `Task.preprocess`.
        inputs: Scales and augmentation.
        seed: With the step and the place in the batch, the seed of an item's augmentation.
        first_step: Steps to leave out at the start.

    Returns:
        A dataset of (step, batch): scalar int32, and tensors with a leading axis of items.
    """
    steps = np.arange(first_step, len(plan), dtype=np.int32)
    count = plan.shape[1]
    numbers = (steps[:, None] * count + np.arange(count)).astype(np.int32)

    def read(item, number):
        serialized = tf.numpy_function(
            lambda record: index.read(int(record)), [item[0]], tf.string, stateful=False
        )
        example = schema.parse(index.kind, tf.ensure_shape(serialized, []), index.crop_scale)
        example["item"] = item[1:]
        return preprocess(example, inputs, tf.stack([seed, number]))

    # A batch may hold two records at once per core; more would only cost memory.
    flat = tf.data.Dataset.from_tensor_slices((plan[first_step:], numbers)).unbatch()
    batches = flat.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(count)
    numbered = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(steps), batches))
    return numbered.prefetch(_PREFETCH)
