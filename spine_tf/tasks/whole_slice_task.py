"""What classification and localisation share: whole slices of one size through a SonoNet.

Source: Chen 2019, tasks A and B; methods 3.5 and 3.6.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records
from spine_tf.models import sononet
from spine_tf.tasks import image_task, task

_STEP = 32  # five poolings


@dataclasses.dataclass(frozen=True)
class WholeSliceTask(image_task.ImageTask):
    """A question about a whole slice.

    A slice is standardised, then padded with zeros or cut to one size around its middle: that keeps
    the size of a pixel, which resizing would not.

    Class attributes:
        output: Name of the output.
        network: Network that it needs.

    Attributes:
        image_size: Rows and columns that the network sees; 0 is the largest of the training records
            each, rounded up to a multiple of 32, so that none of them is cut.
    """

    anatomies: ClassVar[Sequence[str]] = (image_task.SLICE,)
    output: ClassVar[str]
    network: ClassVar[str]

    anatomy: str = image_task.SLICE
    image_size: int = 0

    def __post_init__(self):
        super().__post_init__()
        if self.patch_size:
            raise ValueError(
                f"`patch_size` must be 0 for whole slices, got {self.patch_size!r}. Give image_size"
                " to pad or cut them."
            )
        if self.image_size < 0 or self.image_size % _STEP:
            raise ValueError(
                f"`image_size` must be 0 or a multiple of {_STEP}, got {self.image_size!r}."
            )

    def configure(self, index: records.Index) -> Any:
        if self.image_shape:
            return self
        largest = (max(index.column(name), default=1) for name in ("rows", "columns"))
        sides = [self.image_size or -(-side // _STEP) * _STEP for side in largest]
        shape = (1, *sides, index.num_channels)
        return dataclasses.replace(self, image_shape=shape)

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        if model_config.network != self.network:
            raise ValueError(
                f"`preset` must be one of {self.network}-64, -32 and -16 for this task, got"
                f" {model_config.network}."
            )
        return (None, None, self.image_shape[-1])

    @property
    @abc.abstractmethod
    def num_outputs(self) -> int:
        """Number of logits."""

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed
        label = batch[self.output]
        is_known = tf.reduce_all(tf.reshape(label >= 0, [tf.shape(label)[0], -1]), -1)
        inputs = {"image": self.network_image(batch["image"])}
        weights = {self.output: tf.cast(is_known, tf.float32)}
        return task.Batch(inputs, {self.output: label}, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        del model_config  # SonoNet has no fully connected layers
        image = keras.Input(encoder.input_shape[1:], name="image")
        logits = sononet.logits(encoder(image), self.num_outputs, seed=seed)
        return keras.Model({"image": image}, {self.output: logits}, name=self.output)
