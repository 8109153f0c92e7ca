"""Tests of export.score_lib."""

import collections
import csv
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from export import score, score_lib, score_settings
from spine_tf import cli
from tests import tiny_export


@pytest.fixture(scope="module")
def data(study_dir, tmp_path_factory):
    return tiny_export.write_data(study_dir, str(tmp_path_factory.mktemp("data") / "set"))


@pytest.fixture(scope="module")
def scored(model, data, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("scores") / "scores.csv")
    report = score_lib.score(model, data, output, score_settings.Settings(batch_size=4))
    return report, output


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(path):
    with open(path, "rb") as file:
        return file.read()


def index_of(data):
    with open(os.path.join(data, "index-disc.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_there_is_a_row_per_disc_and_grading(scored):
    report, output = scored
    rows = read(output)
    assert (report.num_discs, report.num_errors, report.exit_status) == (6, 0, 0)
    assert list(rows[0]) == [
        *("key", "subject", "visit", "level", "grading", "grade", "expected_grade"),
        *("p_0", "p_1", "p_2", "p_3", "p_4", "p_5"),
        *("label", "was_graded", "model_version", "error"),
    ]
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)
    counts = collections.Counter((row["level"], row["grading"]) for row in rows)
    assert len(counts) == 12 and set(counts.values()) == {1}
    assert os.listdir(os.path.dirname(output)) == ["scores.csv"]


def test_a_row_holds_grade_probabilities_and_label(scored):
    row = next(r for r in read(scored[1]) if (r["level"], r["grading"]) == ("L2-L3", "pfirrmann"))
    probabilities = np.array([float(row[f"p_{grade}"]) for grade in (1, 2, 3, 4, 5)])
    assert row["p_0"] == ""  # Pfirrmann starts at 1
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert int(row["grade"]) == 1 + probabilities.argmax()
    assert float(row["expected_grade"]) == pytest.approx(probabilities @ [1, 2, 3, 4, 5], abs=1e-4)
    assert (row["label"], row["was_graded"], row["visit"], row["error"]) == ("2", "1", "0", "")
    assert row["model_version"].startswith("1-")


def test_a_level_without_label_is_empty_and_told(scored):
    row = next(r for r in read(scored[1]) if (r["level"], r["grading"]) == ("T12-L1", "pfirrmann"))
    assert (row["label"], row["was_graded"]) == ("", "0")


def test_scores_are_those_of_the_examples_signature(model, data, scored):
    serialized = {
        tf.train.Example.FromString(r.numpy()).features.feature["level"].bytes_list.value[0]: r
        for name in sorted(os.listdir(data))
        if name.startswith("disc-")
        for r in tf.data.TFRecordDataset(os.path.join(data, name))
    }
    run = tf.saved_model.load(os.path.join(model, "1")).signatures["examples"]
    for row in read(scored[1]):
        found = run(examples=tf.constant([serialized[row["level"].encode()].numpy()]))
        expected = found[f"{row['grading']}_expected_grade"].numpy()[0]
        assert float(row["expected_grade"]) == pytest.approx(expected, abs=1e-5)


def test_two_runs_give_the_same_bytes(model, data, scored, tmp_path):
    again = str(tmp_path / "again.csv")
    score_lib.score(model, data, again, score_settings.Settings(batch_size=4))
    assert content(again) == content(scored[1])


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(model, data, scored, tmp_path):
    again = str(tmp_path / "again.csv")
    score_lib.score(model, data, again, score_settings.Settings(batch_size=4, num_processes=2))
    assert content(again) == content(scored[1])


def test_a_stopped_run_goes_on(model, data, scored, tmp_path, monkeypatch):
    output, settings = str(tmp_path / "s.csv"), score_settings.Settings(batch_size=4)

    def stop(*args):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(score_lib, "_merge", stop)
        with pytest.raises(OSError, match="disk full"):
            score_lib.score(model, data, output, settings)
    assert len(os.listdir(f"{output}.parts")) == 2 and not os.path.exists(output)
    with monkeypatch.context() as patched:
        patched.setattr(score_lib, "_read", stop)  # parts that are done are not read again
        score_lib.score(model, data, output, settings)
    assert content(output) == content(scored[1])


def damage(data, tmp_path, rewrite):
    """A copy of the data set in which `rewrite` has changed one record's bytes."""
    copied = str(shutil.copytree(data, tmp_path / "damaged"))
    row = index_of(copied)[0]
    path = os.path.join(copied, row["file"])
    whole = bytearray(content(path))
    rewrite(whole, row)
    with open(path, "wb") as file:
        file.write(whole)
    return copied, row


def test_a_damaged_record_is_an_error_row_and_the_run_goes_on(model, data, scored, tmp_path):
    def flip(whole, row):
        whole[row["offset"] + row["length"] // 2] ^= 0xFF

    copied, bad = damage(data, tmp_path, flip)
    arguments = [f"--model={model}", f"--data_dir={copied}", f"--output={tmp_path}/s.csv"]
    assert cli.call(score.define_flags, score.main, arguments) == 3
    rows, sound = read(tmp_path / "s.csv"), {(r["key"], r["grading"]): r for r in read(scored[1])}
    errors = [row for row in rows if row["error"]]
    assert [row["key"] for row in errors] == [bad["key"]] * 2
    assert "checksum is wrong" in errors[0]["error"] and errors[0]["grade"] == ""
    for row in rows:
        if not row["error"]:
            expected = float(sound[row["key"], row["grading"]]["expected_grade"])
            assert float(row["expected_grade"]) == pytest.approx(expected, abs=1e-5)


def test_a_record_that_is_no_disc_is_an_error_row(model, data, tmp_path):
    """Its checksum is right and its content is not: the graph refuses it, and only it."""

    def replace(whole, row):
        begin, end = row["offset"], row["offset"] + row["length"]
        whole[:] = whole[: begin - 12] + framed(b"\x00" * row["length"]) + whole[end + 4 :]

    def framed(record):
        path = str(tmp_path / "frame")
        with tf.io.TFRecordWriter(path) as writer:
            writer.write(record)
        return content(path)

    copied, bad = damage(data, tmp_path, replace)
    report = score_lib.score(model, copied, str(tmp_path / "s.csv"), score_settings.Settings())
    errors = [row for row in read(report.output) if row["error"]]
    assert report.num_errors == 1 and {row["key"] for row in errors} == {bad["key"]}


def test_what_is_no_model_or_no_data_is_refused(model, data, tmp_path, capsys):
    for given, message in (
        ({"model": tmp_path}, f"{tmp_path}: is not an exported model"),
        ({"data_dir": tmp_path}, f"{tmp_path}: is not a data set"),
    ):
        values = {"model": model, "data_dir": data, "output": tmp_path / "s.csv"} | given
        arguments = [f"--{name}={value}" for name, value in values.items()]
        assert cli.call(score.define_flags, score.main, arguments) == 1
        assert message in capsys.readouterr().err


def test_crops_of_another_scale_are_refused(model, data, tmp_path):
    copied = str(shutil.copytree(data, tmp_path / "copy"))
    with open(os.path.join(copied, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    manifest["settings"]["crop_scale"] = 1.0
    with open(os.path.join(copied, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    with pytest.raises(ValueError, match="must hold crops at scale 0.5.*got 1.0"):
        score_lib.score(model, copied, str(tmp_path / "s.csv"), score_settings.Settings())
