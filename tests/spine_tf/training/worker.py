"""One process of runs over several workers or devices.

    python -m tests.spine_tf.training.worker DATA_DIR FOLDER ORDERS

does ORDERS, a JSON object:

    runs     name -> what `tiny_runs.make_request` takes, with the task's name and options, the
             norm of the network and whether its pools take the mean. The run goes to FOLDER/NAME,
             the losses of its steps to FOLDER/NAME-steps-WORKER.jsonl, as hexadecimal floats with
             epoch and step.
    devices  logical devices of this process, 1 where it is missing.
    death    a moment at which the process kills itself, see `_die`.
"""

import dataclasses
import itertools
import json
import os
import signal
import sys
import threading

import keras
import pytest
import tensorflow as tf

from spine_tf import cli, tasks
from spine_tf.models import encoder
from spine_tf.training import checkpoint, loop, strategy
from tests.spine_tf import tiny_runs

# What a death may wait for a call of.
_CALLS = {
    "step": (checkpoint.RunState, "add_losses"),
    "checkpoint": (tf.train.Checkpoint, "write"),
    "weights": (keras.Model, "save_weights"),
    "replace": (os, "replace"),
    "remove": (os, "remove"),
}


def main(data_dir, folder, orders):
    """Trains; an error that a person would read goes to stderr."""
    orders = json.loads(orders)
    devices = [tf.config.LogicalDeviceConfiguration()] * orders.get("devices", 1)
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    for name, settings in orders["runs"].items():
        worker, _ = strategy.share(strategy.make(settings.get("strategy", "one")))
        with pytest.MonkeyPatch.context() as patch:
            _write_down_steps(patch, f"{os.path.join(folder, name)}-steps-{worker}.jsonl")
            if "death" in orders:
                _die(patch, folder, **orders["death"])
            enlarge_first_weights(patch)
            if settings.pop("mean_pools", False):
                patch.setattr(tf.nn, "max_pool2d", tf.nn.avg_pool2d)
                patch.setattr(keras.layers, "MaxPooling2D", keras.layers.AveragePooling2D)
            _train(data_dir, os.path.join(folder, name), **settings)


def _train(data_dir, path, *, task="longitudinal", norm="batch", options=None, **settings):
    settings["model"] = dataclasses.replace(tiny_runs.MODEL, norm=norm)
    settings["task"] = tasks.TASKS[task](**tiny_runs.OPTIONS[task] | (options or {}))
    loop.train(tiny_runs.make_request(data_dir, path, **settings))


def enlarge_first_weights(patch):
    """Without batch norm the usual ones give embeddings that are all but 0."""
    patch.setattr(encoder, "initializer", lambda _, seed: keras.initializers.HeNormal(seed=seed))


def _write_down_steps(patch, path):
    """Every step is a line of a file."""
    plain = checkpoint.RunState.add_losses

    def add_losses(state, losses):
        place = {"epoch": int(state.epoch), "step": int(state.step) - 1}
        values = {name: float(value).hex() for name, value in losses.items()}
        with open(path, "a") as file:
            file.write(json.dumps(place | {"losses": values}) + "\n")
        plain(state, losses)

    patch.setattr(checkpoint.RunState, "add_losses", add_losses)


def _die(patch, folder, *, call, number, seconds):
    """Kills this process some time after the begin of a call; deaths.jsonl says where it was."""
    holder, name = _CALLS[call]
    plain, calls, is_inside = getattr(holder, name), itertools.count(1), threading.Event()

    def kill():
        with open(os.path.join(folder, "deaths.jsonl"), "a") as file:
            file.write(json.dumps({"call": call, "is_inside": is_inside.is_set()}) + "\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(*arguments, **options):
        is_inside.set()
        if next(calls) == number:
            threading.Timer(seconds, kill).start()
        result = plain(*arguments, **options)
        is_inside.clear()
        return result

    patch.setattr(holder, name, dying)


if __name__ == "__main__":
    sys.exit(cli.call(lambda: None, lambda _: main(*sys.argv[1:]), []))
