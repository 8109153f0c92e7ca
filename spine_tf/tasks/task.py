"""The contract of a task: what it reads, what it shows the network, what it asks of it.

A task is a frozen dataclass and is its own configuration. Outputs, labels, weights, losses and
metrics share keys. Adding a task is one file and one line in `tasks/__init__.py`.
"""

import abc
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, crops, records, schema

Tensors = Mapping[str, tf.Tensor]


class Batch(NamedTuple):
    """What a step sees: inputs of the model; labels and weights by output, [batch, ...]."""

    inputs: Tensors
    labels: Tensors
    weights: Tensors


@dataclasses.dataclass(frozen=True)
class Task(abc.ABC):
    """A pretext or downstream task.

    `record_kind` and `protocol` are class attributes, or properties where a field decides.

    Class attributes:
        transfers_decoder: Whether its reconstruction part, too, is a start for other tasks.
        checked_splits: Splits that `check` is given before a training starts.
        least_judged: Examples of which there are at least so many in a validation or a test. A
            smaller split is passed over again, its examples otherwise drawn: of use where they are
            drawn at random.
    """

    transfers_decoder: ClassVar[bool] = False
    checked_splits: ClassVar[tuple[str, ...]] = ("train", "validation")
    least_judged: ClassVar[int] = 0

    @property
    @abc.abstractmethod
    def record_kind(self) -> str:
        """Kind of record it reads."""

    @property
    @abc.abstractmethod
    def protocol(self) -> str:
        """Protocol of the split it is trained on, where no fold is asked for."""

    @property
    def crop_kind(self) -> crops.CropKind:
        """What its records are crops of."""
        return schema.CROP_KINDS[self.record_kind]

    @property
    def test_kind(self) -> str:
        """Kind of record it is evaluated on."""
        return self.record_kind

    @property
    def augment_ranges(self) -> augmentation.AugmentConfig | None:
        """Ranges of its augmentation at full strength; None where it has none."""
        return augmentation.AugmentConfig()

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        """Returns the shape that the encoder is built for.

        [slices, rows, columns] of crops; [rows, columns, channels] of 2-D images, whose rows and
        columns may be None.
        """
        return self.crop_kind.network_shape(model_config.crop_scale)

    def configure(self, index: records.Index) -> "Task":
        """Returns the task with everything filled in that depends on the training records."""
        del index
        return self

    def for_data(self, data: records.DataFolder) -> "Task":
        """Returns the trained task for another data set, which may number its labels otherwise.

        Raises:
            ValueError: If the data set does not name a label that the task knows.
        """
        del data
        return self

    def check(self, indices: Mapping[str, records.Index]) -> None:
        """Raises ValueError where the records of a split cannot train, validate or test it.

        Args:
            indices: Split, see `checked_splits`, -> its records.
        """
        del indices

    def calibrate(self, build: Callable[[], keras.Model], batches: Iterator[Batch]) -> "Task":
        """Returns the task with everything filled in that depends on the untrained model.

        Args:
            build: Builds the model as it is at the start of training.
            batches: Batches of training examples, without end.
        """
        del build, batches
        return self

    @abc.abstractmethod
    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        """Returns name -> number of training labels per class, for `losses`."""

    @abc.abstractmethod
    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        """Plans one epoch as a pure function of its arguments.

        Args:
            index: The records.
            batch_size: Examples of a step, as the user counts them.
            seed: Another seed is another order.

        Returns:
            [steps, items, width] int32. Column 0 is the number of a record; what the other columns
            say of an item reaches `preprocess` as example["item"].
        """

    @abc.abstractmethod
    def preprocess(
        self, example: Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> Tensors:
        """Turns one parsed record into the tensors of one item; in tf.data or on the device."""

    @abc.abstractmethod
    def prepare_batch(self, batch: Tensors, training: bool, seed: tf.Tensor) -> Batch:
        """Does what needs the whole batch, before it is split over devices (negatives, say).

        Args:
            batch: The items, each tensor with a leading axis.
            training: Whether random draws are wanted that only training needs.
            seed: [2] int32.
        """

    def row_labels(self, row: Mapping[str, Any]) -> dict[str, int] | None:
        """Returns what `preprocess` says of an item besides its crop, from its row of the index.

        None where an item is more than one record's crop with its labels: then features of a
        frozen encoder are not kept, see `training/frozen_features.py`.
        """
        del row
        return None

    @abc.abstractmethod
    def build(
        self, encoder: keras.Model, model_config: config.ModelConfig, seed: int
    ) -> keras.Model:
        """Builds the model. It may call the encoder several times, or use all its stages.

        Args:
            encoder: conv1 to conv5, which returns its stages by name.
            model_config: Sizes of the heads.
            seed: Seed of the heads' weights.

        Returns:
            A functional model from a dict of inputs to a dict of outputs.
        """

    @abc.abstractmethod
    def losses(self, statistics: records.Statistics) -> dict[str, keras.losses.Loss]:
        """Returns output -> loss with reduction "none", [batch] each."""

    @abc.abstractmethod
    def metrics(self) -> dict[str, list[keras.metrics.Metric]]:
        """Returns output -> metrics."""

    def alarms(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """Returns what looks wrong after an epoch.

        Args:
            history: Per epoch so far, what metrics.csv says.
        """
        del history
        return []

    def loss_weights(self) -> dict[str, float]:
        """Returns output -> share in the total loss, where it is not 1."""
        return {}


def shuffled_plan(num_records: int, batch_size: int, seed: int) -> np.ndarray:
    """Plans every record once in a random order; the last step is filled up from the start.

    Returns:
        [steps, batch_size, 1] int32.
    """
    order = np.random.default_rng(seed).permutation(num_records)
    num_steps = -(-num_records // batch_size)
    return np.resize(order, (num_steps, batch_size, 1)).astype(np.int32)


def num_passes(made: Task, num_examples: int) -> int:
    """Returns how often a split of so many examples is passed over, see `Task.least_judged`."""
    return max(1, -(-made.least_judged // num_examples)) if num_examples else 1


def labelled_batch(batch: Tensors, names: Sequence[str]) -> Batch:
    """Returns the batch of crops with labels of some names; below 0 is missing, of weight 0."""
    labels = {name: batch[name] for name in names}
    weights = {name: tf.cast(label >= 0, tf.float32) for name, label in labels.items()}
    return Batch({"crop": batch["crop"]}, labels, weights)


def check_keys(batch: Batch, outputs: Mapping[str, Any], losses: Iterable[str]) -> None:
    """Checks that outputs, labels, weights and losses name the same things.

    Raises:
        ValueError: If they do not.
    """
    expected = set(losses)
    for what, found in (
        ("labels", batch.labels),
        ("weights", batch.weights),
        ("outputs", outputs),
    ):
        if set(found) != expected:
            raise ValueError(
                f"`{what}` must have the keys of the losses, {sorted(expected)}, got"
                f" {sorted(found)}."
            )
