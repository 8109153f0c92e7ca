"""A model folder: everything needed to rebuild, evaluate and export a trained model.

config.json         task, sizes, training settings, statistics, data and split hashes, versions
best.weights.h5     weights of the best epoch; loads on either stack
checkpoints/        to resume; do not cross stacks
train.lock          held while a process trains
metrics.csv         a line per epoch
logs/               TensorBoard

Other modules write beside them: families.json (`leakage`), start.json (`pretext_mark`),
transferred.json, features/ (`frozen_features`), failed_batch.json, and of `calibrate`
calibration.json and reference.npz (`calibrated`).
"""

import contextlib
import dataclasses
import glob
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

import spine_tf
from spine_tf import config, files, json_fields, lock, tasks
from spine_tf.data import dataset_hash, records, slice_schema
from spine_tf.models import networks, transfer
from spine_tf.tasks import task
from spine_tf.training import journal

FORMAT = "spine_tf model/1"
CONFIG = "config.json"
WEIGHTS = "best.weights.h5"
_LOCK = "train.lock"
_TEMPORARY = "tmp-"
_HDF5_OVERHEAD = 10_000  # bytes per weight, at most: names and groups


@dataclasses.dataclass(frozen=True)
class ModelFolder:
    """What config.json says.

    Attributes:
        path: The folder.
        task: The task, with everything filled in.
        model_config: Sizes of the network.
        train_config: How it was trained.
        statistics: What it knows of the training records.
        protocol: Protocol of the split it was trained on.
        data: Path-free facts of the data set: manifest and splits hashes, crop scale, source.
        versions: Versions of spine_tf and its libraries.
        request: What was asked for, to tell a run that goes on from another one.
    """

    path: str
    task: Any  # a task.Task; who reads a field knows whose it is
    model_config: config.ModelConfig
    train_config: config.TrainConfig
    statistics: records.Statistics
    protocol: str
    data: Mapping[str, Any]
    versions: Mapping[str, str]
    request: Mapping[str, Any]

    def build(self) -> keras.Model:
        """Returns the model with new weights."""
        return build_model(self.task, self.model_config, self.statistics, self.train_config.seed)

    def kept_epoch(self) -> Mapping[str, float]:
        """Returns the row of metrics.csv of the epoch whose weights are kept; empty before one."""
        return journal.best_row(journal.history(self.path), self.train_config.least_fall)

    def load_model(self) -> keras.Model:
        """Returns the model with the weights of the epoch that is kept.

        Raises:
            FileNotFoundError: If no epoch was finished.
        """
        path = os.path.join(self.path, WEIGHTS)
        if not os.path.exists(path):
            raise FileNotFoundError(f"{path}: is missing; train at least one epoch first.")
        model = self.build()
        model.load_weights(path)
        return model


def build_model(
    made: task.Task,
    model_config: config.ModelConfig,
    statistics: records.Statistics,
    seed: int,
) -> keras.Model:
    """Builds encoder and heads of a task; the encoder is the layer called "encoder"."""
    shape = made.encoder_shape(model_config)
    encode = networks.build_encoder(
        model_config, shape, slice_means=statistics.slice_means, seed=seed
    )
    return made.build(encode, model_config, seed)


def find_encoder(model: keras.Model) -> keras.Model:
    """Returns the encoder inside a task's model, wherever it is nested.

    Raises:
        ValueError: If there is none.
    """
    for layer in model.layers:
        if layer.name == "encoder":
            return layer
        if isinstance(layer, keras.Model):
            try:
                return find_encoder(layer)
            except ValueError:
                continue
    raise ValueError(f"`model` must hold a layer called encoder, got {model.name!r}.")


def copy_encoder(source_dir: str, model: keras.Model) -> tuple[str, ...]:
    """Copies the encoder's weights of a trained model folder into a model, and what else fits.

    Of a task whose reconstruction part is worth keeping its decoder goes with the encoder.

    Returns:
        Names of the layers that were copied.

    Raises:
        ValueError: If the two encoders differ in shape.
    """
    source = load(source_dir)
    try:
        return transfer.copy_weights(
            source.load_model(), model, with_decoder=source.task.transfers_decoder
        )
    except ValueError as error:
        of = source.model_config
        raise ValueError(
            f"`init_from` must be a model folder of the same preset, got {source_dir}, which is"
            f" {of.network} of width {of.width:g}: {error}"
        ) from error


def weights_sha256(path: str) -> str:
    """Returns the hash by which the weights of a model folder are known.

    Raises:
        FileNotFoundError: If it has none yet.
    """
    return files.sha256(os.path.join(path, WEIGHTS))


def save_weights(path: str, model: keras.Model, is_chief: bool = True) -> None:
    """Writes the weights of the best epoch, whole or not at all.

    Args:
        path: Model folder.
        model: The model.
        is_chief: Whether this worker's are kept. All must call, because statistics that are kept
            apart per device are averaged by all.

    Raises:
        OSError: If there is no room; the ones before stay.
    """
    if is_chief:  # what a run that was killed here has left
        for left in glob.glob(os.path.join(glob.escape(path), _TEMPORARY + "*")):
            shutil.rmtree(left)
    # Keras takes the format from the ending, so the temporary name keeps it.
    with tempfile.TemporaryDirectory(dir=path if is_chief else None, prefix=_TEMPORARY) as folder:
        temporary = os.path.join(folder, WEIGHTS)
        _check_room(temporary, model)
        model.save_weights(temporary)
        if is_chief:
            os.replace(temporary, os.path.join(path, WEIGHTS))


def _check_room(path: str, model: keras.Model) -> None:
    """Raises OSError where the weights cannot be written; HDF5 would end the process."""
    shapes = [tuple(weight.shape) for weight in model.weights]
    try:
        with open(path, "wb") as file:
            file.write(bytes(sum(4 * math.prod(shape) + _HDF5_OVERHEAD for shape in shapes)))
    except OSError as error:
        raise OSError(
            f"{path}: the weights could not be written ({error.strerror}). What was saved"
            " before stays; make room and give the same command again."
        ) from error


def save_config(folder: ModelFolder) -> None:
    """Writes config.json."""
    os.makedirs(folder.path, exist_ok=True)
    content = {"format": FORMAT} | {
        field.name: getattr(folder, field.name) for field in dataclasses.fields(folder)
    }
    del content["path"]
    content["task"] = {"name": tasks.name_of(folder.task), **dataclasses.asdict(folder.task)}
    for name in ("model_config", "train_config", "statistics"):
        content[name] = dataclasses.asdict(content[name])
    files.write_json(os.path.join(folder.path, CONFIG), content)


def load(path: str) -> ModelFolder:
    """Reads a model folder.

    Raises:
        FileNotFoundError: If the folder has no config.json.
        ValueError: If config.json is not that of a model folder.
    """
    config_path = os.path.join(path, CONFIG)
    if not os.path.isfile(config_path):
        raise FileNotFoundError(_not_a_model(path))
    content = files.read_json(config_path, FORMAT)
    options = dict(content["task"])
    name = options.pop("name")
    return ModelFolder(
        path=path,
        task=tasks.make(name, json.dumps(options)),
        model_config=config.ModelConfig(**content["model_config"]),
        train_config=config.TrainConfig(**content["train_config"]),
        statistics=records.Statistics(**content["statistics"]),
        protocol=content["protocol"],
        data=content["data"],
        versions=content["versions"],
        request=content["request"],
    )


def _not_a_model(path: str) -> str:
    """Says why a path is no model folder, and what to give instead."""
    folds = sorted(glob.glob(os.path.join(glob.escape(path), "fold[0-9]*", CONFIG)))
    if folds:
        return (
            f"{path}: must be one model folder, it holds folds. Give one of them"
            f" ({os.path.dirname(folds[0])}), or train once more without --fold for a model of the"
            " task's own split."
        )
    return (
        f"{path}: is not a model folder, it has no {CONFIG}. Give the --model_dir of spine-tf"
        " train, or one fold of it (fold0, ...)."
    )


def claimed(path: str) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes from training in a folder; makes it if missing.

    Raises:
        OSError: If one does; when the context is entered.
    """
    os.makedirs(path, exist_ok=True)
    return lock.only_one(
        os.path.join(path, _LOCK),
        f"`model_dir` must not be in use, got {path}, in which another process is training. Wait"
        " for it, stop it, or choose another folder.",
    )


def existing(path: str, request: Mapping[str, Any]) -> "ModelFolder | None":
    """Returns the folder of a run if it is there.

    Args:
        path: The folder.
        request: What the run asks for, see `ModelFolder.request`.

    Raises:
        ValueError: If it is of another run, or of the other stack.
    """
    if not os.path.exists(os.path.join(path, CONFIG)):
        return None
    folder = load(path)
    changed = json_fields.differences(folder.request, request)
    if changed:
        raise ValueError(
            f"`model_dir` must be new or of the same run, got {path}, which differs in"
            f" {'; '.join(changed)}. Choose another folder."
        )
    begun, now = folder.versions["keras"], keras.__version__
    if begun.split(".")[0] != now.split(".")[0]:
        raise ValueError(
            f"`model_dir` must be of a run of this stack, got {path}, which was begun with"
            f" Keras {begun}; this is {now}. Go on with that stack, or choose another folder."
        )
    return folder


def describe_data(folder: records.DataFolder) -> dict[str, Any]:
    """Returns the facts of a data set that travel with a model; no path."""
    return {
        "manifest_sha256": dataset_hash.manifest(folder.path),
        "splits_sha256": folder.manifest["splits_sha256"],
        "source": folder.manifest["source"],
        "crop_scale": folder.crop_scale,
        "channels": slice_schema.channels(folder.manifest["settings"]),
        "pixel_settings": slice_schema.pixel_settings(folder.manifest["settings"]),
    }


def library_versions() -> dict[str, str]:
    """Returns the versions of what made a model."""
    return {
        "spine_tf": spine_tf.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "python": platform.python_version(),
    }
