"""Autoencoder: the network gives back the image that it is shown.

A U-Net has no concatenations here, or it would copy. Source: Chen 2019, the comparison of section
3; methods 3.4 and P10.
"""

import dataclasses
from typing import ClassVar

import tensorflow as tf

from spine_tf.metrics import restoration_ratio
from spine_tf.tasks import restoration_task, task


@dataclasses.dataclass(frozen=True)
class Autoencoder(restoration_task.RestorationTask):
    """Gives back the image."""

    skips: ClassVar[bool] = False
    judged_by: ClassVar[str] = restoration_ratio.MISSED_VARIANCE

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed
        image, valid = batch["image"], batch["valid"]
        return self.batch_of(image, tf.cast(valid, tf.float32), image, tf.zeros_like(valid))
