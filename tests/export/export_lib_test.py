"""Tests of export.export_lib."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from data_prep import make_phantom_lib, settings
from export import export_lib, export_model, saved_model
from spine_tf import cli, config, files, tasks
from spine_tf.data import records
from spine_tf.phantom import cohort
from spine_tf.training import loop
from tests import tiny_export


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    return tiny_export.make_model_folder(tmp_path_factory.mktemp("model")).path


@pytest.fixture(scope="module")
def export_dir(model_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("export")
    (path / "7").mkdir()  # of an earlier time
    export_lib.export(model_dir, str(path))
    return str(path)


def test_the_next_version_is_written_and_nothing_else(export_dir):
    assert sorted(os.listdir(export_dir)) == ["7", "8", "batching.config", "models.config"]
    assert {"saved_model.pb", "variables", "assets.extra"} <= set(os.listdir(f"{export_dir}/8"))


def test_model_json_says_what_the_model_is(model_dir, export_dir):
    with open(f"{export_dir}/8/assets.extra/model.json", encoding="utf-8") as file:
        info = json.load(file)
    assert info["format"] == "spine_tf export/1"
    assert [(g["name"], g["grades"]) for g in info["gradings"]] == [
        ("pfirrmann", [1, 2, 3, 4, 5]),
        ("spondylolisthesis", [0, 1]),
    ]
    assert info["gradings"][1]["graded_levels"] == ["L4-L5"]
    assert info["crop"]["shape"] == [9, 56, 112]
    assert info["crop"]["scale"] == info["crop"]["record_scale"] == 0.5
    assert info["data"]["manifest_sha256"] == "a" * 64
    assert info["data"]["splits_sha256"] == "b" * 64
    assert info["weights_sha256"] == files.sha256(f"{model_dir}/best.weights.h5")
    assert info["versions"]["exported"]["tensorflow"] == tf.__version__
    assert model_dir not in json.dumps(info)


def test_a_poller_sees_nothing_of_an_export_that_fails(model_dir, tmp_path, monkeypatch):
    seen = []

    def save(module, path):
        with open(os.path.join(path, "saved_model.pb"), "wb"):
            seen.append(saved_model.versions(str(tmp_path)))

    def write(path, name, requests):
        seen.append(saved_model.versions(str(tmp_path)))
        raise OSError(28, "No space left on device", path)

    monkeypatch.setattr(export_lib.serving, "save", save)
    monkeypatch.setattr(export_lib.serving, "make_module", lambda *args: None)
    monkeypatch.setattr(export_lib.warmup, "write", write)
    with pytest.raises(OSError, match="No space left"):
        export_lib.export(model_dir, str(tmp_path))
    assert seen == [[], []]
    assert os.listdir(tmp_path) == []


def test_files_are_named_with_their_sizes(export_dir):
    info = saved_model.read_info(f"{export_dir}/8")
    assert {"saved_model.pb", "assets.extra/model_card.json"} <= set(info["files"])
    assert "assets.extra/model.json" not in info["files"]
    saved_model.check_whole(f"{export_dir}/8", info)


def test_a_model_that_is_not_calibrated_says_so(export_dir):
    info = saved_model.read_info(f"{export_dir}/8")
    assert info["calibration"] is info["reference"] is None
    assert not os.path.exists(f"{export_dir}/8/assets.extra/reference.npz")
    outputs = saved_model.load(export_dir).signatures["embed"].function.structured_outputs
    assert set(outputs) == {"embedding"}


def test_a_calibrated_model_takes_its_calibration_along(model):
    info = saved_model.read_info(f"{model}/1")
    assert info["calibration"]["gradings"]["pfirrmann"]["temperature"] == 2.0
    assert info["reference"]["features"][-1] == "embedding_7"
    rows = np.load(f"{model}/1/assets.extra/reference.npz")
    assert rows["features"].shape == (24, 13) and rows["grade_pfirrmann"].dtype == np.int32
    signatures = saved_model.load(model).signatures
    for name in ("serving_default", "examples", "scan"):
        outputs = signatures[name].function.structured_outputs
        assert {"pfirrmann_uncertain", "features", "distance", "is_outlier"} <= set(outputs)
        assert all(tensor.shape[0] is None for tensor in outputs.values())
        assert outputs["pfirrmann_uncertain"].dtype == tf.bool
    outputs = signatures["embed"].function.structured_outputs
    assert set(outputs) == {"embedding", "features", "distance", "is_outlier"}


def test_a_graph_holds_only_operations_of_tensorflow_itself(model):
    """`tf.raw_ops` is made with TensorFlow: what addons or io register later is not in it."""
    with open(f"{model}/1/saved_model.pb", "rb") as file:
        (meta,) = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    functions = meta.graph_def.library.function
    nodes = [*meta.graph_def.node, *(node for f in functions for node in f.node_def)]
    names = {node.op for node in nodes} - {f.signature.name for f in functions}
    assert {"Conv2D", "ParseExampleV2", "StatefulPartitionedCall"} <= names
    assert [name for name in sorted(names) if not hasattr(tf.raw_ops, name)] == []


def test_the_command_prints_the_path(model_dir, tmp_path, capsys):
    arguments = [f"--model_dir={model_dir}", f"--export_dir={tmp_path}/new"]
    assert cli.call(export_model.define_flags, export_model.main, arguments) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == f"{tmp_path}/new/1"
    assert "not calibrated: no grade is ever called uncertain" in printed.err
    assert "the model card has no metrics" in printed.err


def test_a_folder_that_is_no_model_is_refused(tmp_path, capsys):
    arguments = [f"--model_dir={tmp_path}", f"--export_dir={tmp_path}/new"]
    assert cli.call(export_model.define_flags, export_model.main, arguments) == 1
    assert f"{tmp_path}: is not a model folder" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "new")


def test_a_longitudinal_model_is_exported_but_cannot_grade(tmp_path):
    folder = tiny_export.make_longitudinal_folder(tmp_path / "model")
    path = export_lib.export(folder.path, str(tmp_path / "export"))
    assert list(tf.saved_model.load(path).signatures) == ["serving_default"]
    with pytest.raises(ValueError, match="must be a model of the task grading, got longitudinal"):
        saved_model.load(path)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """Four phantoms at crop scale 1."""
    folder = str(tmp_path_factory.mktemp("full") / "data")
    chosen = settings.Settings(num_shards=1)
    key_file = os.path.join(folder, "local", "key")
    cohort_config = cohort.CohortConfig(8, matrices=(128,))
    make_phantom_lib.write_records(cohort_config, folder, chosen, key_file)
    return records.open_folder(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, options, batch_size",
    [("grading", "{}", 1), ("longitudinal", '{"margin_unit": "distance"}', 4)],
)
def test_the_preset_of_the_paper_trains_a_step_and_exports(
    name, options, batch_size, full_size, tmp_path
):
    """The smallest batch there is: one disc, or two positive pairs of bodies."""
    made = tasks.make(name, options)
    request = loop.Request(
        task=made,
        model_config=config.preset("paper"),
        train_config=config.TrainConfig(epochs=1, batch_size=batch_size, steps_per_epoch=1),
        data=full_size,
        protocol=made.protocol,
        model_dir=str(tmp_path / "model"),
    )
    loop.train(request, say=lambda line: None)
    path = export_lib.export(request.model_dir, str(tmp_path / "export"))
    served = tf.saved_model.load(path).signatures["serving_default"]
    crop = np.random.default_rng(0).uniform(0, 1, (1, *made.crop_kind.network_shape(1.0)))
    for value in served(crops=tf.constant(crop, tf.float32)).values():
        if value.dtype == tf.float32:
            assert np.all(np.isfinite(value))
