"""Tests of export.score_inputs, and of scoring what is no record."""

import csv
import os
import shutil
import stat

import pytest

from data_prep import detectors
from export import grade_lib, score, score_inputs, score_lib, score_settings
from spine_tf import cli
from tests import tiny_export
from tests.data_prep import spider_samples, stub_finder
from tests.export import loaded_once

SETTINGS = score_settings.Settings(num_processes=1)


@pytest.fixture(autouse=True)
def models(monkeypatch):
    loaded_once.use(monkeypatch)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("ab" * 32 + "\n")
    return str(path)


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_dicom_studies_have_the_grades_of_their_records(model, study_dir, tmp_path, key_file):
    output = str(tmp_path / "dicom.csv")
    inputs = score_inputs.Inputs(dicom_dir=study_dir, key_file=key_file, detector="none")
    report = score_lib.score([model], inputs, output, SETTINGS)
    assert (report.num_discs, report.num_errors) == (6, 0)
    data = tiny_export.write_data(study_dir, str(tmp_path / "data"))
    records = score_inputs.Inputs(data_dir=data)
    score_lib.score([model], records, str(tmp_path / "records.csv"), SETTINGS)
    for row, expected in zip(read(output), read(tmp_path / "records.csv"), strict=True):
        assert row["level"] == expected["level"] and row["is_detected"] == "0"
        for name in row:
            if name.startswith(("pfirrmann", "spondylolisthesis", "scanner")):
                assert row[name] == expected[name], name
    path = f"{output}.scans.csv"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    (scan,) = read(path)
    assert scan["uid"] == "1.2.3.4" and {row["scan"] for row in read(output)} == {scan["scan"]}
    with open(output, encoding="utf-8") as file:
        text = file.read()
    assert "1.2.3.4" not in text and "Somebody" not in text


def test_score_and_grade_agree(model, study_dir, tmp_path, key_file):
    output = str(tmp_path / "s.csv")
    inputs = score_inputs.Inputs(dicom_dir=study_dir, key_file=key_file, detector="none")
    score_lib.score([model], inputs, output, SETTINGS)
    scored = {row["level"]: row for row in read(output)}
    found = grade_lib.grade(study_dir, None, model, str(tmp_path / "graded"))
    assert [disc.level for disc in found.content.discs] == [
        *("T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
    ]
    for disc in found.content.discs:
        for grade in disc.grades:
            expected = float(scored[disc.level][f"{grade.grading.name}_expected_grade"])
            assert grade.expected_grade == pytest.approx(expected, abs=1e-4)


def test_the_detector_finds_what_nobody_annotated(
    model, study_dir, tmp_path, key_file, monkeypatch
):
    bare = str(shutil.copytree(study_dir, tmp_path / "bare"))
    os.remove(os.path.join(bare, "vertebrae.json"))
    finder = stub_finder.Finder()
    monkeypatch.setattr(detectors, "load", lambda name: finder)
    inputs = score_inputs.Inputs(dicom_dir=bare, key_file=key_file)
    output = str(tmp_path / "s.csv")
    report = score_lib.score([model], inputs, output, SETTINGS)
    assert (report.num_discs, report.num_errors) == (6, 0)
    assert {row["is_detected"] for row in read(output)} == {"1"}
    finder.answers["1.2.3.4"] = stub_finder.unknown
    report = score_lib.score([model], inputs, output, SETTINGS)
    (row,) = read(output)
    assert report.exit_status == 3
    assert row["error"] == "the levels of its vertebrae are unknown: a tie"
    assert row["key"] == f"{row['subject']}/0/" and row["level"] == ""


def test_what_no_scan_could_be_made_of_is_a_row(model, study_dir, tmp_path, key_file):
    studies = str(tmp_path / "studies")
    shutil.copytree(study_dir, os.path.join(studies, "sound"))
    broken = tiny_export.write_study(os.path.join(studies, "broken"), series_uid="1.2.9.9")
    names = sorted(os.listdir(os.path.join(broken, "T2")))
    with open(os.path.join(broken, "T2", names[3]), "r+b") as file:
        file.truncate(300)
    inputs = score_inputs.Inputs(dicom_dir=studies, key_file=key_file, detector="none")
    output = str(tmp_path / "s.csv")
    report = score_lib.score([model], inputs, output, SETTINGS)
    failed = [row for row in read(output) if row["error"]]
    assert report.num_errors == len({row["key"] for row in failed}) > 0
    paths = {row["scan"]: row["path"] for row in read(f"{output}.scans.csv")}
    for row in failed:
        assert row["key"] == f"rejected/{row['scan']}" and row["model_version"]
        assert "broken" in paths[row["scan"]] and str(tmp_path) not in row["error"]


def test_a_spider_folder(model, tmp_path, key_file, monkeypatch):
    folder = tmp_path / "spider"
    spider_samples.write_folder(folder, ["1_t2", "2_t2"])
    (folder / "masks" / "2_t2.mha").unlink()
    inputs = score_inputs.Inputs(spider_dir=str(folder), key_file=key_file, detector="none")
    output = str(tmp_path / "s.csv")
    report = score_lib.score([model], inputs, output, SETTINGS)
    rows = read(output)
    assert (report.num_discs, report.num_errors) == (4, 1)
    assert [row["level"] for row in rows[:3]] == ["L3-L4", "L4-L5", "L5-S1"]
    assert [row["pfirrmann_label"] for row in rows[:3]] == ["4", "3", "2"]
    assert rows[0]["scanner"] == "unknown" and "there is no mask" in rows[3]["error"]
    # Nothing but images, and a detector that does not know.
    shutil.rmtree(folder / "masks")
    (folder / "radiological_gradings.csv").unlink()
    finder = stub_finder.Finder(**{"None": None})
    monkeypatch.setattr(detectors, "load", lambda name: finder)
    monkeypatch.setattr(finder, "find", lambda scan, uid=None: stub_finder.unknown("1"))
    bare = score_inputs.Inputs(spider_dir=str(folder), key_file=key_file)
    report = score_lib.score([model], bare, output, SETTINGS)
    assert report.num_errors == 2
    assert {row["error"] for row in read(output)} == {
        "the levels of its vertebrae are unknown: a tie"
    }


def test_pieces_are_fixed_lists_in_the_order_of_keys(study_dir, tmp_path):
    data = tiny_export.write_data(study_dir, str(tmp_path / "data"))
    plan = score_inputs.plan(score_inputs.Inputs(data_dir=data), [0.5], batch_size=1)
    again = score_inputs.plan(score_inputs.Inputs(data_dir=data), [0.5], batch_size=1)
    assert plan.pieces == again.pieces and plan.origins == again.origins
    discs = [disc for piece in plan.pieces for disc in plan.source.discs(piece, [0.5])]
    keys = [disc.facts["key"] for disc in discs]
    assert len(keys) == 6 and keys == sorted(keys)


def test_a_folder_that_is_written_again_is_read_again(study_dir, tmp_path):
    path = tmp_path / "data"
    for num_shards in (2, 1):  # so records have other places
        tiny_export.write_data(study_dir, str(path), num_shards=num_shards)
        plan = score_inputs.plan(score_inputs.Inputs(data_dir=str(path)), [0.5], 1)
        assert len(list(plan.source.discs(plan.pieces[0], [0.5]))) == 6
        shutil.rmtree(path)


def test_the_command(model, study_dir, tmp_path, capsys):
    def call(**options):
        arguments = [f"--{name}={value}" for name, value in options.items()]
        return cli.call(score.define_flags, score.main, arguments)

    output = tmp_path / "s.parquet"
    assert call(model=model, output=output) == cli.EXIT_USAGE
    assert "One of --data_dir, --spider_dir, --dicom_dir must be given" in capsys.readouterr().err
    for options, message in (
        ({"model": tmp_path, "data_dir": tmp_path}, f"{tmp_path}: is not an exported model"),
        ({"model": model, "data_dir": tmp_path}, f"{tmp_path}: is not a data set"),
        ({"model": model, "data_dir": tmp_path, "beam_options": "x"}, "`beam_options` must be"),
    ):
        assert call(**({"output": output} | options)) == 1
        assert message in capsys.readouterr().err
    options = {"model": model, "dicom_dir": study_dir, "output": output, "num_processes": 1}
    assert call(**options) == 0
    assert (tmp_path / "s.parquet.key").exists() and output.exists()
    assert f"{output}: 6 discs in " in capsys.readouterr().out


def test_no_source_is_an_error(key_file):
    with pytest.raises(ValueError, match="`spider_dir` or `dicom_dir` must be given, got none"):
        score_inputs.plan(score_inputs.Inputs(key_file=key_file), [0.5], 8)
