import dataclasses
import json
import os
import re

import keras
import numpy as np
import pytest

from spine_tf import config, tasks
from spine_tf.data import dataset_hash, records, slice_schema
from spine_tf.models import transfer
from spine_tf.training import model_folder
from tests import make_model_folders
from tests.spine_tf import tiny_runs, untrained


@pytest.fixture(name="folder", scope="module")
def _folder(data_dir, tmp_path_factory):
    return model_folder.load(untrained.save(tmp_path_factory.mktemp("m"), data_dir, "grading"))


@pytest.mark.parametrize("name", ["grading", "longitudinal"])
def test_what_is_saved_is_loaded(name, data_dir, tmp_path):
    folder = model_folder.load(untrained.save(tmp_path / "a", data_dir, name))
    again = dataclasses.replace(folder, path=str(tmp_path / "b"))
    model_folder.save_config(again)
    assert model_folder.load(again.path) == again
    texts = [(tmp_path / name / "config.json").read_text() for name in "ab"]
    assert texts[0] == texts[1]


def test_a_folder_of_folds_is_called_that(folder, tmp_path):
    for name in ("fold1", "fold0"):
        model_folder.save_config(dataclasses.replace(folder, path=str(tmp_path / name)))
    with pytest.raises(
        FileNotFoundError, match="must be one model folder, it holds folds"
    ) as error:
        model_folder.load(str(tmp_path))
    assert f"Give one of them ({tmp_path / 'fold0'})" in str(error.value)


def test_config_names_no_place(folder):
    text = open(os.path.join(folder.path, model_folder.CONFIG), encoding="utf-8").read()
    assert not re.search(r'"[^"]*/[^"]*"', text.replace(model_folder.FORMAT, ""))
    assert folder.path not in text


def test_data_is_told_by_its_hashes(folder, data_dir):
    data = records.open_folder(data_dir)
    assert folder.data == {
        "manifest_sha256": dataset_hash.manifest(data.path),
        "splits_sha256": data.manifest["splits_sha256"],
        "source": "test",
        "crop_scale": 0.5,
        "channels": ["grey"],
        "pixel_settings": {},
    }
    assert set(folder.versions) == {"spine_tf", "tensorflow", "keras", "python"}


def test_the_encoder_sees_the_means_of_its_own_slices():
    path = make_model_folders.FOLDER / "current" / "grading"
    found = model_folder.find_encoder(model_folder.load(str(path)).build())
    # 15 stored slices with means 0.30 to 0.44; the network sees the nine in the middle.
    means = found.get_layer("subtract_slice_means").means
    assert means == pytest.approx([0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.40, 0.41])


def test_an_encoder_is_found_where_it_is_nested():
    encoder = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)], name="encoder")
    x = keras.Input([1])
    tower = keras.Model(x, encoder(x), name="tower")
    other = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)], name="other")
    model = keras.Model(x, tower(other(x)))
    assert model_folder.find_encoder(model) is encoder
    with pytest.raises(ValueError, match="must hold a layer called encoder, got 'other'"):
        model_folder.find_encoder(other)


def test_without_weights_there_is_no_model(folder, tmp_path):
    empty = dataclasses.replace(folder, path=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is missing; train at least one epoch first"):
        empty.load_model()


def test_a_folder_that_is_no_model_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not a model folder.*Give the --model_dir"):
        model_folder.load(str(tmp_path))
    path = tmp_path / model_folder.CONFIG
    path.write_text("{")
    with pytest.raises(ValueError, match="config.json: is not valid JSON"):
        model_folder.load(str(tmp_path))
    for content in ({"format": "other"}, []):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match="`format` must be 'spine_tf model/1', got"):
            model_folder.load(str(tmp_path))


PATCHES = {"anatomy": "slice", "patch_size": 96, "image_shape": (1, 96, 96, 1)}


def _save_pretext(path, name, options, model_config):
    """A model folder of a pretext with random weights."""
    options = options | ({"num_permutations": 5} if name == "jigsaw" else {})
    made = tasks.TASKS[name](**options).configure(_NO_RECORDS)
    folder = model_folder.ModelFolder(
        path=str(path),
        task=made,
        model_config=model_config,
        train_config=config.TrainConfig(),
        statistics=records.Statistics({}, {}, [0.0] * 15),
        protocol=made.protocol,
        data={},
        versions={},
        request={},
    )
    model_folder.save_config(folder)
    model = folder.build()
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(1, 2, weight.shape) for weight in model.get_weights()])
    model.save_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    return folder.path


_NO_RECORDS = records.Index("", "slice", 1.0, (), slice_schema.SliceKind(1))
_JOINED = {f"decoder_conv{level}_1{end}" for level in (1, 2, 3, 4) for end in ("", "_norm")}


@pytest.mark.parametrize(
    "name, new_in_decoder",
    [
        ("relative_positions", "all"),
        ("jigsaw", "all"),
        ("context_restoration", {"decoder_output"}),
        ("context_prediction", {"decoder_output"}),
        ("autoencoder", {"decoder_output"} | _JOINED),  # it concatenates nothing
    ],
)
def test_which_weights_of_a_segmentation_a_pretext_moves(name, new_in_decoder, tmp_path):
    made = tiny_runs.make_task("segmentation")
    model = model_folder.build_model(made, tiny_runs.UNET, records.Statistics({}, {}, []), seed=1)
    before = model.get_weights()
    start = _save_pretext(tmp_path / name, name, PATCHES, tiny_runs.UNET)
    copied = model_folder.copy_encoder(start, model)
    new = transfer.new_layers(model, copied)
    decoder = {layer.name for layer in model.layers if layer.name != "encoder" and layer.weights}
    assert set(new) == (decoder if new_in_decoder == "all" else new_in_decoder)
    # Random weights are between 1 and 2: what has moved is, what is new is not.
    has_moved = {
        weight.path if hasattr(weight, "path") else weight.name: bool(np.any(old != found))
        for weight, old, found in zip(model.weights, before, model.get_weights(), strict=True)
    }
    for weight, moved in has_moved.items():
        is_new = any(f"{layer}/" in weight for layer in new)
        assert moved != is_new, weight


@pytest.mark.parametrize("anatomy", ["disc", "vertebra"])
@pytest.mark.parametrize(
    "name",
    ["context_restoration", "autoencoder", "relative_positions", "jigsaw", "context_prediction"],
)
def test_every_pretext_starts_the_encoder_of_a_grader(name, anatomy, tmp_path):
    made = tasks.make("grading", '{"gradings": ["pfirrmann"]}')
    statistics = records.Statistics({"pfirrmann": [1] * 5}, {}, [0.0] * 15)
    model = model_folder.build_model(made, tiny_runs.MODEL, statistics, seed=1)
    encoder = model_folder.find_encoder(model)
    before = encoder.get_weights()
    start = _save_pretext(tmp_path / name, name, {"anatomy": anatomy}, tiny_runs.MODEL)
    copied = set(model_folder.copy_encoder(start, model))
    assert copied == {f"encoder/{layer.name}" for layer in encoder.layers if layer.weights}
    for old, new in zip(before, encoder.get_weights(), strict=True):
        assert np.all(new >= 1) and not np.array_equal(old, new)  # random weights are in [1, 2]
