import json

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import augmentation, records, slice_schema
from spine_tf.tasks.downstream import localisation

INPUTS = augmentation.InputConfig(1.0, 1.0)
ORGANS = {"organs": ("liver", "spleen"), "labels": (5, 1)}


def _index(*maps, folder=""):
    rows = [
        {"rows": 20, "columns": 40, "visit": [0], "foreground_pixels": 0, "label_pixels": shown}
        for shown in maps
    ]
    return records.Index(folder, "slice", 1.0, tuple(rows), slice_schema.SliceKind(1))


@pytest.fixture(name="folder")
def _folder(tmp_path):
    """A data set whose label maps have three names."""
    labels = {"liver": [5], "spleen": [1], "kidney": [9, 2]}
    manifest = {"schema_version": records.schema.SCHEMA_VERSION, "kinds": {}}
    manifest["settings"] = {"crop_scale": 1.0, "labels": labels}
    (tmp_path / records.MANIFEST).write_text(json.dumps(manifest))
    (tmp_path / records.SPLITS).write_text("{}")
    return str(tmp_path)


def test_organs_are_the_names_of_the_labels_that_are_shown(folder):
    index = _index({"5": 3}, {"1": 2}, {}, folder=folder)
    made = localisation.Localisation().configure(index)
    assert (made.organs, made.labels) == (("spleen", "liver"), (1, 5))
    chosen = localisation.Localisation(organs=("liver",)).configure(index)
    assert (chosen.organs, chosen.labels, chosen.num_outputs) == (("liver",), (5,), 1)
    assert chosen.configure(index) == chosen
    with pytest.raises(ValueError, match="training records show, spleen, liver, got kidney"):
        localisation.Localisation(organs=("kidney",)).configure(index)
    with pytest.raises(ValueError, match="training records show, none, got none"):
        localisation.Localisation().configure(_index(None, folder=folder))


def test_slices_that_show_an_organ_are_counted():
    made = localisation.Localisation(**ORGANS)
    index = _index({"5": 3, "1": 1}, {"5": 2}, {}, None, {"7": 1})
    assert made.class_counts(index) == {"liver": [2, 2], "spleen": [3, 1]}
    # Slices of air are planned, those without a label map are not.
    assert sorted(made.plan(index, 4, 0)[0, :, 0].tolist()) == [0, 1, 2, 4]


def test_what_a_slice_shows():
    made = localisation.Localisation(**ORGANS).configure(_index({}))
    labels = np.zeros((20, 40), np.int32)
    labels[3, 7] = 1
    labels[4, 8] = 7
    example = {
        "image": tf.ones([20, 40, 1]),
        "valid": tf.ones([20, 40], tf.bool),
        "foreground": tf.ones([20, 40], tf.bool),
        "label_map": tf.constant(labels),
        "mean": tf.zeros([1]),
        "std": tf.ones([1]),
    }
    found = made.preprocess(example, INPUTS, tf.constant([0, 0]))
    np.testing.assert_array_equal(found["organs"], [0, 1])
    assert found["image"].shape == (1, 32, 64, 1)
    batch = made.prepare_batch({name: value[None] for name, value in found.items()}, True, None)
    np.testing.assert_array_equal(batch.weights["organs"], [1])
    np.testing.assert_array_equal(batch.labels["organs"], [[0, 1]])


def test_an_organ_that_is_cut_away_is_not_shown():
    made = localisation.Localisation(**ORGANS, image_size=32).configure(_index({}))
    labels = np.zeros((100, 100), np.int32)
    labels[10, 10], labels[50, 50] = 5, 1
    planes = {name: tf.ones([100, 100], tf.bool) for name in ("valid", "foreground")}
    example = planes | {"image": tf.ones([100, 100, 1]), "label_map": tf.constant(labels)}
    example |= {"mean": tf.zeros([1]), "std": tf.ones([1])}
    found = made.preprocess(example, INPUTS, tf.constant([0, 0]))
    np.testing.assert_array_equal(found["organs"], [0, 1])


def test_what_cannot_be():
    with pytest.raises(ValueError, match="`organs` must be different names, got a, a"):
        localisation.Localisation(organs=("a", "a"))
    with pytest.raises(ValueError, match=r"`labels` must be one per organ, got \(1, 2\)"):
        localisation.Localisation(organs=("a",), labels=(1, 2))
