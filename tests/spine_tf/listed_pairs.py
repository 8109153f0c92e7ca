"""The pairs of a longitudinal batch one by one, those that count."""

import numpy as np

from spine_tf.tasks import task


def positions(batch: task.Batch) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places in the batch of the earlier and the later member of each pair."""
    return np.nonzero(np.asarray(batch.weights["same_subject"]))


def listed(batch: task.Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns first and second crops, labels and weights of the pairs, [pairs, ...] each."""
    crop = np.asarray(batch.inputs["crop"])
    first, second = positions(batch)
    values = (np.asarray(found["same_subject"]) for found in (batch.labels, batch.weights))
    labels, weights = (value[first, second] for value in values)
    return crop[first], crop[second], labels, weights
