"""The library's own Siamese step over a batch in memory, as the training loop compiles it."""

import os
from collections.abc import Callable
from typing import Any

from benchmarks import step_flops
from spine_tf import config


def make(
    preset: str, precision: str, batch_size: int, strategy_name: str = "one"
) -> tuple[Callable[[], None], dict]:
    """Makes a step of both losses, SGD with momentum and weight decay.

    Args:
        preset: Size of the network.
        precision: As `TrainConfig.precision`.
        batch_size: Crops over all workers.
        strategy_name: As `TrainConfig.strategy`.

    Returns:
        The step, and facts: parameters, flops per crop, batch size. See `contender.Contender`.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from spine_tf import tasks
    from spine_tf.training import model_folder, step
    from spine_tf.training import precision as precisions
    from spine_tf.training import strategy as strategies

    strategy = strategies.make(strategy_name)
    settings = config.TrainConfig(precision=precision, batch_size=batch_size)
    made = tasks.make("longitudinal", '{"margin_unit": "distance"}')
    model_config, known = config.preset(preset), statistics()
    with precisions.policy(precision), strategy.scope():
        model = model_folder.build_model(made, model_config, known, settings.seed)
    steps = step.Steps(model, made, known, settings, strategy)
    batch = random_batch(made.encoder_shape(model_config), batch_size)
    facts = {
        "parameters": model.count_params(),
        "step_gflop_per_crop": step_flops.step_flops(model) / 1e9,
        "batch_size": batch_size,
    }
    return lambda: float(steps.train(batch, is_last=True)["loss"]), facts


def statistics() -> Any:
    """Returns statistics of made-up training records."""
    from spine_tf.data import crops, records

    return records.Statistics({"level": [1] * 7}, {}, [0.3] * crops.STORED_SLICES)


def random_batch(shape: tuple[int, int, int], batch_size: int) -> Any:
    """Returns a batch of noise: neighbours are positives, all else is negative, weights even."""
    import numpy as np
    import tensorflow as tf

    from spine_tf.tasks import task

    rng = np.random.default_rng(0)
    crop = rng.uniform(0, 1, (batch_size, *shape, 1)).astype(np.float32)
    subject = np.arange(batch_size) // 2
    is_same = (subject[:, None] == subject).astype(np.float32)
    return task.Batch(
        {"crop": tf.constant(crop)},
        {"same_subject": tf.constant(is_same), "level": tf.constant(subject % 7, tf.int32)},
        {
            "same_subject": tf.fill([batch_size, batch_size], 1 / batch_size**2),
            "level": tf.fill([batch_size], 1 / batch_size),
        },
    )
