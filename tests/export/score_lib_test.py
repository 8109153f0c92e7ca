"""Tests of export.score_lib."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep import beam_runner
from export import record_reader, score_files, score_inputs, score_lib, score_settings
from tests import tiny_export
from tests.export import loaded_once


@pytest.fixture(autouse=True)
def models(monkeypatch):
    loaded_once.use(monkeypatch)


@pytest.fixture(scope="module")
def data(study_dir, tmp_path_factory):
    return tiny_export.write_data(study_dir, str(tmp_path_factory.mktemp("data") / "set"))


def run(model, data, output, **settings):
    """Scores records, in batches of 4 discs, and returns the report."""
    chosen = score_settings.Settings(**({"batch_size": 4, "num_processes": 1} | settings))
    inputs = score_inputs.Inputs(data_dir=data)
    return score_lib.score([model], inputs, str(output), chosen)


@pytest.fixture(scope="module")
def scored(model, data, tmp_path_factory):
    output = str(tmp_path_factory.mktemp("scores") / "scores.csv")
    return run(model, data, output), output


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(path):
    with open(path, "rb") as file:
        return file.read()


def stop(*args):
    raise OSError("disk full")


def index_of(data):
    with open(os.path.join(data, "index-disc.jsonl"), encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_there_is_a_row_per_disc(model, scored):
    report, output = scored
    rows = read(output)
    assert (report.num_discs, report.num_errors, report.exit_status) == (6, 0, 0)
    names = list(rows[0])
    assert names[:9] == [
        *("key", "subject", "scan", "visit", "level", "scanner"),
        *("is_detected", "model", "model_version"),
    ]
    assert names[9:19] == [
        *("pfirrmann_grade", "pfirrmann_expected_grade"),
        *(f"pfirrmann_p{grade}" for grade in (1, 2, 3, 4, 5)),
        *("pfirrmann_uncertain", "pfirrmann_was_graded", "pfirrmann_label"),
    ]
    assert names[-1] == "error"
    assert [row["key"] for row in rows] == sorted(row["key"] for row in rows)
    assert len({row["level"] for row in rows}) == 6
    assert {row["model"] for row in rows} == {os.path.basename(model)}
    assert os.listdir(os.path.dirname(output)) == ["scores.csv"]


def test_a_dry_run_says_what_would_be_scored(model, data, tmp_path):
    output = str(tmp_path / "scores.csv")
    inputs = score_inputs.Inputs(data_dir=data)
    lines = score_lib.planned([model], inputs, output, score_settings.Settings())
    assert lines[-1].startswith(f"{output} would hold ") and "0 cannot be scored" in lines[-1]
    assert not os.listdir(tmp_path)


def test_a_row_holds_grade_probabilities_and_label(scored):
    row = next(row for row in read(scored[1]) if row["level"] == "L2-L3")
    probabilities = np.array([float(row[f"pfirrmann_p{grade}"]) for grade in (1, 2, 3, 4, 5)])
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert int(row["pfirrmann_grade"]) == 1 + probabilities.argmax()
    expected = float(row["pfirrmann_expected_grade"])
    assert expected == pytest.approx(probabilities @ [1, 2, 3, 4, 5], abs=1e-4)
    assert (row["pfirrmann_label"], row["pfirrmann_was_graded"]) == ("2", "1")
    assert (row["visit"], row["scanner"], row["error"]) == ("0", "1.5 T", "")
    assert row["model_version"].startswith("1-")


def test_a_level_without_label_is_empty_and_told(scored):
    row = next(row for row in read(scored[1]) if row["level"] == "T12-L1")
    assert (row["pfirrmann_label"], row["pfirrmann_was_graded"]) == ("", "0")


def test_scores_are_those_of_the_examples_signature(model, data, scored):
    serialized = {
        tf.train.Example.FromString(r.numpy()).features.feature["level"].bytes_list.value[0]: r
        for name in sorted(os.listdir(data))
        if name.startswith("disc-")
        for r in tf.data.TFRecordDataset(os.path.join(data, name))
    }
    loaded = tf.saved_model.load(os.path.join(model, "1"))
    for row in read(scored[1])[:2]:
        example = tf.constant([serialized[row["level"].encode()].numpy()])
        found = loaded.signatures["examples"](examples=example)
        expected = found["pfirrmann_expected_grade"].numpy()[0]
        assert float(row["pfirrmann_expected_grade"]) == pytest.approx(expected, abs=1e-5)


def test_a_stopped_run_goes_on_and_gives_the_same_bytes(model, data, scored, tmp_path, monkeypatch):
    monkeypatch.setattr(score_inputs, "RECORD_PIECE", 1)
    output = tmp_path / "s.csv"
    with monkeypatch.context() as patched:
        patched.setattr(score_files, "write", stop)
        with pytest.raises(OSError, match="disk full"):
            run(model, data, output)
    parts = [name for name in os.listdir(f"{output}.parts") if name.endswith(".jsonl")]
    assert len(parts) == 2 and not output.exists()
    (tmp_path / "s.csv.tmp-12").write_text("half")
    (tmp_path / "other.csv.tmp-12").write_text("of somebody else")
    with monkeypatch.context() as patched:
        patched.setattr(record_reader, "read", stop)  # parts are not made again
        run(model, data, output)
    assert content(output) == content(scored[1])
    assert sorted(os.listdir(tmp_path)) == ["other.csv.tmp-12", "s.csv"]


def test_threads_give_the_same_bytes(model, data, scored, tmp_path, monkeypatch):
    monkeypatch.setattr(beam_runner, "num_cores", lambda: 3)
    run(model, data, tmp_path / "s.csv", batch_size=1, num_processes=1)
    monkeypatch.setattr(beam_runner, "num_cores", lambda: 1)
    run(model, data, tmp_path / "one.csv", batch_size=1, num_processes=1)
    assert content(tmp_path / "s.csv") == content(tmp_path / "one.csv")


@pytest.mark.parametrize(
    "cores, is_python, num_processes, expected",
    [
        (2, False, 0, (1, 2)),
        (2, True, 0, (2, 1)),
        (16, False, 0, (4, 4)),  # at most four threads
        (16, True, 0, (16, 1)),
        (16, False, 1, (1, 4)),
        (2, False, 2, (2, 1)),
        (2, False, 5, (5, 1)),
    ],
)
def test_processes_and_their_threads(monkeypatch, cores, is_python, num_processes, expected):
    monkeypatch.setattr(beam_runner, "num_cores", lambda: cores)
    found = score_lib._shares(1000, is_python, num_processes, beam_runner.LOCAL)
    assert found == expected
    elsewhere = beam_runner.Runner("FlinkRunner")
    assert score_lib._shares(1000, is_python, num_processes, elsewhere) == (1, 1)


def test_one_run_at_a_time(model, data, tmp_path, monkeypatch):
    from data_prep import restart

    monkeypatch.setattr(restart, "_POLL_SECS", 0.01)
    output = str(tmp_path / "s.csv")
    with restart.claimed(f"{output}.parts", output):
        with pytest.raises(ValueError, match="must not be in use, got .*s.csv, which another run"):
            run(model, data, output)


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
    report = run(model, copied, tmp_path / "s.csv")
    assert (report.num_errors, report.exit_status) == (1, 3)
    rows, sound = read(tmp_path / "s.csv"), {row["key"]: row for row in read(scored[1])}
    (error,) = (row for row in rows if row["error"])
    assert error["key"] == bad["key"] and error["pfirrmann_grade"] == ""
    assert "checksum is wrong" in error["error"]
    for row in rows:
        if not row["error"]:
            expected = float(sound[row["key"]]["pfirrmann_expected_grade"])
            assert float(row["pfirrmann_expected_grade"]) == pytest.approx(expected, abs=1e-5)


def test_a_record_that_is_no_disc_is_an_error_row_and_tried_again(
    model, data, tmp_path, monkeypatch
):
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
    report = run(model, copied, tmp_path / "s.csv")
    errors = [row for row in read(report.output) if row["error"]]
    assert report.num_errors == 1 and [row["key"] for row in errors] == [bad["key"]]
    with monkeypatch.context() as patched:
        patched.setattr(score_files, "write", stop)
        with pytest.raises(OSError, match="disk full"):
            run(model, copied, tmp_path / "again.csv")
    shutil.copy(os.path.join(data, bad["file"]), os.path.join(copied, bad["file"]))
    assert run(model, copied, tmp_path / "again.csv").num_errors == 0


def test_crops_of_another_scale_are_refused(model, data, tmp_path):
    copied = str(shutil.copytree(data, tmp_path / "copy"))
    with open(os.path.join(copied, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    manifest["settings"]["crop_scale"] = 1.0
    with open(os.path.join(copied, "manifest.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    with pytest.raises(ValueError, match="must hold crops at scale 0.5.*got 1.0"):
        run(model, copied, tmp_path / "s.csv")


def test_a_half_written_model_is_refused_before_anything_is_written(model, data, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(model, copied)
    graph = next(copied.rglob("saved_model.pb"))
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ValueError, match="the version is half written"):
        run(str(copied), data, tmp_path / "scores.csv")
    assert os.listdir(tmp_path) == ["copied"]


def test_several_models_have_a_row_each(model, data, scored, tmp_path):
    other = str(shutil.copytree(model, tmp_path / "other"))
    chosen = score_settings.Settings(batch_size=4, num_processes=1)
    inputs = score_inputs.Inputs(data_dir=data)
    output = str(tmp_path / "s.jsonl")
    report = score_lib.score([model, other], inputs, output, chosen)
    assert (report.num_discs, report.num_errors) == (6, 0)
    with open(output, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    alone = read(scored[1])
    assert [row["key"] for row in rows] == [row["key"] for row in alone for _ in range(2)]
    assert [row["model"] for row in rows[:2]] == [os.path.basename(model), "other"]
    for number, row in enumerate(rows):
        expected = alone[number // 2]["pfirrmann_expected_grade"]
        assert f"{row['pfirrmann_expected_grade']:.6f}" == expected
    with pytest.raises(ValueError, match="must name different models"):
        score_lib.score([model, f"{model}/1"], inputs, output, chosen)
