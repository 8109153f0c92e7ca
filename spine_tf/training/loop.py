"""The training loop: one for every task, on one device or several.

Every batch follows from seed, epoch and step, so a run that was stopped goes on as if it had not
been. Losses come per example; the loop takes their weighted mean over the global batch, so the
number of devices does not change the result.
"""

import dataclasses
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from spine_tf import config, files, tasks
from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.training import batches as batches_lib
from spine_tf.training import (
    checkpoint,
    frozen_features,
    journal,
    leakage,
    model_folder,
    optimizers,
)
from spine_tf.training import strategy as strategies


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
        """What makes two requests the same run; more epochs may be asked for later."""
        train = dataclasses.asdict(self.train_config)
        del train["epochs"]
        weights = os.path.join(self.init_from, model_folder.WEIGHTS) if self.init_from else ""
        identity = {
            "task": {"name": tasks.name_of(self.task), **dataclasses.asdict(self.task)},
            "model_config": dataclasses.asdict(self.model_config),
            "train_config": train,
            "protocol": self.protocol,
            "manifest_sha256": records.manifest_hash(self.data),
            "init_from_sha256": files.sha256(weights) if weights else "",
            "freeze_encoder": self.freeze_encoder,
        }
        # As JSON gives it back.
        identity["task"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in identity["task"].items()
        }
        return identity


def train(request: Request, say: Callable[[str], None] = print) -> model_folder.ModelFolder:
    """Trains, or goes on training, until the epochs are done or the loss is on its last plateau.

    Args:
        request: What shall be trained.
        say: Takes the lines a person reads.

    Returns:
        The model folder.

    Raises:
        ValueError: If the request cannot be, the folder holds another run, or the loss is not
            finite.
    """
    records.check_protocol(request.data, request.protocol)
    indices = {
        split: request.data.index(request.task.record_kind, request.protocol, split)
        for split in ("train", "validation")
    }
    made = request.task.configure(indices["train"])
    made.check(indices)
    crop_scale = request.model_config.crop_scale
    batches = batches_lib.Batches(made, request.train_config, crop_scale, indices)
    if not batches.num_steps("train"):
        raise ValueError(
            f"{request.data.path}: has no example for this task in the training split of"
            f" {request.protocol!r}. Grading needs graded discs, longitudinal subjects with"
            " follow-ups."
        )
    # What cannot be is said before anything is written.
    if request.init_from:
        for note in leakage.check(request.init_from, request.data, request.protocol):
            say(note)
    strategy = strategies.make(request.train_config.strategy)
    optimizers.make(request.train_config.optimizer, request.train_config.learning_rate)
    statistics = records.statistics(indices["train"], made.class_counts(indices["train"]))
    if request.init_from:  # an encoder goes with the means it subtracts
        means = model_folder.load(request.init_from).statistics.slice_means
        if len(means) == len(statistics.slice_means):
            statistics = dataclasses.replace(statistics, slice_means=means)
    with strategy.scope():
        seed = request.train_config.seed
        model = model_folder.build_model(made, request.model_config, statistics, seed)
        if request.init_from:
            copy_encoder(request.init_from, model)
        model_folder.find_encoder(model).trainable = not request.freeze_encoder
        folder = _folder(request, made, statistics, model, batches, say)
        trained, batches = _frozen(request, folder, model, batches)
    run = _Run(folder, model, trained, strategy, batches)
    run.restore(say)
    run.train(say)
    return folder


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


def copy_encoder(source_dir: str, model: keras.Model) -> None:
    """Copies the encoder's weights of a trained model folder into a model.

    Raises:
        ValueError: If the two encoders differ in shape.
    """
    source = model_folder.find_encoder(model_folder.load(source_dir).load_model()).get_weights()
    encoder = model_folder.find_encoder(model)
    wanted = [tuple(weight.shape) for weight in encoder.get_weights()]
    if [weight.shape for weight in source] != wanted:
        raise ValueError(
            f"`init_from` must be a model folder of the same preset, got {source_dir}, whose"
            " encoder has other shapes."
        )
    encoder.set_weights(source)


def _changes(before: task.Task, after: task.Task) -> str:
    """Names the fields of a task that differ, with their new values."""
    new = dataclasses.asdict(after)
    old = dataclasses.asdict(before)
    return ", ".join(f"{name} {value:.6g}" for name, value in new.items() if value != old[name])


def _folder(request: Request, made, statistics, model, batches, say) -> model_folder.ModelFolder:
    """Returns the folder of this run: the one that is there, or a new one with its config.json."""
    identity = request.identity()
    if os.path.exists(os.path.join(request.model_dir, model_folder.CONFIG)):
        folder = model_folder.load(request.model_dir)
        if folder.request != identity:
            changed = [name for name in identity if folder.request.get(name) != identity[name]]
            raise ValueError(
                f"`model_dir` must be new or of the same run, got {request.model_dir}, whose"
                f" {', '.join(changed)} differ. Choose another folder."
            )
        folder = dataclasses.replace(folder, train_config=request.train_config)
        model_folder.save_config(folder)
        return folder
    weights = model.get_weights()
    made = made.calibrate(model, batches.first)
    model.set_weights(weights)  # batch norm may have moved its statistics
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
        request=identity,
    )
    model_folder.save_config(folder)
    families = {split: index.column("family") for split, index in batches.indices.items()}
    leakage.save(folder.path, request.init_from, families)
    return folder


class _Run:
    """One run: model, optimizer and counters under one strategy.

    `trained` is the whole model, or its heads over kept features.
    """

    def __init__(
        self,
        folder: model_folder.ModelFolder,
        model: keras.Model,
        trained: keras.Model,
        strategy: tf.distribute.Strategy,
        batches: batches_lib.Batches | frozen_features.FeatureBatches,
    ):
        self._folder, self._whole, self._model = folder, model, trained
        self._strategy = strategy
        self._batches, self._settings = batches, folder.train_config
        self._losses = folder.task.losses(folder.statistics)
        self._shares = {name: 1.0 for name in self._losses} | folder.task.loss_weights()
        settings = self._settings
        with strategy.scope():
            self._optimizer = optimizers.make(settings.optimizer, settings.learning_rate)
            optimizers.build(self._optimizer, trained.trainable_variables)
        # Counters are the loop's own: outside the scope they are plain variables.
        self._state = checkpoint.RunState()
        self._state.loss_sums = {
            name: tf.Variable(0.0, dtype=tf.float64, trainable=False)
            for name in ("loss", *self._losses)
        }
        self._manager = checkpoint.manager(
            folder.path, trained, self._optimizer, self._state, settings.keep_checkpoints
        )
        self._train_step = tf.function(self._distributed_train_step, autograph=False)
        self._test_step = tf.function(self._distributed_test_step, autograph=False)

    # Steps.

    def _parts(self, batch: task.Batch, outputs) -> dict[str, tf.Tensor]:
        return {
            name: tf.reduce_sum(batch.weights[name] * loss(batch.labels[name], outputs[name]))
            for name, loss in self._losses.items()
        }

    def _total(self, parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.add_n([self._shares[name] * part for name, part in parts.items()])

    def _replica_train_step(self, batch: task.Batch) -> dict[str, tf.Tensor]:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            outputs = self._model(batch.inputs, training=True)
            parts = self._parts(batch, outputs)
            loss = self._total(parts)
            total = loss + self._decay(variables) / self._strategy.num_replicas_in_sync
        gradients = tape.gradient(total, variables)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"loss": loss, **parts}

    def _decay(self, variables) -> tf.Tensor:
        """L2 of kernels, half the decay times the square: its gradient is decay times weight."""
        kernels = [tf.nn.l2_loss(tf.cast(v, tf.float32)) for v in variables if len(v.shape) > 1]
        return self._settings.weight_decay * tf.add_n(kernels)

    def _distributed_train_step(self, batch: task.Batch) -> dict[str, tf.Tensor]:
        found = self._strategy.run(self._replica_train_step, (batch,))
        return strategies.total(self._strategy, found)

    def _distributed_test_step(self, batch: task.Batch):
        def step(part):
            outputs = self._model(part.inputs, training=False)
            parts = self._parts(part, outputs)
            return {"loss": self._total(parts), **parts}, outputs

        losses, outputs = self._strategy.run(step, (batch,))
        return strategies.total(self._strategy, losses), strategies.joined(self._strategy, outputs)

    def _split(self, batch: task.Batch) -> Any:
        return strategies.split(self._strategy, batch)

    # Epochs.

    def restore(self, say: Callable[[str], None]) -> None:
        """Goes on from the newest checkpoint, if there is one."""
        if self._manager.restore_or_initialize():
            state = self._state
            say(f"{self._folder.path}: goes on at epoch {int(state.epoch) + 1}.")

    def train(self, say: Callable[[str], None]) -> None:
        """Runs the epochs that are left."""
        state, settings = self._state, self._settings
        while int(state.epoch) < settings.epochs and not bool(state.stopped):
            start = time.monotonic()
            self._train_epoch()
            values = state.mean_losses() | self._validate()
            values["learning_rate"] = optimizers.get_learning_rate(self._optimizer)
            epoch = int(state.epoch)
            values["seconds"] = time.monotonic() - start
            journal.write(self._folder.path, epoch, values)
            say(journal.line(epoch, settings.epochs, values))
            for alarm in self._folder.task.alarms(journal.history(self._folder.path)):
                say(f"warning: {alarm}.")
            self._watch(values.get("val_loss", values["loss"]))
            state.next_epoch()
            self._manager.save()

    def _train_epoch(self) -> None:
        state, epoch = self._state, int(self._state.epoch)
        total, done = self._batches.num_steps("train"), int(state.step)
        with journal.bar(total, done, epoch, self._settings.epochs) as bar:
            for step, batch in self._batches.of_epoch("train", epoch, done):
                losses = self._train_step(self._split(batch))
                losses = {name: float(value) for name, value in losses.items()}
                if not math.isfinite(losses["loss"]):
                    raise ValueError(
                        f"the loss must be finite, got {losses} at epoch {epoch + 1}, step"
                        f" {step + 1}. Lower --learning_rate and choose another --model_dir."
                    )
                state.step.assign(step + 1)
                state.add_losses(losses)
                bar.update()
                bar.set_postfix(loss=f"{losses['loss']:.4f}")
                every = self._settings.checkpoint_steps
                if every and (step + 1) % every == 0 and step + 1 < total:
                    self._manager.save()

    def _validate(self) -> dict[str, float]:
        metrics = self._folder.task.metrics()
        sums: dict[str, float] = {}
        steps = 0
        for _, batch in self._batches.of_epoch("validation", 0):
            losses, outputs = self._test_step(self._split(batch))
            task.check_keys(batch, outputs, self._losses)
            steps += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + float(value)
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
            min_delta=settings.min_delta,
            max_drops=settings.max_drops,
        )
        if plateau.is_best:
            path = os.path.join(self._folder.path, model_folder.WEIGHTS)
            # Keras takes the format from the ending, so the temporary name keeps it.
            temporary = os.path.join(self._folder.path, f"tmp-{os.getpid()}.weights.h5")
            if self._model is not self._whole:
                frozen_features.copy_heads(self._model, self._whole)
            self._whole.save_weights(temporary)
            os.replace(temporary, path)
        if plateau.drop:
            rate = optimizers.get_learning_rate(self._optimizer) / 10
            optimizers.set_learning_rate(self._optimizer, rate)
