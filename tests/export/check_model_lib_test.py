"""Tests of the gate as a whole: a good version passes, and each kind of damage is found."""

import json
import os
import shutil

import pytest
import tensorflow as tf

from export import (
    check_model,
    check_model_blessing,
    check_model_lib,
    check_model_settings,
    export_lib,
    saved_model,
)
from spine_tf import cli, files, serving
from spine_tf.evaluation import options, run
from spine_tf.training import model_folder
from tests import tiny_export
from tests.spine_tf import small_data, untrained

_WEIGHTS = os.path.join("variables", "variables.data-00000-of-00001")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A calibrated and evaluated model, its data set and its export."""
    folder = tmp_path_factory.mktemp("gate")
    data_dir = small_data.make(folder / "data")
    model_dir = untrained.save(folder / "model", data_dir, "grading")
    tiny_export.calibrate(model_folder.load(model_dir))
    write_evaluation(model_dir, 0.0)
    export_dir = str(folder / "export")
    export_lib.export(model_dir, export_dir)
    return model_dir, data_dir, export_dir


def write_evaluation(model_dir, low):
    """Writes what a model card needs of an evaluation, with a lower bound of every accuracy."""
    accuracy = {"value": 1.0, "low": low, "high": 1.0}
    names = model_folder.load(model_dir).task.gradings
    content = {
        "format": run.FORMAT,
        "split": "test",
        "protocols": ["grading"],
        "bootstrap": {"over": "subject", "draws": 20, "seed": 0},
        "weights_sha256": [files.sha256(os.path.join(model_dir, model_folder.WEIGHTS))],
        "results": {"gradings": {n: {"model": {"balanced_accuracy": accuracy}} for n in names}},
    }
    os.makedirs(os.path.join(model_dir, "evaluation"), exist_ok=True)
    files.write_json(os.path.join(model_dir, "evaluation", run.EVALUATION), content)


def check(model_dir, data_dir, export_dir, **options):
    return check_model_lib.check(
        export_dir, model_dir, data_dir, check_model_settings.Settings(repeats=1), **options
    )


def failed(gate):
    return [check.name for check in gate.checks if not check.passed]


def copy_of(version, folder):
    return shutil.copytree(version, os.path.join(folder, "1"))


def test_a_good_version_is_blessed_until_a_file_changes(good, tmp_path):
    model_dir, data_dir, export_dir = good
    arguments = [f"--export_dir={export_dir}", "--repeats=1", f"--data_dir={data_dir}"]
    call = [check_model.define_flags, check_model.main, [*arguments, f"--model_dir={model_dir}"]]
    assert cli.call(*call) == cli.EXIT_DONE
    version = os.path.join(export_dir, "1")
    with open(os.path.join(version, check_model_blessing.GATE), encoding="utf-8") as file:
        gate = json.load(file)
    assert gate["passed"] and all(check["passed"] for check in gate["checks"])
    assert {*gate["checks"][0]} == {*("name", "passed", "measured", "wanted", "remedy", "was_run")}
    assert check_model_blessing.problem(version) == ""
    call[2] = [f"--export_dir={export_dir}", "--blessing_only"]
    assert cli.call(*call) == cli.EXIT_DONE
    moved = copy_of(version, tmp_path)  # such as to where a server looks
    assert check_model_blessing.problem(moved) == ""
    with open(os.path.join(moved, saved_model.EXTRA, "model_card.md"), "a") as file:
        file.write("better\n")
    assert "changed since it was blessed: assets.extra/model_card.md" in (
        check_model_blessing.problem(moved)
    )


def test_a_corrupted_weight_is_found(good, tmp_path):
    version = copy_of(os.path.join(good[2], "1"), tmp_path)
    with open(os.path.join(version, _WEIGHTS), "r+b") as file:
        file.seek(os.path.getsize(file.name) // 2)
        found = file.read(4)
        file.seek(-4, os.SEEK_CUR)
        file.write(bytes(byte ^ 0xFF for byte in found))
    gate = check(*good[:2], str(tmp_path))
    assert "loads" in failed(gate) and "crops" in failed(gate)
    assert "files" not in failed(gate)  # the size is the same
    assert "is not blessed" in check_model_blessing.problem(version)
    loads = next(one for one in gate.checks if one.name == "loads")
    assert "DATA_LOSS" in loads.measured
    assert "not run crops: the rule loads does not hold" in map(str, gate.checks)


def test_without_warmup_requests_one_check_fails_and_says_what_to_do(good, tmp_path, monkeypatch):
    monkeypatch.setattr(export_lib.warmup, "is_installed", lambda: False)
    export_lib.export(good[0], str(tmp_path))
    gate = check(*good[:2], str(tmp_path))
    assert [one.name for one in gate.checks if one.was_run and not one.passed] == ["warmup"]
    warmup = str(next(one for one in gate.checks if one.name == "warmup"))
    assert warmup.startswith("FAILED  warmup: ") and "; got none. Export again" in warmup
    assert "pip install 'spine-tf[serving]'" in warmup
    rest = [one for one in gate.checks if not one.was_run]
    assert {one.name for one in rest} == {
        *("crops", "packed", "records", "scan", "batches", "derived"),
        *("wrong_shapes", "wrong_values", "empty_batches", "latency"),
    }
    assert all(str(one) == f"not run {one.name}: no warmup request" for one in rest)
    version = os.path.join(tmp_path, "1")
    assert not gate.passed
    assert not os.path.exists(os.path.join(version, check_model_blessing.BLESSED))


def export_patched(good, tmp_path):
    """Exports the good model with whatever is patched."""
    export_lib.export(good[0], str(tmp_path))


@pytest.mark.slow
def test_weights_that_are_others_but_whole_are_found(good, tmp_path, monkeypatch):
    load = model_folder.ModelFolder.load_model

    def changed(folder):
        model = load(folder)
        kernel = next(w for w in model.trainable_weights if w.shape.rank == 5)
        kernel.assign(kernel + 0.01)
        return model

    with monkeypatch.context() as patch:
        patch.setattr(model_folder.ModelFolder, "load_model", changed)
        export_patched(good, tmp_path)
    found = failed(check(*good[:2], str(tmp_path)))
    assert {"crops", "records", "scan", "batches"} <= {*found}
    assert "loads" not in found and "weights" not in found


@pytest.mark.slow
def test_a_swapped_class_order_is_found(good, tmp_path, monkeypatch):
    grades = serving._grades

    def swapped(item, logits, calibration):
        return grades(item, tf.reverse(logits, [1]), calibration)

    with monkeypatch.context() as patch:
        patch.setattr(serving, "_grades", swapped)
        export_patched(good, tmp_path)
    found = failed(check(*good[:2], str(tmp_path)))
    assert {"crops", "packed", "records", "scan", "batches"} <= {*found}
    assert "derived" not in found  # it is consistent, only wrong


@pytest.mark.slow
@pytest.mark.parametrize("signature", ["scan", "records"])
def test_crops_shifted_by_8_pixels_are_found(good, tmp_path, monkeypatch, signature):
    cut, middle = serving.scan_discs.cut, serving.augmentation.middle

    def shifted_cut(*arguments):
        disc, crop = cut(*arguments)
        return disc, tf.roll(crop, 8, 3)

    with monkeypatch.context() as patch:
        if signature == "scan":
            patch.setattr(serving.scan_discs, "cut", shifted_cut)
        else:
            shifted = lambda *args, **names: tf.roll(middle(*args, **names), 8, -1)  # noqa: E731
            patch.setattr(serving.augmentation, "middle", shifted)
            monkeypatch.setattr(export_lib.warmup, "requests", lambda *_: requests)
        requests = export_lib.warmup.read(
            os.path.join(good[2], "1", saved_model.EXTRA, export_lib.warmup.FILE)
        )
        export_patched(good, tmp_path)
    assert failed(check(*good[:2], str(tmp_path))) == [signature]


@pytest.mark.slow
def test_the_accuracy_is_that_of_the_evaluation(good, tmp_path):
    model_dir, data_dir = shutil.copytree(good[0], tmp_path / "model"), good[1]
    output = os.path.join(model_dir, "evaluation")
    found = run.evaluate(str(model_dir), data_dir, output, options.Options(num_draws=20))
    export_lib.export(str(model_dir), str(tmp_path / "export"))
    gate = check(str(model_dir), data_dir, str(tmp_path / "export"))
    assert not failed(gate)
    measured = next(one.measured for one in gate.checks if one.name == "accuracy")
    for name, one in found["results"]["gradings"].items():
        accuracy = one["model"]["balanced_accuracy"]
        if accuracy["low"] is not None:
            assert measured[name]["balanced_accuracy"] == pytest.approx(accuracy["value"], abs=1e-5)
            assert measured[name]["lower_bound"] == accuracy["low"]
    assert measured
    # A bound that the model does not reach.
    write_evaluation(str(model_dir), 0.99)
    export_lib.export(str(model_dir), str(tmp_path / "export"))
    assert failed(check(str(model_dir), data_dir, str(tmp_path / "export"))) == ["accuracy"]


@pytest.mark.slow
def test_what_else_keeps_a_version_from_its_blessing(good, tmp_path):
    version = copy_of(os.path.join(good[2], "1"), tmp_path)
    os.remove(os.path.join(version, saved_model.EXTRA, export_lib.warmup.FILE))
    output = str(tmp_path / "gate.json")
    gate = check(good[0], "", str(tmp_path), output=output)
    assert {"files", "warmup", "accuracy"} <= {*failed(gate)}
    assert os.path.exists(output)
    assert not os.path.exists(os.path.join(version, check_model_blessing.BLESSED))


def test_model_dir_is_needed_for_a_gate(good):
    arguments = [f"--export_dir={good[2]}"]
    assert cli.call(check_model.define_flags, check_model.main, arguments) == cli.EXIT_USAGE
