"""Batches of a run: every one follows from seed, epoch and step."""

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, pipeline, records, slice_schema
from spine_tf.tasks import task

_VALIDATION_SEED = 1_000_003
SPLITS = ("train", "validation")  # that a run reads


class Batches:
    """Batches of both splits by epoch and step.

    Attributes:
        task: The task, configured.
        indices: Split -> its records.
        process: Split -> compiled preprocessing of an item, see `pipeline.compile_preprocess`.
    """

    def __init__(
        self,
        made: task.Task,
        train_config: config.TrainConfig,
        crop_scale: float,
        indices: Mapping[str, records.Index],
        share: tuple[int, int] = (0, 1),
    ):
        """Compiles the preprocessing.

        Args:
            made: The task, configured.
            train_config: Batch size, seed, augmentation.
            crop_scale: Scale of the crops that the network sees.
            indices: Split -> its records.
            share: (number of this worker, number of workers). Every worker has the labels of the
                whole batch, so that pairs are those of the whole; on the host, the crops that
                are other workers' are not augmented.

        Raises:
            ValueError: If what is augmented on the device are images or slices.
        """
        self._share = share
        self.task, self.indices, self._settings = made, indices, train_config
        stored = indices["train"].crop_scale
        ranges = made.augment_ranges if train_config.augment else None
        augment = ranges and ranges.scaled(train_config.augment_strength)
        inputs = {
            "train": augmentation.InputConfig(stored, crop_scale, augment),
            "validation": augmentation.InputConfig(stored, crop_scale),
        }
        self.process = {
            split: pipeline.compile_preprocess(
                made.record_kind,
                stored,
                made.preprocess,
                inputs[split],
                indices["train"].crop_kind,
            )
            for split in inputs
        }
        self._plain = self.process["validation"]
        self._parse, self._finish = None, {}
        if train_config.augment_on == config.DEVICE:
            crop_kind = indices["train"].crop_kind
            if isinstance(crop_kind, slice_schema.SliceKind):
                raise ValueError(
                    "`augment_on` must be host for images and slices, which differ in size, got"
                    " 'device'."
                )
            self._parse = pipeline.compile_parse(made.record_kind, stored, crop_kind)
            self._finish = {
                split: pipeline.compile_batch_preprocess(made.preprocess, inputs[split])
                for split in inputs
            }
        self._prepare = tf.function(made.prepare_batch, autograph=False)

    def seed(self, split: str, number: int) -> int:
        """Seed of everything random in a pass over a split; validations are all alike."""
        if split == "validation":
            return _VALIDATION_SEED + number
        return self._settings.seed * 10_000 + number

    def passes(self, split: str, epoch: int) -> list[tuple[int, np.ndarray]]:
        """(number, plan) of the passes over a split that make an epoch; see `Task.plan`.

        An epoch is one pass, or `steps_per_epoch` steps: then the last pass is cut short. A
        validation is as many as `Task.least_judged` needs.
        """
        found, left = [], self._limit(split) or None
        for number in self._pass_numbers(split, epoch):
            plan = self._pass(split, number)[:left]
            left = left and left - len(plan)
            found.append((number, plan))
        return found

    def _limit(self, split: str) -> int:
        """Steps of an epoch; 0 is one pass."""
        return self._settings.steps_per_epoch if split == "train" else 0

    def _pass_numbers(self, split: str, epoch: int) -> range:
        if split == "validation":
            if not self.task.least_judged:
                return range(1)
            return range(task.num_passes(self.task, self._pass(split, 0)[..., 0].size))
        limit = self._limit(split)
        length = limit and len(self._pass(split, 0))
        count = -(-limit // length) if length else 1
        return range(epoch * count, (epoch + 1) * count)

    def _pass(self, split: str, number: int) -> np.ndarray:
        """Plan of one pass over a split."""
        size = self._settings.batch_size
        return self.task.plan(self.indices[split], size, self.seed(split, number))

    def plan(self, split: str, epoch: int) -> np.ndarray:
        """Plan of an epoch, see `Task.plan`."""
        return np.concatenate([plan for _, plan in self.passes(split, epoch)])

    def num_steps(self, split: str) -> int:
        """Steps of an epoch, or of a validation."""
        length = len(self._pass(split, 0))
        return (self._limit(split) or length * len(self._pass_numbers(split, 0))) if length else 0

    def of_epoch(
        self, split: str, epoch: int, first_step: int = 0
    ) -> Iterator[tuple[int, task.Batch]]:
        """Yields (step, batch) of an epoch; weights add up to 1 over the batch."""
        training = split == "train" and self._settings.augment
        seed = self.seed(split, self._pass_numbers(split, epoch)[0])
        for step, batch in self.from_host(split, epoch, first_step):
            if self._parse:
                batch = self._finish[split](batch)
            prepared = self._prepare(batch, training, tf.stack([seed, -1 - step]))
            yield int(step), normalised(prepared)

    def from_host(self, split: str, epoch: int, first_step: int = 0) -> tf.data.Dataset:
        """Returns (step, items) of an epoch as the host makes them, see `pipeline.items`."""
        is_shared = split == "train" and self._share[1] > 1 and not self._parse
        passes = self.passes(split, epoch)
        return pipeline.items(
            self.indices[split],
            np.concatenate([plan for _, plan in passes]),
            self._parse or self.process[split],
            seed=[self.seed(split, number) for number, plan in passes for _ in plan],
            first_step=first_step,
            share=self._share,
            process_others=self._plain if is_shared else None,
            is_parsed_only=self._parse is not None,
        )

    def keys(self, split: str, epoch: int, step: int) -> list[str]:
        """Keys of the records of one batch, each once."""
        numbers = np.unique(self.plan(split, epoch)[step][..., 0])
        return [self.indices[split].rows[number]["key"] for number in numbers]

    @property
    def sizes(self) -> list[int]:
        """Examples of a whole batch of each split."""
        return [self._pass(split, 0).shape[1] for split in self.indices]

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes the model folder."""
        return self._share[0] == 0

    def whole(self) -> "Batches":
        """Returns the batches as one worker alone has them."""
        found = copy.copy(self)
        found._share = (0, 1)
        return found


class _OfEpoch(Protocol):
    def of_epoch(self, split: str, epoch: int) -> Iterator[tuple[int, task.Batch]]: ...


def endless(batches: _OfEpoch) -> Iterator[task.Batch]:
    """Yields training batches, epoch after epoch."""
    for epoch in itertools.count():
        for _, batch in batches.of_epoch("train", epoch):
            yield batch


def prepare(
    made: task.Task,
    train_config: config.TrainConfig,
    crop_scale: float,
    data: records.DataFolder,
    protocol: str,
    share: tuple[int, int] = (0, 1),
) -> Batches:
    """Configures a task on a data set and returns its batches.

    Args:
        made: The task.
        train_config: Settings of the run.
        crop_scale: Scale of the crops that the network sees.
        data: The data set.
        protocol: Its protocol that is trained on.
        share: See `Batches`.

    Raises:
        ValueError: If the task cannot be trained on the data set.
    """
    records.check_protocol(data, protocol)
    indices = {split: data.index(made.record_kind, protocol, split) for split in SPLITS}
    configured = made.configure(indices["train"])
    others = set(configured.checked_splits) - set(indices)
    configured.check(indices | {s: data.index(made.record_kind, protocol, s) for s in others})
    batches = Batches(configured, train_config, crop_scale, indices, share)
    if not batches.num_steps("train"):
        raise ValueError(
            f"{data.path}: has no example for this task in the training split of {protocol!r}."
            " Grading needs graded discs, longitudinal subjects with follow-ups."
        )
    return batches


def normalised(batch: task.Batch) -> task.Batch:
    """Returns a batch whose weights add up to 1 for every output."""
    weights = {
        name: tf.math.divide_no_nan(weight, tf.reduce_sum(weight))
        for name, weight in batch.weights.items()
    }
    return task.Batch(batch.inputs, batch.labels, weights)
