"""Folds whose model is a function, and a data set of volumes whose answers are known by hand."""

import dataclasses
import json
import os

import numpy as np

from data_prep import settings, volume_slices
from spine_tf import config, files
from spine_tf.data import records, schema, slice_schema
from spine_tf.evaluation import fold
from spine_tf.training import model_folder
from tests.spine_tf import tiny_runs

LABELS = {"cube": [1], "bar": [2]}
SPACING_MM = (3.0, 2.0, 1.0)  # of sagittal, axial, coronal slices
# A volume holds 1, where it is labelled 11 and 21; both labels together are its foreground:
# mean (48 * 11 + 36 * 21) / 84, deviation 10 sqrt(48 * 36) / 84.
_MEAN, _STD = 1284 / 84, 10 * 1728**0.5 / 84
STANDARDISED = [(value - _MEAN) / _STD for value in (1, 11, 21)]


def fold_of(monkeypatch, data_dir, task, oracle, *, number=None, with_train=True):
    """A fold of all records whose model is `oracle` (inputs, training=...) -> outputs.

    `number` of a fold takes the records of one subject as test, the others as training.
    """
    data = records.open_folder(str(data_dir))
    protocol = None if number is None else f"fold{number}"
    index = data.index(task.record_kind, protocol, None if number is None else "train")
    task = task.configure(index)
    folder = model_folder.ModelFolder(
        path="",
        task=task,
        model_config=tiny_runs.MODEL,
        train_config=config.TrainConfig(),
        statistics=records.statistics(index, task.class_counts(index)),
        protocol="",
        data={},
        versions={},
        request={},
    )
    monkeypatch.setattr(model_folder.ModelFolder, "load_model", lambda self: oracle)
    test = data.index(task.record_kind, protocol, None if number is None else "test")
    return fold.Fold(folder, test, index if with_train else None)


def on_other_data(one, data_dir):
    """The fold's model and all records of another data set."""
    data = records.open_folder(str(data_dir))
    folder = dataclasses.replace(one.folder, task=one.folder.task.for_data(data))
    return fold.Fold(folder, data.index(folder.task.test_kind), None)


def label_map(shift=0):
    """[10, 12, 14] a cube of 3x4x4 and a bar of 3x4x3 voxels; `shift` moves the cube."""
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[2:5, 3:7, 4 + shift : 8 + shift] = 1
    labels[6:9, 6:10, 1:4] = 2
    return labels


def make_volumes(
    folder, shifts=(0, 1), *, slices="all", views=("axial", "coronal", "sagittal"), swapped=False
):
    """Writes a data set with a volume per subject; returns its path.

    fold0 tests the first subject and trains on the others. `swapped` gives each of the two labels
    the number of the other.
    """
    folder = str(folder)
    os.makedirs(folder)
    chosen = settings.VolumeSettings(views=views, slices=slices)
    examples = []
    for number, shift in enumerate(shifts):
        labels = label_map(shift)
        case = volume_slices.Case(
            array=(1.0 + 10.0 * labels[..., None]).astype(np.float32),
            label_map=np.array([0, 2, 1], np.uint8)[labels] if swapped else labels,
            affine=np.diag([*SPACING_MM, 1.0]),
            view=slice_schema.SAGITTAL,
        )
        names = {"subject": f"s{number}", "family": f"f{number}", "scan": f"scan{number}"}
        examples += volume_slices.examples(case, names | {"visit": 0, "days": 0}, chosen)
    names = reversed(LABELS) if swapped else LABELS
    _write(folder, examples, len(shifts), dict(zip(names, LABELS.values(), strict=True)), slices)
    return folder


def _write(folder, examples, num_subjects, labels, slices):
    name = records.shard_name(schema.SLICE, 0, 1)
    path = os.path.join(folder, name)
    spans = records.write_shard(path, [example.SerializeToString() for example in examples])
    with open(os.path.join(folder, records.index_name(schema.SLICE)), "w") as file:
        for example, (offset, length) in zip(examples, spans, strict=True):
            place = {"file": name, "offset": offset, "length": length}
            file.write(json.dumps(schema.facts(example) | place) + "\n")
    split_of = {f"f{i}": "test" if i == 0 else "train" for i in range(num_subjects)}
    protocols = {"subjects": dict.fromkeys(split_of, "train"), "fold0": split_of}
    files.write_json(os.path.join(folder, records.SPLITS), {"protocols": protocols})
    manifest = {
        "schema_version": schema.SCHEMA_VERSION,
        "source": "test",
        "settings": {"crop_scale": 1.0, "channels": ["x"], "labels": labels, "slices": slices},
        "kinds": {schema.SLICE: {"files": [{"name": name, "size": os.path.getsize(path)}]}},
        "splits_sha256": files.sha256(os.path.join(folder, records.SPLITS)),
    }
    files.write_json(os.path.join(folder, records.MANIFEST), manifest)
