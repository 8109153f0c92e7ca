"""Runs that need two devices or bit-exact operations: a process of its own.

    python -m tests.spine_tf.training.runs_on_two_devices FOLDER RESULTS

writes RESULTS, a JSON object of the largest differences between the models of two runs.
"""

import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf import files, tasks
from spine_tf.tasks.pretext import longitudinal
from spine_tf.training import strategy
from tests.spine_tf import tiny_runs


def main(folder, results):
    """Makes a data set, runs, compares."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    data_dir = tiny_runs.make_data(os.path.join(folder, "data"))
    longitudinal._CALIBRATION_NEGATIVES = 4  # of two batches: to show that it is done once
    made = _Runs(folder, data_dir)
    files.write_json(
        results,
        {
            "resumed on one": made.resumed_on_one(),
            "resumed on two": made.resumed_on_two(),
            "two and one": made.two_and_one(),
            "frozen, two and one": made.frozen_two_and_one(),
            "odd batch": _odd_batch(),
            "joined": _joined(),
        },
    )


class _Runs:
    def __init__(self, folder, data_dir):
        self._folder, self._data_dir = folder, data_dir

    def _train(self, folder, **changes):
        """Trains and returns the model of the best epoch, which here is the last."""
        path = os.path.join(self._folder, folder)
        return tiny_runs.train(self._data_dir, path, **changes).load_model()

    def resumed_on_one(self):
        """Pairs with augmentation; stopped before the first checkpoint and in the second epoch."""
        # The margin is found by calibration, once.
        settings = {"task": tasks.make("longitudinal"), "epochs": 2, "augment": True}
        return self._resumed("one", (1, 5), settings)

    def resumed_on_two(self):
        """Discs; stopped in the first epoch. With batch norm in tests/resume_test.py."""
        return self._resumed("mirrored", (2,), {"strategy": "mirrored", "model": tiny_runs.PLAIN})

    def _resumed(self, name, stops, settings):
        settings |= {"checkpoint_steps": 1, "min_delta": -1e9}  # the last epoch is the best
        whole = self._train(f"{name}-whole", **settings)
        for stop in stops:  # an epoch takes two training batches and one for validation
            with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
                tiny_runs.stop_at(patch, stop)
                self._train(f"{name}-stopped", **settings)
        return _difference(whole, self._train(f"{name}-stopped", **settings))

    def two_and_one(self):
        """A step on two devices against one, without batch norm, at a rate that moves much."""
        settings = {"model": tiny_runs.PLAIN, "learning_rate": 0.1, "steps_per_epoch": 1}
        return _difference(
            self._train("one-plain", **settings),
            self._train("two-plain", strategy="mirrored", **settings),
        )

    def frozen_two_and_one(self):
        """The same over kept features of a frozen encoder."""
        settings = {"model": tiny_runs.PLAIN, "learning_rate": 0.1, "freeze_encoder": True}
        return _difference(
            self._train("one-frozen", **settings),
            self._train("two-frozen", strategy="mirrored", **settings),
        )


def _difference(one, other):
    """Largest difference of what is trained, and of the statistics of batch norm."""
    return {
        name: max(
            float(np.abs(a.numpy() - b.numpy()).max())
            for a, b in zip(getattr(one, name), getattr(other, name), strict=True)
        )
        for name in ("trainable_weights", "non_trainable_weights")
        if getattr(one, name)
    }


def _odd_batch():
    with pytest.raises(ValueError) as error:
        strategy.split(strategy.make("mirrored"), tf.zeros([3, 1]))
    return str(error.value)


def _joined():
    """What two devices see of [0, 1, 2, 3], added up and put together again."""
    mirrored = strategy.make("mirrored")
    part = strategy.split(mirrored, {"x": tf.constant([0, 1, 2, 3])})
    sums = mirrored.run(lambda batch: {"x": tf.reduce_sum(batch["x"])}, (part,))
    return {
        "total": int(strategy.total(mirrored, sums)["x"]),
        "joined": strategy.joined(mirrored, part)["x"].numpy().tolist(),
        "first": mirrored.experimental_local_results(part["x"])[0].numpy().tolist(),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
