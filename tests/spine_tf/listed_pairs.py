"""The pairs of a longitudinal batch one by one: all positives, then the negative of each."""

import numpy as np

from spine_tf.tasks import task


def listed(batch: task.Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns first and second crops, labels and weights of the pairs, [2 * batch, ...] each."""
    first, second = (np.asarray(batch.inputs[name]) for name in ("first", "second"))
    other = np.arange(len(first)) + np.asarray(batch.inputs["offset"])
    labels, weights = (
        np.asarray(values["same_subject"]).T.ravel() for values in (batch.labels, batch.weights)
    )
    return np.concatenate([first] * 2), np.concatenate([second, second[other]]), labels, weights
