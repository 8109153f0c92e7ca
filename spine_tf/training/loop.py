"""The training loop: one for every task, on one device or several.

Every batch follows from seed, epoch and step, so a run that was stopped goes on as if it had not
been. With several workers each runs this loop in step with the others; only the chief writes.
"""

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config, tasks
from spine_tf.data import dataset_hash, records
from spine_tf.tasks import task
from spine_tf.training import batches as batches_lib
from spine_tf.training import (
    checkpoint,
    failed_batch,
    frozen_features,
    journal,
    leakage,
    model_folder,
    new_model,
    optimizers,
    pretext_mark,
    tensorboard,
    transferred,
)
from spine_tf.training import precision as precisions
from spine_tf.training import step as step_lib
from spine_tf.training import strategy as strategies

_MAY_CHANGE = ("epochs", "strategy", "checkpoint_steps", "keep_checkpoints")


@dataclasses.dataclass(frozen=True)
class Request:
    """What shall be trained.

    Attributes:
        task: The task, not yet configured.
        model_config: Sizes of the network.
        train_config: Settings.
        data: The data set.
        protocol: Protocol of the split.
        model_dir: Where the model goes; a run that was stopped there goes on.
        init_from: Model folder whose encoder weights are taken, or "".
        freeze_encoder: Whether the encoder stays as it is, batch norm statistics included.
        feature_cache: Folder of a frozen encoder's features, which runs may share; "" is the model
            folder's own.
    """

    task: task.Task
    model_config: config.ModelConfig
    train_config: config.TrainConfig
    data: records.DataFolder
    protocol: str
    model_dir: str
    init_from: str = ""
    freeze_encoder: bool = False
    feature_cache: str = ""

    def identity(self) -> dict:
        """What makes two requests the same run; epochs and devices may be others later."""
        train = dataclasses.asdict(self.train_config)
        for name in _MAY_CHANGE:
            del train[name]
        start = model_folder.weights_sha256(self.init_from) if self.init_from else ""
        identity: dict[str, Any] = {
            "task": {"name": tasks.name_of(self.task), **dataclasses.asdict(self.task)},
            "model_config": dataclasses.asdict(self.model_config),
            "train_config": train,
            "protocol": self.protocol,
            "records_sha256": dataset_hash.content(self.data),
            "init_from_sha256": start,
            "freeze_encoder": self.freeze_encoder,
        }
        # As JSON gives it back.
        identity["task"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in identity["task"].items()
        }
        return identity


def train(
    request: Request,
    say: Callable[[str], None] = print,
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None,
) -> model_folder.ModelFolder:
    """Trains, or goes on training, until the epochs are done or the loss is on its last plateau.

    With the strategy multiworker every worker calls it with the same request; `model_dir` must be a
    folder that all of them see.

    Args:
        request: What shall be trained.
        say: Takes the lines a person reads; only the chief's are said.
        on_epoch: Takes the number of an epoch, from 0 on, and its row of metrics.csv.

    Returns:
        The model folder.

    Raises:
        ValueError: If the request cannot be, the folder holds another run, or the loss is not
            finite.
        OSError: If the model cannot be saved, another process is training in the folder, or another
            worker is gone.
    """
    settings = request.train_config
    strategy = strategies.make(settings.strategy)  # before any operation of TensorFlow
    if not strategies.is_chief(strategy):
        say = on_epoch = _ignore
    for warning in strategies.warnings(settings.strategy):
        say(f"warning: {warning}")
    try:
        with contextlib.ExitStack() as until_end:
            run = _prepare(request, strategy, say, on_epoch or _ignore, until_end)
            strategies.check_same_start(strategy, run.restore(say), request.model_dir)
            run.train(say)
    except checkpoint.LOST_WORKER as error:
        if strategies.share(strategy)[1] == 1:
            raise
        raise OSError(
            "another worker is gone, so this one stops. Start all of them again with the same"
            " command, once what it said is mended: the run goes on from its last checkpoint."
        ) from error
    return run.folder


def _ignore(*arguments) -> None:
    """Takes what a worker that is not the chief would say."""


def _prepare(request: Request, strategy, say, on_epoch, until_end) -> "_Run":
    """Checks the request, builds the model and its folder."""
    settings, crop_scale = request.train_config, request.model_config.crop_scale
    share = strategies.share(strategy)
    batches = batches_lib.prepare(
        request.task, settings, crop_scale, request.data, request.protocol, share
    )
    made, indices = batches.task, batches.indices
    # What cannot be is said before anything is written.
    step_lib.check(settings, strategy, batches.sizes)
    for note in leakage.check_run(request.data, request.protocol, request.init_from):
        say(note)
    if request.freeze_encoder and not request.init_from:
        say("note: the frozen encoder has random weights, as there is no --init_from.")
    statistics = new_model.statistics(made, indices["train"], request.init_from)

    def build() -> tuple[keras.Model, tuple[str, ...]]:
        sizes, seed = request.model_config, settings.seed
        return new_model.build(made, sizes, statistics, seed, request.init_from)

    with precisions.policy(settings.precision):
        with strategy.scope():
            model, copied = build()
        if batches.is_chief:
            until_end.enter_context(model_folder.claimed(request.model_dir))
        folder = _folder(request, made, statistics, build, batches, say)
        if batches.is_chief:
            transferred.note(folder.path, sorted(copied), model, say)
        with strategy.scope():
            model_folder.find_encoder(model).trainable = not request.freeze_encoder
            trained, batches = _frozen(request, folder, model, batches)
    return _Run(folder, model, trained, strategy, batches, on_epoch)


def _frozen(request: Request, folder, model, batches):
    """Returns heads and batches of features where the encoder is frozen, else what was given."""
    draws = request.train_config.feature_draws
    rows = batches.indices["train"].rows
    if not (request.freeze_encoder and draws and frozen_features.can_reuse(folder.task, rows)):
        return model, batches
    encoder = model_folder.find_encoder(model)
    root = request.feature_cache or os.path.join(folder.path, frozen_features.FOLDER)
    cache = frozen_features.cache_folder(root, encoder, folder, request.data)
    heads = frozen_features.build_heads(model, folder)
    draws = draws if request.train_config.augment else 1
    return heads, frozen_features.FeatureBatches(batches, encoder, draws, cache)


def _changes(before: task.Task, after: task.Task) -> str:
    """Names the fields of a task that differ, with their new values."""
    new = dataclasses.asdict(after)
    old = dataclasses.asdict(before)
    changed = {name: value for name, value in new.items() if value != old[name]}
    texts = {n: f"{v:.6g}" if isinstance(v, float) else str(v) for n, v in changed.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())


def _folder(request: Request, made, statistics, build, batches, say) -> model_folder.ModelFolder:
    """Returns the folder of this run: the one that is there, or a new one with its config.json."""
    if folder := model_folder.existing(request.model_dir, request.identity()):
        folder = dataclasses.replace(folder, train_config=request.train_config)
    else:
        # A model of its own: a trained one may be spread over devices, and batch norm moves.
        made = made.calibrate(lambda: build()[0], batches_lib.endless(batches.whole()))
        if made != batches.task:
            say("set from the data: " + _changes(batches.task, made))
        folder = model_folder.ModelFolder(
            path=request.model_dir,
            task=made,
            model_config=request.model_config,
            train_config=request.train_config,
            statistics=statistics,
            protocol=request.protocol,
            data=model_folder.describe_data(request.data),
            versions=model_folder.library_versions(),
            request=request.identity(),
        )
    if batches.is_chief:
        # Each time, and config.json last: a run that was killed here is not known by less.
        families = {split: index.column("family") for split, index in batches.indices.items()}
        leakage.save(folder.path, request.init_from, families, leakage.key_ids(request.data))
        pretext_mark.save(folder.path, request.init_from)
        if request.init_from and (words := pretext_mark.explained(request.init_from)):
            say(f"warning: {request.init_from}: {words}.")
        model_folder.save_config(folder)
    return folder


class _Run:
    """One run: model, steps and counters under one strategy.

    `trained` is the whole model, or its heads over kept features.
    """

    def __init__(
        self,
        folder: model_folder.ModelFolder,
        model: keras.Model,
        trained: keras.Model,
        strategy: tf.distribute.Strategy,
        batches: batches_lib.Batches | frozen_features.FeatureBatches,
        on_epoch: Callable[[int, Mapping[str, float]], None],
    ):
        self.folder, self._whole, self._model = folder, model, trained
        self._batches, self._settings = batches, folder.train_config
        self._is_chief, self._on_epoch = strategies.is_chief(strategy), on_epoch
        self._steps = step_lib.Steps(
            trained, folder.task, folder.statistics, folder.train_config, strategy
        )
        # Counters are the loop's own: outside the scope they are plain variables.
        self._state = checkpoint.RunState()
        self._state.loss_sums = {
            name: tf.Variable(0.0, dtype=tf.float64, trainable=False)
            for name in self._steps.loss_names
        }
        self._is_due = False  # a checkpoint
        self._checkpoints = checkpoint.Checkpoints(
            folder.path, trained, self._steps.optimizer, self._state
        )

    def restore(self, say: Callable[[str], None]) -> tuple[int, int]:
        """Goes on from the newest checkpoint, if there is one; returns epoch and step."""
        epoch, step = self._state.epoch, self._state.step
        if self._checkpoints.restore(say, self._is_chief):
            is_done = int(epoch) >= self._settings.epochs
            now = "is done" if is_done else f"goes on at epoch {int(epoch) + 1}"
            say(f"{self.folder.path}: {now}.")
        return int(epoch), int(step)

    def train(self, say: Callable[[str], None]) -> None:
        """Runs the epochs that are left."""
        state, settings = self._state, self._settings
        if not int(state.epoch) and not int(state.step):
            transferred.reestimate(self.folder, self._model, self._steps, self._batches, say)
        while int(state.epoch) < settings.epochs and not bool(state.stopped):
            start = time.monotonic()
            optimizers.start_epoch(self._steps.optimizer, settings, int(state.epoch))
            self._train_epoch()
            values = state.mean_losses() | self._validate()
            values["learning_rate"] = optimizers.get_learning_rate(self._steps.optimizer)
            values["seconds"] = time.monotonic() - start
            self._write_down(values, say)
            self._watch(values.get("val_loss", values["loss"]))
            state.next_epoch()
            self._save()
        if self._is_chief and (words := pretext_mark.explained(self.folder.path)):
            say(f"warning: {self.folder.path}: {words}.")

    def _write_down(self, values: Mapping[str, float], say: Callable[[str], None]) -> None:
        if not self._is_chief:
            return
        epoch, path = int(self._state.epoch), self.folder.path
        journal.write(path, epoch, values)
        say(journal.line(epoch, self._settings.epochs, values))
        for alarm in self.folder.task.alarms(journal.history(path)):
            say(f"warning: {alarm}.")
        self._on_epoch(epoch, values)

    def _save(self) -> None:
        self._checkpoints.save(self._settings.keep_checkpoints, self._is_chief)

    def _train_epoch(self) -> None:
        state, epoch = self._state, int(self._state.epoch)
        total, done = self._batches.num_steps("train"), int(state.step)
        path, settings = self.folder.path, self._settings
        bar = journal.bar(
            total,
            done,
            epoch,
            settings.epochs,
            crops=settings.batch_size,
            epoch_seconds=journal.epoch_seconds(path),
        )
        with bar:
            for step, batch in self._batches.of_epoch("train", epoch, done):
                is_last = step + 1 == total
                if self._is_chief and self._model is self._whole and epoch == step == 0:
                    (image,) = batch.inputs.values()
                    tensorboard.write_input_images(path, epoch, image)
                losses = self._steps.train(batch, is_last=is_last)
                losses = {name: float(value) for name, value in losses.items()}
                self._check_finite("train", epoch, step, losses)
                state.step.assign(step + 1)
                state.add_losses(losses)
                bar.update()
                bar.set_postfix(loss=f"{losses['loss']:.4f}")
                every = settings.checkpoint_steps
                self._is_due |= bool(every) and (step + 1) % every == 0
                if self._is_due and not is_last and not self._steps.is_between_updates:
                    self._save()
                    self._is_due = False

    def _check_finite(self, split: str, epoch: int, step: int, losses: Mapping) -> None:
        """Stops at a loss that is not finite; `epoch` is that of the batch."""
        if math.isfinite(losses["loss"]):
            return
        failed_batch.stop(
            losses,
            self.folder.path,
            split=split,
            epoch=int(self._state.epoch),
            step=step,
            records=self._batches.keys(split, epoch, step),
            is_chief=self._is_chief,
        )

    def _validate(self) -> dict[str, float]:
        metrics = self.folder.task.metrics()
        sums: dict[str, float] = {}
        steps = 0
        for step, batch in self._batches.of_epoch("validation", 0):
            losses, outputs = self._steps.test(batch)
            task.check_keys(batch, outputs, self._steps.loss_names[1:])
            losses = {name: float(value) for name, value in losses.items()}
            self._check_finite("validation", 0, step, losses)
            steps += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            for name, found in metrics.items():
                present = tf.cast(batch.weights[name] > 0, tf.float32)
                for metric in found:
                    metric.update_state(batch.labels[name], outputs[name], sample_weight=present)
        if not steps:
            return {}
        values = {
            "val_loss" if name == "loss" else f"val_{name}/loss": value / steps
            for name, value in sums.items()
        }
        return values | {
            f"val_{name}/{metric.name}": float(metric.result())
            for name, found in metrics.items()
            for metric in found
        }

    def _watch(self, loss: float) -> None:
        settings = self._settings
        plateau = checkpoint.watch(
            self._state,
            loss,
            patience=settings.patience,
            min_delta=settings.least_fall,
            max_drops=settings.max_drops,
        )
        if plateau.is_best:
            if self._model is not self._whole:
                frozen_features.copy_heads(self._model, self._whole)
            model_folder.save_weights(self.folder.path, self._whole, self._is_chief)
        if plateau.drop:
            rate = optimizers.get_learning_rate(self._steps.optimizer) / 10
            optimizers.set_learning_rate(self._steps.optimizer, rate)
