"""Context restoration: patches of an image change places, and the network puts them back.

Source: Chen 2019, section 2, algorithm 1; methods 3.1 and 3.2.
"""

import dataclasses

import tensorflow as tf

from spine_tf.data import swaps
from spine_tf.tasks import image_task, restoration_task, task


@dataclasses.dataclass(frozen=True)
class ContextRestoration(restoration_task.RestorationTask):
    """Restores images whose patches have changed places.

    Attributes:
        coverage: Share of voxels that are to come from another place; it sets the number of swaps.
        changed_weight: How much a changed voxel counts in the loss, where another counts 1.
        whole_columns: Whether a patch takes all slices, in place of up to 3.
    """

    coverage: float = 0.4
    changed_weight: float = 1.0
    whole_columns: bool = False

    def __post_init__(self):
        super().__post_init__()
        if not self.changed_weight > 0:
            raise ValueError(f"`changed_weight` must be positive, got {self.changed_weight!r}.")
        if not 0 < self.coverage <= 0.9:
            raise ValueError(f"`coverage` must be above 0 and at most 0.9, got {self.coverage!r}.")

    @property
    def _swaps(self) -> swaps.SwapConfig:
        return swaps.SwapConfig(max_depth=None) if self.whole_columns else swaps.SwapConfig()

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training  # validation is disordered, too, always in the same way
        image, valid = batch["image"], batch["valid"]
        found = swaps.disorder(
            image,
            valid,
            batch["foreground"],
            image_task.image_seeds(image, seed),
            num_swaps=swaps.swaps_for_coverage(tuple(image.shape[1:4]), self.coverage, self._swaps),
            config=self._swaps,
        )
        weight = tf.where(found.changed, self.changed_weight, 1.0) * tf.cast(valid, tf.float32)
        return self.batch_of(image, weight, found.image, found.changed)
