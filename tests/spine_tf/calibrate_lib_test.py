"""Tests of spine_tf.calibrate_lib and of what it writes."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from scipy import special

from spine_tf import calibrate, calibrated, calibration, cli, files, gradings, serving
from spine_tf.data import records, schema
from spine_tf.evaluation import inference
from spine_tf.training import model_folder
from tests.spine_tf import small_data, untrained


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    data_dir = small_data.make(folder / "data", (2,) * 4 + (1,) * 10)
    return untrained.save(folder / "model", data_dir, "grading"), data_dir


def run(model_dir, data_dir, *more):
    arguments = [f"--model_dir={model_dir}", f"--data_dir={data_dir}", *more]
    return cli.call(calibrate.define_flags, calibrate.main, arguments)


@pytest.fixture(scope="module")
def done(folders):
    assert run(*folders, "--error_rate=0.4", "--batch_size=4") == 0
    folder = model_folder.load(folders[0])
    weights = files.sha256(os.path.join(folder.path, model_folder.WEIGHTS))
    return folder, calibrated.load(folder.path, weights)


@pytest.fixture(scope="module")
def logits_of(folders, done):
    """Key -> grading -> logits of every disc, without `serving`."""
    folder, model = done[0], done[0].load_model()
    index = records.open_folder(folders[1]).index(schema.DISC, folder.protocol)
    outputs = inference.map_crops(
        index,
        np.stack([np.arange(len(index)), np.zeros(len(index), int)], 1),
        lambda batch: model({"crop": batch["crop"][..., None]}, training=False),
        crop_scale=0.5,
        batch_size=8,
    )
    return {
        key: {name: value[i] for name, value in outputs.items()}
        for i, key in enumerate(index.column("key"))
    }


def rows_of(folders, done, split):
    return records.open_folder(folders[1]).index(schema.DISC, done[0].protocol, split).rows


def test_temperature_and_threshold_are_those_of_validation(folders, done, logits_of):
    folder, found = done
    rows = rows_of(folders, done, "validation")
    for name in folder.task.gradings:
        item = gradings.from_name(name)
        here = [row for row in rows if name in row["grades"]]
        true = np.array([item.class_index(row["grades"][name]) for row in here])
        logits = np.stack([logits_of[row["key"]][name] for row in here])
        assert found.content["gradings"][name]["discs"] == len(here) > 0
        temperature = found.temperature(name)
        assert temperature == pytest.approx(calibration.fit_temperature(logits, true), rel=0.02)
        probabilities = special.softmax(logits / temperature, 1)
        answered = probabilities.max(1) >= found.threshold(name)
        wrong = probabilities.argmax(1) != true
        assert answered.sum() == found.content["gradings"][name]["answered"]["discs"]
        assert wrong[answered].sum() <= 0.4 * answered.sum()


def test_the_training_set_travels_without_keys(folders, done, logits_of):
    folder, found = done
    training = rows_of(folders, done, "train")
    rows = found.reference.rows
    assert set(rows) == {"features", "level", "scanner"} | {
        f"grade_{name}" for name in folder.task.gradings
    }
    assert rows["features"].shape == (len(training), len(found.content["reference"]["features"]))
    assert rows["level"].tolist() == [row["level"] for row in training]
    assert set(rows["scanner"]) == {"1 T", "1.5 T"}
    name = folder.task.gradings[0]
    expected = [logits_of[row["key"]][name].argmax() for row in training]
    expected = np.array(expected) + gradings.from_name(name).first_grade
    np.testing.assert_array_equal(rows[f"grade_{name}"], expected)
    text = json.dumps(found.content)
    assert not any(subject in text for subject in {row["subject"] for row in training})


def test_a_served_model_divides_by_the_temperature_and_abstains(folders, done):
    folder, found = done
    module = serving.make_module(folder.load_model(), folder, found)
    crops = np.random.default_rng(0).uniform(0, 1, (3, *module.crop_shape)).astype(np.float32)
    plain, outputs = module.observe(tf.constant(crops)), module.run_crops(tf.constant(crops))
    for name in folder.task.gradings:
        expected = special.softmax(plain[f"{name}_logits"] / found.temperature(name), 1)
        np.testing.assert_allclose(outputs[f"{name}_probabilities"], expected, atol=1e-5)
        uncertain = expected.max(1) < found.threshold(name)
        np.testing.assert_array_equal(outputs[f"{name}_uncertain"], uncertain)
    assert outputs["distance"].shape == [3]
    np.testing.assert_array_equal(outputs["is_outlier"], outputs["distance"] > 1)
    assert outputs["is_outlier"].numpy().all()  # noise is no disc


def test_a_threshold_that_is_not_met_makes_all_uncertain(done):
    _, found = done
    content = json.loads(json.dumps(found.content))
    for item in content["gradings"].values():
        item["threshold"] = None
    assert (
        calibrated.Calibrated(content, found.reference).threshold(next(iter(content["gradings"])))
        > 1
    )


def test_calibration_of_other_weights_is_refused(done):
    folder, _ = done
    with pytest.raises(ValueError, match="was trained after it was calibrated. Run spine-tf calib"):
        calibrated.load(folder.path, "0" * 64)


def test_files_that_do_not_belong_together_are_refused(done, tmp_path):
    _, found = done
    calibrated.save(str(tmp_path), found.content, found.reference)
    weights = found.content["weights_sha256"]
    assert calibrated.load(str(tmp_path), weights).content == found.content
    (tmp_path / calibrated.REFERENCE).write_bytes(b"cut")
    with pytest.raises(ValueError, match="reference.npz: must be the one that"):
        calibrated.load(str(tmp_path), weights)
    assert calibrated.load(str(tmp_path / "nothing"), weights) is None


def test_another_data_set_or_task_is_refused(folders, tmp_path, capsys):
    other = small_data.make(tmp_path / "other", (1, 1, 1), seed=3)
    assert run(folders[0], other) == 1
    assert "`splits.json` must be the one" in (error := capsys.readouterr().err)
    assert "--other_data" not in error  # a flag of evaluate
    model_dir = untrained.save(tmp_path / "model", folders[1], "longitudinal")
    assert run(model_dir, folders[1]) == 1
    assert "must be a model of the task grading, got longitudinal" in capsys.readouterr().err
    assert run(*folders, "--error_rate=1") == cli.EXIT_USAGE
