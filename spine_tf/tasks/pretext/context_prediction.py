"""Context prediction: a region of the image is removed, and the network predicts it.

It is judged by the variance of the region that it misses: nearly anything is nearer to the region
than the 0 that was put there.
Source: Pathak et al. 2016 as compared in Chen 2019, section 3, with the L2 loss alone; methods 3.4.
"""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from spine_tf.data import masking
from spine_tf.metrics import restoration_ratio
from spine_tf.tasks import image_task, restoration_task, task


@dataclasses.dataclass(frozen=True)
class ContextPrediction(restoration_task.RestorationTask):
    """Predicts a removed region; only that counts in the loss."""

    judged_by: ClassVar[str] = restoration_ratio.MISSED_VARIANCE

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training  # of validation a region is removed, too, always the same
        image = batch["image"]
        seeds = image_task.image_seeds(image, seed)
        found = masking.remove_region(image, batch["valid"], seeds)
        return self.batch_of(image, tf.cast(found.mask, tf.float32), found.image, found.mask)
