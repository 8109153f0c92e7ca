"""Examples of a task as its model sees them, each once or in several draws, batch by batch.

What a pretext does to an image follows from the image's record alone, so the numbers of two models
are of the same disordered images, whatever the size of a batch.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.data import augmentation, pipeline
from spine_tf.evaluation import fold
from spine_tf.tasks import task

DRAW_SEED = 2_000_003  # of what a pretext draws; neither that of training nor of validation


def all_items(one: fold.Fold) -> np.ndarray:
    """Returns every item that the task plans of the test records, once, [items, width] int32."""
    return np.unique(one.folder.task.plan(one.test, 1, 0)[:, 0], axis=0)


def batches(
    one: fold.Fold, items: np.ndarray, batch_size: int, num_draws: int = 1
) -> Iterator[tuple[np.ndarray, task.Batch]]:
    """Yields the examples of items, without augmentation.

    Args:
        one: Model and records.
        items: [items, width] int32 as `Task.plan` plans them; at least one.
        batch_size: Examples per step.
        num_draws: How often every item is there, each time otherwise drawn.

    Yields:
        Positions [batch] in `items` repeated `num_draws` times, and the batch. The last one of a
        draw is filled up with examples from the start, whose positions are missing.
    """
    num_steps = -(-len(items) // batch_size)
    plan = np.resize(items, (num_steps, batch_size, items.shape[1])).astype(np.int32)
    inputs = augmentation.InputConfig(one.test.crop_scale, one.folder.model_config.crop_scale)
    process = pipeline.compile_preprocess(
        one.test.kind, one.test.crop_scale, _one_example(one), inputs, one.test.crop_kind
    )
    of_draw = DRAW_SEED + 2 * np.arange(num_draws)  # an item uses two
    plan = np.tile(plan, (num_draws, 1, 1))
    for step, batch in pipeline.items(
        one.test, plan, process, seed=np.repeat(of_draw, num_steps).tolist()
    ):
        draw, place = divmod(int(step), num_steps)
        first = place * batch_size
        positions = np.arange(first, min(first + batch_size, len(items))) + draw * len(items)
        yield positions, task.Batch(batch["inputs"], batch["labels"], batch["weights"])


def _one_example(one: fold.Fold):
    """The preprocessing of one item as a batch of its own, so that its draws are its own."""
    made = one.folder.task

    def preprocess(example, inputs: augmentation.InputConfig, seed: tf.Tensor) -> dict[str, Any]:
        item = made.preprocess(example, inputs, seed)
        alone = {name: value[None] for name, value in item.items()}
        batch = made.prepare_batch(alone, False, tf.stack([seed[0] + 1, seed[1]]))
        return {
            part: {name: value[0] for name, value in tensors.items()}
            for part, tensors in batch._asdict().items()
        }

    return preprocess
