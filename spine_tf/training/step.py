"""Compiled steps of training and testing: forward, losses, gradients, update, on all devices.

Losses come per example; a step takes their weighted mean over the global batch, so the number of
devices does not change the result.
"""

from collections.abc import Iterable, Mapping, Sequence

import keras
import tensorflow as tf

from spine_tf import config
from spine_tf.data import records
from spine_tf.models import dropout
from spine_tf.tasks import task
from spine_tf.training import optimizers
from spine_tf.training import precision as precisions
from spine_tf.training import strategy as strategies

Losses = dict[str, tf.Tensor]


def check(
    settings: config.TrainConfig, strategy: tf.distribute.Strategy, batch_sizes: Iterable[int]
) -> None:
    """Raises ValueError where settings cannot be on this machine, or batches cannot be split."""
    precisions.check(settings.precision)
    optimizers.make(settings.optimizer, settings.learning_rate)
    for size in batch_sizes:
        strategies.part_size(strategy, size)
    if settings.xla and strategy.num_replicas_in_sync > 1:
        raise ValueError(
            "`xla` must be off on several devices, whose sums cannot be compiled, got"
            f" {strategy.num_replicas_in_sync} devices. Give --noxla or --strategy=one."
        )


class Steps:
    """The steps of one model under one strategy.

    Attributes:
        optimizer: The optimizer, its slots made.
        loss_names: "loss" for the total, then the outputs.
    """

    def __init__(
        self,
        model: keras.Model,
        made: task.Task,
        statistics: records.Statistics,
        settings: config.TrainConfig,
        strategy: tf.distribute.Strategy,
    ):
        """Makes the optimizer and compiles.

        Args:
            model: The model, built under `strategy`.
            made: The task, with everything filled in.
            statistics: Those of the training records.
            settings: Optimizer, precision, XLA, accumulation, clipping, weight decay.
            strategy: The strategy.
        """
        self._model, self._strategy, self._settings = model, strategy, settings
        self._losses = made.losses(statistics)
        self._shares = {name: 1.0 for name in self._losses} | made.loss_weights()
        self.loss_names = ("loss", *self._losses)
        self._variables = model.trainable_variables
        with strategy.scope():
            self.optimizer = optimizers.make(
                settings.optimizer, settings.learning_rate, settings.precision
            )
            optimizers.build(self.optimizer, self._variables)
            self._sums = self._make_sums() if settings.accumulate_steps > 1 else []
        self._pending = 0
        self._step, self._add, self._test, self._observe = (
            tf.function(function, autograph=False, jit_compile=settings.xla or None)
            for function in (self._all_step, self._all_add, self._all_test, self._all_observe)
        )
        self._update = tf.function(self._all_update, autograph=False)

    def _make_sums(self) -> list[tf.Variable]:
        """Every replica's own sum of gradients, one per variable."""
        return [
            tf.Variable(
                tf.zeros(variable.shape),
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.SUM,
            )
            for variable in self._variables
        ]

    # === What the loop calls ===

    def train(self, batch: task.Batch, *, is_last: bool) -> Losses:
        """Takes a batch; the weights move when as many as `accumulate_steps` were taken.

        Args:
            batch: The whole batch, the same on every worker. Weights add up to 1 per output.
            is_last: Whether the weights shall move now in any case.

        Returns:
            The losses of the batch, scalars by name.
        """
        part = strategies.split(self._strategy, batch)
        count = optimizers.num_updates(self.optimizer) * self._settings.accumulate_steps
        draw = tf.constant(count + self._pending, tf.int64)
        if not self._sums:
            return self._step(part, draw)
        losses = self._add(part, draw)
        self._pending += 1
        if is_last or self._pending == self._settings.accumulate_steps:
            self._update(tf.constant(self._pending, tf.float32))
            self._pending = 0
        return losses

    @property
    def is_between_updates(self) -> bool:
        """Whether gradients wait for an update, so that this is no place for a checkpoint."""
        return self._pending > 0

    def test(self, batch: task.Batch) -> tuple[Losses, Mapping[str, tf.Tensor]]:
        """Returns losses and outputs [batch, ...] of a whole batch."""
        return self._test(strategies.split(self._strategy, batch))

    def observe(self, batch: task.Batch) -> None:
        """Sees a whole batch as in training; only the statistics of batch norm move."""
        self._observe(strategies.split(self._strategy, batch))

    # === Over all replicas ===

    def _all_step(self, batch: task.Batch, draw: tf.Tensor) -> Losses:
        def step(part):
            losses, gradients = self._gradients(part)
            self._apply(gradients)
            return losses

        with dropout.drawing(draw):
            losses = self._strategy.run(step, (batch,))
        return strategies.total(self._strategy, losses)

    def _all_add(self, batch: task.Batch, draw: tf.Tensor) -> Losses:
        def step(part):
            losses, gradients = self._gradients(part)
            for variable, gradient in zip(self._sums, gradients, strict=True):
                variable.assign_add(gradient)
            return losses

        with dropout.drawing(draw):
            losses = self._strategy.run(step, (batch,))
        return strategies.total(self._strategy, losses)

    def _all_update(self, count: tf.Tensor) -> None:
        def step():
            self._apply([variable.read_value() / count for variable in self._sums])
            for variable in self._sums:
                variable.assign(tf.zeros_like(variable))

        self._strategy.run(step)

    def _all_test(self, batch: task.Batch):
        def step(part):
            outputs = self._forward(part, training=False)
            return self._parts(part, outputs), outputs

        losses, outputs = self._strategy.run(step, (batch,))
        losses = strategies.total(self._strategy, losses)
        return losses, strategies.joined(self._strategy, outputs)

    def _all_observe(self, batch: task.Batch) -> None:
        def step(part):
            self._forward(part, training=True)

        self._strategy.run(step, (batch,))

    # === On one replica ===

    def _forward(self, batch: task.Batch, training: bool) -> dict[str, tf.Tensor]:
        outputs = self._model(batch.inputs, training=training)
        return {name: tf.cast(output, tf.float32) for name, output in outputs.items()}

    def _parts(self, batch: task.Batch, outputs: Mapping[str, tf.Tensor]) -> Losses:
        parts = {
            name: tf.reduce_sum(batch.weights[name] * loss(batch.labels[name], outputs[name]))
            for name, loss in self._losses.items()
        }
        total = tf.add_n([self._shares[name] * part for name, part in parts.items()])
        return {"loss": total, **parts}

    def _gradients(self, batch: task.Batch) -> tuple[Losses, list[tf.Tensor]]:
        """Losses, and gradients of the scaled loss, both a share of the whole batch's.

        The total is NaN where a gradient is not finite, so that this batch is blamed, not the next.
        """
        with tf.GradientTape() as tape:
            losses = self._parts(batch, self._forward(batch, training=True))
            total = losses["loss"] + self._decay() / self._strategy.num_replicas_in_sync
            scaled = total * optimizers.loss_scale(self.optimizer)
        gradients = tape.gradient(
            scaled, self._variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        if self._settings.precision != precisions.MIXED_FLOAT16:  # there the optimizer looks
            is_finite = tf.math.is_finite(tf.add_n([tf.reduce_sum(one) for one in gradients]))
            losses["loss"] = tf.where(is_finite, losses["loss"], float("nan"))
        return losses, gradients

    def _decay(self) -> tf.Tensor:
        """L2 of kernels, half the decay times the square: its gradient is decay times weight."""
        kernels = [
            tf.nn.l2_loss(tf.cast(variable, tf.float32))
            for variable in self._variables
            if len(variable.shape) > 1
        ]
        return self._settings.weight_decay * tf.add_n(kernels)

    def _apply(self, gradients: Sequence[tf.Tensor]) -> None:
        if self._settings.clip_norm:
            gradients = self._clipped(gradients)
        optimizers.apply(self.optimizer, gradients, self._variables)

    def _clipped(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Clips the norm of the whole batch's gradient; each replica keeps an equal share."""
        count = self._strategy.num_replicas_in_sync
        if count > 1:
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
        limit = self._settings.clip_norm * optimizers.loss_scale(self.optimizer)
        clipped, _ = tf.clip_by_global_norm(gradients, limit)
        return [gradient / count for gradient in clipped]
