"""Features of a frozen encoder, computed once per draw of augmentation and reused over epochs.

A frozen encoder gives the same features whenever it sees the same crop. So the heads train on kept
conv5 features: pass p over the data takes draw p mod `feature_draws`, and draw k is what the plain
loop sees in pass k. A crop's augmentation follows from seed, pass and record alone, so features are
kept per record, and training sets that hold one another share them.

    CACHE/0123456789abcdef/20003-....npz      keys and features of some records under one seed

The folder's name is a hash of everything that the features depend on besides record and seed:
encoder, its slice means, the data set, augmentation, precision, library versions. A file is written
once, whole, and never changed; what is missing is computed and goes into a further file.

Source: Jamaludin 2017, section 4.2 (conv1 to conv5 frozen); methods 1.8.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spine_tf import files
from spine_tf.data import dataset_hash, pipeline, records
from spine_tf.tasks import task
from spine_tf.training import batches as batches_lib
from spine_tf.training import model_folder

FOLDER = "features"
_ENCODE_BATCH = 64


class FeatureBatches:
    """Batches of kept features; stands where `batches.Batches` stands."""

    def __init__(
        self, plain: batches_lib.Batches, encoder: keras.Model, num_draws: int, folder: str
    ):
        """Takes the place of `plain`.

        Args:
            plain: Batches of crops.
            encoder: The frozen encoder.
            num_draws: Draws of augmentation that are kept.
            folder: Folder of this encoder's features, see `cache_folder`.
        """
        self.task = plain.task
        self._plain, self._num_draws, self._folder = plain, num_draws, folder
        self._encode = tf.function(
            lambda crop: encoder(crop, training=False)["conv5"], reduce_retracing=True
        )

    def num_steps(self, split: str) -> int:
        """Steps of an epoch."""
        return self._plain.num_steps(split)

    def keys(self, split: str, epoch: int, step: int) -> list[str]:
        """Keys of the records of one batch, each once."""
        return self._plain.keys(split, epoch, step)

    def of_epoch(
        self, split: str, epoch: int, first_step: int = 0
    ) -> Iterator[tuple[int, task.Batch]]:
        """Yields (step, batch) of an epoch; weights add up to 1 over the batch."""
        step = 0
        for number, plan in self._plain.passes(split, epoch):
            left = plan[max(0, first_step - step) :, :, 0]
            step += len(plan) - len(left)
            for batch in self._of_pass(split, number, np.unique(plan), left):
                yield step, batch
                step += 1

    def _of_pass(
        self, split: str, number: int, numbers: np.ndarray, left: np.ndarray
    ) -> Iterator[task.Batch]:
        """Batches of the steps of a pass that are left; `numbers` are all its records, sorted."""
        if not len(left):
            return
        features = self._features(split, number % self._num_draws, numbers)
        rows = self._plain.indices[split].rows
        labels = [_row_labels(self.task, rows[record]) for record in numbers]
        for wanted in np.searchsorted(numbers, left):
            items = {name: tf.constant([labels[i][name] for i in wanted]) for name in labels[0]}
            items["crop"] = tf.constant(features[wanted])
            prepared = self.task.prepare_batch(items, False, tf.zeros(2, tf.int32))
            yield batches_lib.normalised(prepared)

    def _features(self, split: str, draw: int, numbers: np.ndarray) -> np.ndarray:
        """Features [records, ...] float32 of some records under one draw; computes the missing."""
        seed, keys = self._plain.seed(split, draw), self._plain.indices[split].column("key")
        kept = read(self._folder, seed)
        missing = [number for number in numbers if keys[number] not in kept]
        if missing:
            found = self._compute(split, seed, missing)
            write(self._folder, seed, [keys[number] for number in missing], found)
            kept |= dict(zip([keys[number] for number in missing], found, strict=True))
        return np.stack([kept[keys[number]] for number in numbers])

    def _compute(self, split: str, seed: int, numbers: Sequence[int]) -> np.ndarray:
        steps = -(-len(numbers) // _ENCODE_BATCH)
        size = min(_ENCODE_BATCH, len(numbers))
        plan = np.resize(numbers, (steps, size, 1)).astype(np.int32)
        index, process = self._plain.indices[split], self._plain.process[split]
        items = pipeline.items(index, plan, process, seed=seed)
        found = [self._encode(batch["crop"]).numpy() for _, batch in items]
        return np.concatenate(found)[: len(numbers)].astype(np.float32)


def cache_folder(
    root: str,
    encoder: keras.Model,
    model: model_folder.ModelFolder,
    data: records.DataFolder,
) -> str:
    """Returns the folder of one encoder's features of one data set."""
    facts = {
        "slice_means": list(model.statistics.slice_means),
        "model_config": dataclasses.asdict(model.model_config) | {"fc6": 0, "fc7": 0},
        "manifest_sha256": dataset_hash.manifest(data.path),
        "record_kind": model.task.record_kind,
        "augment": model.train_config.augment and model.train_config.augment_strength,
        "precision": model.train_config.precision,
        "versions": dict(model.versions),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for weight in encoder.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return os.path.join(root, digest.hexdigest()[:16])


def read(folder: str, seed: int) -> dict[str, np.ndarray]:
    """Returns key of a record -> features, of everything kept under a seed."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    kept: dict[str, np.ndarray] = {}
    for name in names:
        if name.startswith(f"{seed}-") and name.endswith(".npz"):
            with np.load(os.path.join(folder, name)) as content:
                kept |= dict(zip(content["keys"].tolist(), content["features"], strict=True))
    return kept


def write(folder: str, seed: int, keys: Sequence[str], features: np.ndarray) -> None:
    """Keeps features [records, ...] of some records under a seed, whole or not at all."""
    os.makedirs(folder, exist_ok=True)
    name = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]
    with files.atomic_write(os.path.join(folder, f"{seed}-{name}.npz"), "wb") as file:
        np.savez(file, keys=np.array(keys), features=features)


# === The heads alone ===


def can_reuse(made: task.Task, rows: Sequence[Any]) -> bool:
    """Says whether a task's items are one crop and labels that its index holds."""
    return bool(rows) and made.row_labels(rows[0]) is not None


def _row_labels(made: task.Task, row: Mapping[str, Any]) -> dict[str, int]:
    """The labels of a record of a task that `can_reuse`."""
    labels = made.row_labels(row)
    if labels is None:
        raise ValueError(
            f"`made` must be a task of crops and their labels, got {type(made).__name__}."
        )
    return labels


def build_heads(model: keras.Model, folder: model_folder.ModelFolder) -> keras.Model:
    """Returns a model of the heads of `model`, with their weights, from conv5 to the outputs."""
    conv5 = model_folder.find_encoder(model).output["conv5"]
    features = keras.Input(conv5.shape[1:], name="conv5")
    same = keras.layers.Activation("linear", name="same")(features)
    stand_in = keras.Model(features, {"conv5": same}, name="encoder")
    heads = folder.task.build(stand_in, folder.model_config, folder.train_config.seed)
    copy_heads(model, heads)
    return heads


def copy_heads(source: keras.Model, target: keras.Model) -> None:
    """Copies the weights of every layer but the encoder."""
    for layer in target.layers:
        if layer.name != "encoder" and layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())
