"""One process of a run over several workers or devices.

    python -m tests.spine_tf.training.worker DATA_DIR MODEL_DIR SETTINGS

trains what `tiny_runs.make_request` makes of the JSON object SETTINGS and writes the losses of
every step, as hexadecimal floats, to MODEL_DIR/steps-TASK.jsonl. `devices` in SETTINGS is a number
of logical devices, `plain` leaves batch norm out.
"""

import json
import os
import sys

import keras
import tensorflow as tf

from spine_tf import cli
from spine_tf.training import loop, step, strategy
from tests.spine_tf import tiny_runs


def main(data_dir, model_dir, settings):
    """Trains; an error that a person would read goes to stderr."""
    settings = json.loads(settings)
    devices = settings.pop("devices", 1)
    if devices > 1:
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * devices,
        )
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    made = strategy.make(settings.get("strategy", "one"))
    if settings.pop("plain", False):
        settings["model"] = tiny_runs.PLAIN
    name = settings.pop("task", "longitudinal")
    _write_down_steps(model_dir, strategy.share(made)[0])
    loop.train(tiny_runs.make_request(data_dir, model_dir, name, **settings))


def _write_down_steps(model_dir, worker):
    plain = step.Steps.train

    def train(self, batch, **options):
        losses = plain(self, batch, **options)
        os.makedirs(model_dir, exist_ok=True)
        with open(os.path.join(model_dir, f"steps-{worker}.jsonl"), "a") as file:
            file.write(json.dumps({name: float(v).hex() for name, v in losses.items()}) + "\n")
        return losses

    step.Steps.train = train


if __name__ == "__main__":
    sys.exit(cli.call(lambda: None, lambda _: main(*sys.argv[1:]), []))
