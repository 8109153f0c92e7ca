"""Tests of export.report_card."""

import dataclasses
import os
import shutil

import pytest

from export import model_card, report_card, saved_model
from spine_tf import files


@pytest.fixture(scope="module")
def exported(model):
    path = saved_model.find_version(model)
    return saved_model.Exported(path, saved_model.read_info(path), {})


def test_the_card_of_a_calibrated_model(exported):
    rows = dict(report_card.rows(exported))
    assert rows["Name"] == "spine_grading" and "Not a medical device" in rows["Intended use"]
    assert rows["Training data"] == f"test, manifest {'a' * 64}"
    assert rows["Spondylolisthesis"] == "discs in training: 3 of grade 0, 2 of grade 1"
    assert rows["Results"].startswith("none") and not report_card.results(exported)
    # tiny_export: half is answered, 10 % of that is wrong, at most 20 %.
    said = rows["Calibration, Pfirrmann grade"]
    assert "50% are answered, and 10% of these are wrong (aim: 10%; at most 20%" in said


def test_without_a_card_model_json_is_enough(exported, tmp_path):
    info = {**exported.info, "calibration": None}
    bare = dataclasses.replace(exported, path=str(tmp_path), info=info)
    rows = dict(report_card.rows(bare))
    assert "Name" not in rows and rows["Weights"].endswith(info["weights_sha256"])
    assert rows["Calibration"] == "none: the model cannot say where it is uncertain"


def test_results_and_a_threshold_that_was_not_met(exported, tmp_path):
    source = os.path.join(exported.path, saved_model.EXTRA)
    shutil.copytree(source, tmp_path / saved_model.EXTRA)
    path = str(tmp_path / saved_model.EXTRA / model_card.JSON)
    card = files.read_json(path, model_card.FORMAT)
    value = {"value": 0.75, "low": 0.5, "high": 0.9}
    graded = {"model": {"balanced_accuracy": value}, "discs": 10}
    card["evaluation"] = {"split": "test", "results": {"gradings": {"pfirrmann": graded}}}
    files.write_json(path, card)
    calibration = dict(exported.info["calibration"])
    unmet = calibration["gradings"]["pfirrmann"] | {"threshold": None, "reason": "never met"}
    calibration["gradings"] = {"pfirrmann": unmet}
    info = {**exported.info, "calibration": calibration}
    evaluated = dataclasses.replace(exported, path=str(tmp_path), info=info)
    rows = dict(report_card.rows(evaluated))
    (table,) = report_card.results(evaluated)
    assert "Results" not in rows
    assert table.caption == "Pfirrmann grade, the test split, 10 discs"
    assert table.rows == [("model", ["0.750 [0.500, 0.900]", "-", "-"])]
    assert "never met" in rows["Calibration, Pfirrmann grade"]
