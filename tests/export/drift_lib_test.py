"""Tests of export.drift_lib, of its page and of the command."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest

from export import drift, drift_lib, saved_model, score_columns, score_files
from spine_tf import cli, reference
from tests.export import drift_groups_test

FEATURES = drift_groups_test.REFERENCE.numbers


@pytest.fixture(scope="module")
def watched(model, tmp_path_factory):
    """The model with a reference of made-up training discs."""
    folder = str(shutil.copytree(model, tmp_path_factory.mktemp("watched") / "grading"))
    extra = os.path.join(folder, "1", "assets.extra")
    path = os.path.join(extra, "model.json")
    with open(path, encoding="utf-8") as file:
        info = json.load(file)
    info["reference"] = {"features": list(FEATURES), "limit": 1.0}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(info, file)
    rows = drift_groups_test.REFERENCE
    known = reference.load(os.path.join(extra, "reference.npz")).with_rows(
        {
            "features": np.stack(list(rows.numbers.values()), 1).astype(np.float32),
            "level": reference.text_array(rows.level),
            "scanner": reference.text_array(rows.scanner),
            "grade_pfirrmann": rows.classes["pfirrmann"].astype(np.int32),
            "grade_spondylolisthesis": np.zeros(len(rows), np.int32),
        }
    )
    known.save(os.path.join(extra, "reference.npz"))
    return folder


def write_scores(path, model, sample, **of_all):
    """Writes a table of scored discs, two of which failed, and one row of another model."""
    version = saved_model.find_version(model)
    info = saved_model.read_info(version)
    facts = {"model_version": saved_model.version_of(version, info)} | of_all
    rows = [
        facts
        | {"key": f"{i:06d}", "is_outlier": i % 10 == 0, "pfirrmann_uncertain": i % 4 == 0}
        | {name: float(values[i]) for name, values in sample.numbers.items()}
        | {"pfirrmann_grade": int(sample.classes["pfirrmann"][i]), "spondylolisthesis_grade": 0}
        | {"level": sample.level[i], "scanner": sample.scanner[i], "scan": sample.scan[i]}
        for i in range(len(sample))
    ]
    rows += [facts | {"key": "bad", "error": "broken"}] * 2
    rows += [{"key": "other", "model_version": "7-other"}]
    score_files.write(str(path), score_columns.columns([info]), [rows])
    return str(path)


def run(**options):
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return cli.call(drift.define_flags, drift.main, arguments)


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_an_unmoved_batch(watched, tmp_path, ending):
    sample = drift_groups_test.make(60, 21)
    scored = write_scores(tmp_path / f"scores{ending}", watched, sample)
    found = drift_lib.drift(scored, watched, str(tmp_path / "out"))
    assert found.content["conclusion"] == ["Nothing moved."]
    counts = found.content["counts"]
    assert counts == {"discs": 300, "errors": 2, "scans": 60, "training_discs": 2000}
    assert [found.exit_status(name) for name in ("never", "slight", "moved")] == [0, 0, 0]
    batch = found.content["groups"][0]
    assert batch["shares"]["is_outlier"] == pytest.approx(0.1)
    assert batch["shares"]["pfirrmann_uncertain"] == pytest.approx(0.25)


@pytest.mark.parametrize("ending", score_files.ENDINGS)
def test_its_own_training_discs_are_unmoved_also_tiny_and_nearly_tied(watched, tmp_path, ending):
    model = str(shutil.copytree(watched, tmp_path / "model"))
    path = os.path.join(model, "1", "assets.extra", "reference.npz")
    known = reference.load(path)
    steps = np.random.default_rng(0).integers(0, 4, len(known.rows["level"]))
    known.rows["features"][:, 0] = np.float32(4.39e-4) + steps.astype(np.float32) * np.float32(1e-9)
    known.save(path)
    rows = drift_groups_test.REFERENCE
    numbers = dict(zip(FEATURES, known.rows["features"].T, strict=True))
    scan = np.repeat([f"s{i}" for i in range(len(rows) // 5)], 5)
    sample = dataclasses.replace(rows, numbers=numbers, scan=scan)
    scored = write_scores(tmp_path / f"scores{ending}", model, sample)
    found = drift_lib.drift(scored, model, str(tmp_path / "out"))
    assert found.content["conclusion"] == ["Nothing moved."]
    measures = found.content["groups"][0]["measures"]
    tied = next(measure for measure in measures if measure["name"] == "intensity_mean")
    assert tied["psi"] == 0
    assert tied["median"] == tied["training_median"]


def test_a_scanner_is_named_in_json_and_on_the_page(watched, tmp_path, capsys):
    sample = drift_groups_test.make(120, 22)
    sample.numbers["intensity_mean"][sample.scanner == "3 T"] *= 1.3
    scored = write_scores(tmp_path / "s.parquet", watched, sample)
    options = {"scored": scored, "model": watched, "output_dir": tmp_path / "out"}
    assert run(**options) == 0
    assert "Scanner 3 T moved: intensity_mean is higher" in capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert content["moved"] == [{"kind": "scanner", "name": "3 T"}]
    by_name = {(group["kind"], group["name"]): group for group in content["groups"]}
    measures = {m["name"]: m for m in by_name["scanner", "3 T"]["measures"]}
    assert measures["intensity_mean"]["psi"] > 0.25 > measures["embedding_0"]["psi"]
    assert measures["intensity_mean"]["median"] > measures["intensity_mean"]["training_median"]
    page = (tmp_path / "out" / "drift.html").read_text()
    assert "Scanner 3 T moved: intensity_mean is higher" in page
    assert page.count("data:image/png;base64,") == 4 + 4  # of the batch and of the scanner
    assert "http" not in page and "<script" not in page
    assert run(**options, fail_on="moved") == 3


def test_a_batch_of_a_few_scans(watched, tmp_path):
    scored = write_scores(tmp_path / "s.csv", watched, drift_groups_test.make(3, 23))
    found = drift_lib.drift(scored, watched, str(tmp_path / "out"))
    assert found.content["conclusion"][0] == "Nothing could be judged."
    assert "too small to be judged" in (tmp_path / "out" / "drift.html").read_text()


def test_what_cannot_be_compared(watched, model, tmp_path, capsys):
    sample = drift_groups_test.make(3, 24)
    scored = write_scores(tmp_path / "s.csv", watched, sample, model_version="9-else")
    options = {"scored": scored, "model": watched, "output_dir": tmp_path / "out"}
    assert run(**options) == 1
    assert "must hold discs that the model 1-" in (error := capsys.readouterr().err)
    assert "got rows of 9-else, 7-other" in error
    bare = str(shutil.copytree(watched, tmp_path / "bare"))
    os.remove(os.path.join(bare, "1", "assets.extra", "reference.npz"))
    assert run(**(options | {"model": bare})) == 1
    assert "must be a calibrated model" in capsys.readouterr().err
    assert run(**(options | {"scored": tmp_path / "absent.csv"})) == 1
    assert "absent.csv" in capsys.readouterr().err
    assert run(**(options | {"model": model})) == 1  # other features than in the table
    assert "must have the column 'intensity_std'" in capsys.readouterr().err
