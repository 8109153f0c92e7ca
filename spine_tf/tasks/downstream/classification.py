"""Classification of images by SonoNet: what does a slice show?

Source: Chen 2019, fetal standard planes; methods 3.5. The loss is balanced over classes as that of
grading is.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records
from spine_tf.losses import balanced_cross_entropy
from spine_tf.metrics import balanced_accuracy
from spine_tf.tasks import task, whole_slice_task

LABEL = "label"
_BACKGROUND = "background"


@dataclasses.dataclass(frozen=True)
class Classification(whole_slice_task.WholeSliceTask):
    """Gives a slice the class that its record is labelled with; records without label are left out.

    Attributes:
        classes: Class names in the order of the classes; empty is those of the training records,
            sorted.
        include_background: Whether records called background are used, in any case of letters.
    """

    output: ClassVar[str] = LABEL
    network: ClassVar[str] = config.SONONET

    classes: tuple[str, ...] = ()
    include_background: bool = True

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "classes", tuple(self.classes))
        wrong = [name for name in self.classes if not self._is_class(name)]
        if wrong or len(set(self.classes)) < len(self.classes):
            raise ValueError(
                "`classes` must be names, each once, without background where include_background"
                f" is false, got {', '.join(map(repr, self.classes))}."
            )

    def configure(self, index: records.Index) -> "Classification":
        found = self._labels(index)
        classes = self.classes or tuple(sorted(found))
        if len(classes) < 2:
            raise ValueError(
                "`data_dir` must hold labels of at least two classes in the training split, got"
                f" {', '.join(map(repr, classes)) or 'none'}. Convert with --kinds=slice and a"
                " column `label`."
            )
        made = dataclasses.replace(super().configure(index), classes=classes)
        made.check({"train": index})
        return made

    def check(self, indices: Mapping[str, records.Index]) -> None:
        for split, index in indices.items():
            found = self._labels(index)
            outside = sorted(set(found) - set(self.classes))
            if outside:
                counts = ", ".join(f"{name} ({found[name]})" for name in sorted(found))
                raise ValueError(
                    f"`classes` must hold every label of the records, got"
                    f" {', '.join(self.classes)} without {', '.join(outside)}. The records of"
                    f" {split} are labelled {counts}. Give all of them as classes, or convert with"
                    " --classes."
                )

    def _is_class(self, label: str) -> bool:
        return bool(label) and (self.include_background or label.casefold() != _BACKGROUND)

    def _labels(self, index: records.Index) -> collections.Counter:
        """Label -> how many records that are used have it."""
        return collections.Counter(row["label"] for row in index.rows if self.is_used(row))

    @property
    def num_outputs(self) -> int:
        return len(self.classes)

    def is_used(self, row: Mapping[str, Any]) -> bool:
        return super().is_used(row) and self._is_class(row["label"])

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        found = self._labels(index)
        return {LABEL: [found[name] for name in self.classes]}

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        image = self.slice_input(example, inputs, seed)["image"]
        return {"image": image, LABEL: self.class_index(example["label"])}

    def class_index(self, label: tf.Tensor) -> tf.Tensor:
        """Returns the class index int32 of a label [...]; -1 of one outside the list."""
        is_it = tf.constant(self.classes) == label[..., None]
        index = tf.argmax(tf.cast(is_it, tf.int32), -1, tf.int32)
        return tf.where(tf.reduce_any(is_it, -1), index, -1)

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        return balanced_cross_entropy.per_output(statistics.class_counts, [LABEL])

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        return balanced_accuracy.per_output({LABEL: len(self.classes)})
