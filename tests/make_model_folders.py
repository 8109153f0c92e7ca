"""Writes tests/model_folders/STACK/TASK of the stack it runs on.

    python -m tests.make_model_folders

A folder is a model folder without training (config.json, best.weights.h5) and check.npz: a batch
of inputs and the model's outputs for it. tests/conformance_test.py loads the folders of both
stacks on each. Make them again, on both, when a task or the network changes.
"""

import os
import pathlib

import keras
import numpy as np

from spine_tf import config, tasks
from spine_tf.data import crops, records
from spine_tf.training import model_folder
from tests.spine_tf import tiny_runs

FOLDER = pathlib.Path(__file__).with_name("model_folders")
STACKS = ("current", "addons")
CHECK = "check.npz"
_BATCH = 2
_MAX_VALUES = 1000


def this_stack():
    """Name of the stack that runs."""
    return "addons" if keras.__version__.startswith("2.") else "current"


def make(path, name):
    """Writes the folder of one task."""
    made = tiny_runs.make_task(name)
    folder = model_folder.ModelFolder(
        path=str(path),
        task=made,
        model_config=tiny_runs.model_of(name),
        train_config=config.TrainConfig(),
        statistics=records.Statistics(
            class_counts={"disc_bulging": [3, 2], "level": [1] * 7},
            graded_levels={"disc_bulging": ["L4-L5"]},
            slice_means=[round(0.3 + 0.01 * i, 2) for i in range(crops.STORED_SLICES)],
        ),
        protocol=made.protocol,
        data={"manifest_sha256": "", "splits_sha256": "", "source": "test", "crop_scale": 0.5},
        versions=model_folder.library_versions(),
        request={},
    )
    model_folder.save_config(folder)
    model = folder.build()
    rng = np.random.default_rng(7)
    model.set_weights([_trained(rng, weight) for weight in model.get_weights()])
    inputs = {key: _crops(rng, tensor.shape[1:]) for key, tensor in inputs_of(model).items()}
    outputs = model(inputs, training=False)
    model.save_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    np.savez_compressed(
        os.path.join(folder.path, CHECK),
        **{f"input/{key}": value for key, value in inputs.items()},
        **{f"output/{key}": sample(value.numpy()) for key, value in outputs.items()},
    )


def inputs_of(model):
    """Name -> symbolic input of a functional model over a dict of inputs."""
    return {tensor.name.split(":")[0]: tensor for tensor in model.inputs}


def sample(values):
    """Some of many values, so that a file stays small."""
    flat = values.reshape(-1)
    return values if flat.size <= _MAX_VALUES else flat[:: -(-flat.size // _MAX_VALUES)]


def _trained(rng, weight):
    """A weight as if it had been trained: no bias, scale, mean or variance is as at the start."""
    if weight.ndim == 1:
        return weight + rng.uniform(0.05, 0.5, weight.shape)
    return weight + rng.normal(0, 0.05, weight.shape)


def _crops(rng, shape):
    """[2, *shape] of few values in blocks: a small file."""
    shape = tuple(32 if size is None else size for size in shape)
    coarse = rng.integers(0, 32, (_BATCH, *(-(-size // 8) for size in shape))) / 16
    for axis in range(1, coarse.ndim):
        coarse = np.repeat(coarse, 8, axis)
    return coarse[(slice(None), *(slice(size) for size in shape))].astype(np.float32)


if __name__ == "__main__":
    for task_name in tasks.TASKS:
        make(FOLDER / this_stack() / task_name, task_name)
