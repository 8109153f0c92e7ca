"""What the pretexts share that ask for the image as it was: input, network, loss, metrics.

Source: Chen 2019, section 2 (encoder-decoder, L2 loss); methods 3.2.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records
from spine_tf.losses import masked_squared_error
from spine_tf.metrics import restoration_ratio
from spine_tf.models import networks
from spine_tf.tasks import image_task, task

RESTORED = "restored"
_ALARM_EPOCHS = 20


@dataclasses.dataclass(frozen=True)
class RestorationTask(image_task.ImageTask):
    """A pretext whose output is the image.

    Class attributes:
        skips: Whether a U-Net concatenates its stages.
        judged_by: The metric that says whether it was learned.
    """

    skips: ClassVar[bool] = True
    judged_by: ClassVar[str] = restoration_ratio.EVERYWHERE
    transfers_decoder: ClassVar[bool] = True

    def batch_of(
        self, image: tf.Tensor, weight: tf.Tensor, given: tf.Tensor, changed: tf.Tensor
    ) -> task.Batch:
        """Returns the batch in which `given` is shown and `image` asked for.

        Args:
            image: [batch, slices, rows, columns, channels] float32 as it was.
            weight: [batch, slices, rows, columns] float32: how much a voxel counts.
            given: As `image`: what the network sees.
            changed: As `weight`, bool: which voxels of it are not as they were.
        """
        label = masked_squared_error.pack(image, weight, given, changed)
        weights = {RESTORED: tf.ones_like(label[:, 0, 0, 0, 0])}
        inputs = {"image": self.network_image(given)}
        return task.Batch(inputs, {RESTORED: self.network_image(label)}, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        shape = encoder.input_shape[1:]
        image = keras.Input(shape, name="image")
        restored = networks.decoder(
            model_config, encoder(image), shape, skips=self.skips, seed=seed
        )
        return keras.Model({"image": image}, {RESTORED: restored}, name="restoration")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        del statistics
        return {RESTORED: masked_squared_error.MaskedSquaredError()}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        ratios = (restoration_ratio.EVERYWHERE, restoration_ratio.CHANGED)
        found = [restoration_ratio.RestorationRatio(name) for name in ratios]
        others = [restoration_ratio.MissedVariance(), restoration_ratio.ChangedShare()]
        return {RESTORED: [*found, *others]}

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        found = history[-1].get(judged_column(self), 0.0) if len(history) >= _ALARM_EPOCHS else 0.0
        if not found > restoration_ratio.NOT_LEARNED:
            return []
        return [
            f"the pretext is not learned: {judged_column(self)} is {found:.3f} after"
            f" {len(history)} epochs, above {restoration_ratio.NOT_LEARNED}"
        ]


def judged_column(made: RestorationTask) -> str:
    """Returns the column of metrics.csv that says whether a task was learned."""
    return f"val_{RESTORED}/{made.judged_by}"
