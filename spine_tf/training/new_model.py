"""The model that a run begins with: built for its records, its encoder taken over or new."""

import dataclasses

import keras

from spine_tf import config
from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.training import model_folder


def statistics(made: task.Task, index: records.Index, init_from: str) -> records.Statistics:
    """Returns what a model knows of its training records.

    Args:
        made: The task.
        index: The training records.
        init_from: Model folder whose encoder is taken, or "": an encoder goes with the slice means
            that it subtracts.
    """
    found = records.statistics(index, made.class_counts(index))
    if init_from:
        means = model_folder.load(init_from).statistics.slice_means
        if len(means) == len(found.slice_means):
            found = dataclasses.replace(found, slice_means=means)
    return found


def build(
    made: task.Task,
    model_config: config.ModelConfig,
    statistics: records.Statistics,
    seed: int,
    init_from: str,
) -> tuple[keras.Model, tuple[str, ...]]:
    """Builds a model.

    Args:
        made: The task.
        model_config: Sizes of the network.
        statistics: From the function of that name.
        seed: Of the random weights.
        init_from: Model folder whose encoder is taken, or "".

    Returns:
        The model, and the names of the layers that were taken over.

    Raises:
        ValueError: If the task has no such network, or the encoders differ in shape.
    """
    model = model_folder.build_model(made, model_config, statistics, seed)
    return model, model_folder.copy_encoder(init_from, model) if init_from else ()
