"""Which organs does a slice show? One network for the slices of three views.

The runs of slices that show an organ give the walls of its box: `evaluation.boxes`.
Source: de Vos 2017 (the scheme); Chen 2019, abdominal organs; methods 3.6.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records
from spine_tf.losses import balanced_sigmoid
from spine_tf.metrics import multilabel_accuracy
from spine_tf.tasks import task, whole_slice_task

ORGANS = "organs"


@dataclasses.dataclass(frozen=True)
class Localisation(whole_slice_task.WholeSliceTask):
    """Says of every organ whether a slice shows it; slices without a label map are left out.

    Slices without any organ, of air too, are used: they are asked for when a volume is searched.

    Attributes:
        organs: Names of labels of the data set; empty is all that the training records show.
        labels: Label of each organ in the records; filled in.
    """

    output: ClassVar[str] = ORGANS
    network: ClassVar[str] = config.SONONET_6

    organs: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        for name in ("organs", "labels"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(set(self.organs)) < len(self.organs):
            raise ValueError(f"`organs` must be different names, got {', '.join(self.organs)}.")
        if self.labels and len(self.labels) != len(self.organs):
            raise ValueError(f"`labels` must be one per organ, got {self.labels!r}.")

    def configure(self, index: records.Index) -> "Localisation":
        made = super().configure(index)
        if self.labels:
            return made
        names = records.open_folder(index.folder).label_names
        shown = {int(label) for row in index.rows for label in row["label_pixels"] or {}}
        found = {name: label for label, name in names.items() if label in shown}
        if not found or set(self.organs) - set(found):
            raise ValueError(
                "`organs` must be among the labels that the training records show,"
                f" {', '.join(found) or 'none'}, got {', '.join(self.organs) or 'none'}. Convert"
                " volumes with label maps and --label_names."
            )
        organs = self.organs or tuple(found)
        labels = tuple(found[organ] for organ in organs)
        return dataclasses.replace(made, organs=organs, labels=labels)

    def for_data(self, data: records.DataFolder) -> "Localisation":
        return dataclasses.replace(self, labels=data.labels_of(self.organs))

    @property
    def num_outputs(self) -> int:
        return len(self.organs)

    def is_used(self, row: Mapping[str, Any]) -> bool:
        return row["label_pixels"] is not None

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        """Per organ how many slices do not show it and how many do."""
        maps = [row["label_pixels"] for row in index.rows if self.is_used(row)]
        present = [sum(str(label) in shown for shown in maps) for label in self.labels]
        found = zip(self.organs, present, strict=True)
        return {organ: [len(maps) - count, count] for organ, count in found}

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        planes = {"label_map": example["label_map"]}
        found = self.slice_input(example, inputs, seed, planes=planes)
        return {"image": found["image"], ORGANS: self.presence(found["label_map"])}

    def presence(self, label_map: tf.Tensor) -> tf.Tensor:
        """Returns [organs] int32: 1 for each that a map of labels shows, else 0."""
        is_organ = label_map[..., None] == tf.constant(self.labels, label_map.dtype)
        shown = tf.reduce_any(is_organ, list(range(len(label_map.shape))))
        return tf.cast(shown, tf.int32)

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        counts = [statistics.class_counts[organ] for organ in self.organs]
        return {ORGANS: balanced_sigmoid.BalancedSigmoid(counts)}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return {ORGANS: [multilabel_accuracy.MultilabelAccuracy(len(self.organs))]}
