"""Segmentation of slices by a U-Net.

Source: Chen 2019, brain tumour segmentation; its regions are those of BraTS 2017; methods 3.7.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records
from spine_tf.losses import overlap_cross_entropy
from spine_tf.metrics import dice
from spine_tf.models import blocks, networks, unet
from spine_tf.tasks import image_task, task

LABELS = "labels"
BRATS = "brats"  # the source of such a data set
BRATS_LABELS = (1, 2, 4)
BRATS_REGIONS = ("whole=1+2+4", "core=1+4", "enhancing=4")
_ON_LABEL, _ON_BORDER = 0.5, 0.75  # below: on a label; below: on a border; else on the foreground
_BORDER_PIXELS = 2


@dataclasses.dataclass(frozen=True)
class Segmentation(image_task.ImageTask):
    """Gives every pixel of a slice its label.

    Attributes:
        regions: Unions of labels by name, such as "whole=1+2+4", that the metric is the mean of;
            empty is `BRATS_REGIONS` for data of BraTS, else one per label.
        labels: Labels of the records, in the order of the classes from 1 on; filled in.
        label_names: Name of each label in the data set of the training; filled in.
    """

    anatomies: ClassVar[Sequence[str]] = (image_task.SLICE,)

    anatomy: str = image_task.SLICE
    regions: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    label_names: tuple[str, ...] = ()

    def __post_init__(self):
        super().__post_init__()
        for name in ("regions", "labels", "label_names"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        parse_regions(self.regions)

    def configure(self, index: records.Index) -> "Segmentation":
        made = super().configure(index)
        shown = {int(label) for row in index.rows for label in row["label_pixels"] or {}}
        labels = self.labels or tuple(sorted(shown))
        if not labels:
            raise ValueError(
                "`data_dir` must hold label maps for segmentation, got none in the training split."
                " Convert volumes with label maps: spine-tf convert-images --help."
            )
        data = records.open_folder(index.folder)
        names = data.label_names
        if set(self.labels) - {*names, *shown}:
            raise ValueError(
                f"`labels` must be of the data set, {_listed(names)}, got {list(self.labels)}."
            )
        named = {label for region in parse_regions(self.regions).values() for label in region}
        if named - set(labels):
            raise ValueError(
                f"`regions` must be of the labels {labels}, got {sorted(named - set(labels))}."
            )
        return dataclasses.replace(
            made,
            labels=labels,
            regions=self.regions or _default_regions(labels, data),
            label_names=tuple(names.get(label, str(label)) for label in labels),
        )

    def for_data(self, data: records.DataFolder) -> "Segmentation":
        labels = data.labels_of(self.label_names)
        label_of = {old: str(new) for old, new in zip(self.labels, labels, strict=True)}
        regions = tuple(
            f"{name}={'+'.join(label_of[label] for label in region)}"
            for name, region in parse_regions(self.regions).items()
        )
        return dataclasses.replace(self, labels=labels, regions=regions)

    @property
    def region_labels(self) -> dict[str, tuple[int, ...]]:
        """Region -> its labels."""
        return parse_regions(self.regions) or {str(label): (label,) for label in self.labels}

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        if model_config.network != config.UNET:
            raise ValueError(
                f"`preset` must be a U-Net for segmentation, unet-16 say, got"
                f" {model_config.network}."
            )
        shape = self.shape(model_config)
        blocks.check_sides(shape[1:], unet.NUM_STAGES)
        return (None, None, shape[-1])  # whole slices, too

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        """Pixels of every label."""
        maps = [row["label_pixels"] or {} for row in index.rows]
        return {LABELS: [sum(found.get(str(each), 0) for found in maps) for each in self.labels]}

    def is_used(self, row: Mapping[str, Any]) -> bool:
        return super().is_used(row) and row["label_pixels"] is not None

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        classes = self.class_map(example["label_map"])
        likely = _likely(classes, example["foreground"], seed + 1) if self.patch_size else None
        planes = {"classes": classes}
        return self.slice_input(example, inputs, seed, likely=likely, planes=planes)

    def class_map(self, label_map: tf.Tensor) -> tf.Tensor:
        """Returns class indices int32 of a map of labels; labels that are not asked for are 0."""
        classes = tf.zeros_like(label_map)
        for number, label in enumerate(self.labels, 1):
            classes = tf.where(label_map == label, number, classes)
        return classes

    def prepare_batch(self, batch: task.Tensors, training: bool, seed: tf.Tensor) -> task.Batch:
        del training, seed
        label = overlap_cross_entropy.pack(batch["classes"][:, 0], batch["valid"][:, 0])
        weights = {LABELS: tf.ones_like(label[:, 0, 0, 0], tf.float32)}
        return task.Batch({"image": self.network_image(batch["image"])}, {LABELS: label}, weights)

    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        image = keras.Input(encoder.input_shape[1:], name="image")
        shape = (*encoder.input_shape[1:-1], 1 + len(self.labels))
        logits = networks.decoder(model_config, encoder(image), shape, skips=True, seed=seed)
        return keras.Model({"image": image}, {LABELS: logits}, name="segmentation")

    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        del statistics
        return {LABELS: overlap_cross_entropy.OverlapCrossEntropy()}

    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        regions = [
            [self.labels.index(label) + 1 for label in labels]
            for labels in self.region_labels.values()
        ]
        return {LABELS: [dice.Dice(regions, 1 + len(self.labels))]}


def parse_regions(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Returns name -> labels of texts such as "whole=1+2+4".

    Raises:
        ValueError: If one has another form, or a name stands twice.
    """
    found = {}
    for text in texts:
        name, _, labels = text.partition("=")
        parts = labels.split("+")
        if not name or name in found or not all(part.isdecimal() and int(part) for part in parts):
            raise ValueError(
                f"`regions` must be of the form NAME=LABEL+LABEL, each name once, got {text!r}."
            )
        found[name] = tuple(int(part) for part in parts)
    return found


def _listed(names: Mapping[int, str]) -> str:
    return ", ".join(f"{label} ({name})" for label, name in names.items()) or "which names none"


def _default_regions(labels: tuple[int, ...], data: records.DataFolder) -> tuple[str, ...]:
    """Those of BraTS for a data set of it that shows all its labels, else none."""
    if tuple(sorted(labels)) != BRATS_LABELS:
        return ()
    return BRATS_REGIONS if data.manifest["source"] == BRATS else ()


def _likely(classes: tf.Tensor, foreground: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Where the middle of a patch is drawn: half on labels, a quarter on their borders."""
    draw = tf.random.stateless_uniform([], seed)
    labelled = classes > 0
    place = tf.where(draw < _ON_BORDER, near_border(classes), foreground)
    place = tf.where(draw < _ON_LABEL, labelled, place)
    return tf.where(tf.reduce_any(labelled), place, foreground)


def near_border(classes: tf.Tensor) -> tf.Tensor:
    """Returns where two pixels either way there is more than one class, [rows, columns] bool.

    Args:
        classes: [rows, columns] int32.
    """
    return _windows(classes, tf.maximum) > _windows(classes, tf.minimum)


def _windows(plane: tf.Tensor, of_two: Callable) -> tf.Tensor:
    """The largest or least value around each pixel; 20 times as fast as pooling on a CPU."""
    margin = [_BORDER_PIXELS] * 2
    for _ in range(2):  # along the rows, then along the columns
        padded, count = tf.pad(plane, [margin, [0, 0]], "SYMMETRIC"), tf.shape(plane)[0]
        shifted = [padded[first : first + count] for first in range(2 * _BORDER_PIXELS + 1)]
        plane = tf.transpose(functools.reduce(of_two, shifted))
    return plane
