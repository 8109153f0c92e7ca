"""Tests of export.grade_lib and of the command."""

import csv
import dataclasses
import glob
import json
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from data_prep import detectors
from export import grade_lib, grade_study, saved_model, table
from spine_tf import cli, vertebrae
from tests import tiny_export
from tests.data_prep import stub_finder

DISCS = ["T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]


@pytest.fixture(scope="module")
def graded(model, study_dir, tmp_path_factory):
    output_dir = str(tmp_path_factory.mktemp("graded"))
    grade_lib.grade(study_dir, None, model, output_dir)
    return output_dir


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def call(capsys, **values):
    """Runs the command; returns its exit status and what it said on stderr."""
    arguments = [f"--{name}={value}" for name, value in values.items()]
    status = cli.call(grade_study.define_flags, grade_study.main, arguments)
    return status, capsys.readouterr().err


def test_grades_csv_has_a_row_per_disc_and_grading(graded):
    rows = read(os.path.join(graded, "grades.csv"))
    assert list(rows[0]) == [
        *("level", "grading", "grade", "expected_grade"),
        *("p_0", "p_1", "p_2", "p_3", "p_4", "p_5"),
        *("was_graded", "uncertain", "distance", "is_outlier", "model_version"),
    ]
    assert [r["level"] for r in rows if r["grading"] == "pfirrmann"] == DISCS
    assert [r["level"] for r in rows if r["grading"] == "spondylolisthesis"] == DISCS
    assert [r["was_graded"] for r in rows if r["grading"] == "pfirrmann"] == list("011111")


def test_grades_json_says_the_same(graded):
    with open(os.path.join(graded, "grades.json"), encoding="utf-8") as file:
        content = json.load(file)
    assert content["format"] == "spine_tf grades/1"
    assert "Not a medical device" in content["notice"]
    assert content["series_instance_uid"] == "1.2.3.4"
    assert content["vertebrae_from"] == "from vertebrae.json in the study (source: not named)"
    assert content["model"]["data"]["manifest_sha256"] == "a" * 64
    rows = {(r["level"], r["grading"]): r for r in read(os.path.join(graded, "grades.csv"))}
    assert [disc["level"] for disc in content["discs"]] == DISCS
    for disc in content["discs"]:
        for grade in disc["gradings"]:
            row = rows[disc["level"], grade["grading"]]
            assert int(row["grade"]) == grade["grade"]
            for published, probability in grade["probabilities"].items():
                assert float(row[f"p_{published}"]) == probability


def through_records(model, study, folder):
    """(level, grading) -> column -> value of the records that conversion makes of a study."""
    data = tiny_export.write_data(study, str(folder))
    paths = sorted(glob.glob(os.path.join(data, "disc-*.tfrecord")))
    examples = list(tf.data.TFRecordDataset(paths).as_numpy_iterator())
    exported = saved_model.load(model)
    outputs = exported.run("examples", examples=examples)
    return {
        (level.decode(), grade.grading.name): table.cells(grade)
        for number, level in enumerate(outputs["level"])
        for grade in table.grades_of(exported.gradings, outputs, number)
    }


def test_grades_are_those_of_converted_records(model, study_dir, graded, tmp_path):
    expected = through_records(model, study_dir, tmp_path / "data")
    rows = read(os.path.join(graded, "grades.csv"))
    assert len(rows) == len(expected) == 12
    for row in rows:
        for name in (name for name in row if name.startswith("p_") and row[name]):
            value = float(expected[row["level"], row["grading"]][name])
            assert float(row[name]) == pytest.approx(value, abs=1e-4)


def test_the_report_is_self_contained_and_names_what_was_used(graded):
    html = text(os.path.join(graded, "report.html"))
    assert "http" not in html and "<script" not in html and "<link" not in html
    sources = re.findall(r'(?:src|href)="([^"]{0,22})', html)
    assert len(sources) == 1 + len(DISCS)
    assert set(sources) == {"data:image/png;base64,"}
    for expected in ("Research only", "Not a medical device", "1.2.3.4", "TE 100 ms", "a" * 64):
        assert expected in html
    assert "T2&gt;" not in html and "<T2>" not in html  # free text of a header is not shown
    for disc in DISCS:
        assert f">{disc}<" in html
    assert html.count("never graded<br>in training") == 1 + 5  # T12-L1, and all but L4-L5


def test_no_patient_attribute_is_written(graded):
    for name in os.listdir(graded):
        content = text(os.path.join(graded, name))
        assert "Somebody" not in content and "Known" not in content and "20200131" not in content


def test_only_whole_files_are_left(graded):
    assert sorted(os.listdir(graded)) == ["grades.csv", "grades.json", "report.html"]


def test_the_same_study_gives_the_same_files(model, study_dir, graded, tmp_path):
    grade_lib.grade(study_dir, None, model, str(tmp_path))
    for name in os.listdir(graded):
        assert text(os.path.join(graded, name)) == text(os.path.join(tmp_path, name))


def test_what_is_no_model_is_refused(study_dir, tmp_path, capsys):
    found = call(capsys, study_dir=study_dir, model=tmp_path, output_dir=tmp_path / "o")
    assert found[0] == 1 and f"{tmp_path}: is not an exported model" in found[1]
    assert not os.path.exists(tmp_path / "o")


def test_a_model_without_the_needed_signature_is_refused(
    model, study_dir, tmp_path, capsys, monkeypatch
):
    loaded = saved_model.load(model)
    crops_only = {"serving_default": loaded.signatures["serving_default"]}
    poor = dataclasses.replace(loaded, signatures=crops_only)
    monkeypatch.setattr(saved_model, "load", lambda path: poor)
    status, error = call(capsys, study_dir=study_dir, model=model, output_dir=tmp_path / "o")
    assert status == 1
    assert "must have the signature 'scan', got serving_default. Export the model again" in error
    assert not os.path.exists(tmp_path / "o")


def test_a_zip_file_is_graded_as_its_folder(model, study_dir, graded, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "study"), "zip", study_dir)
    grade_lib.grade(archive, None, model, str(tmp_path / "o"))
    for name in os.listdir(graded):
        assert text(os.path.join(graded, name)) == text(tmp_path / "o" / name)


def annotate(tmp_path, change):
    """A vertebrae.json that `change` has spoilt."""
    content = vertebrae.to_json(tiny_export.make_annotation())
    change(content)
    path = tmp_path / "vertebrae.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.update(series_instance_uid="9.9"), r"9\.9.*annotates a series that is not"),
        (lambda c: c["vertebrae"].append(c["vertebrae"][0]), "each level once, got .'T12'."),
        (lambda c: c.update(vertebrae=c["vertebrae"][:1]), "two neighbouring vertebrae.*T12"),
        (lambda c: _shift(c, 500.0), "must lie inside|outside"),
        (lambda c: _swap(c, 3, 4), "from head to foot in the order of their levels, got L4 at"),
    ],
)
def test_annotations_that_do_not_fit_are_refused(
    model, study_dir, tmp_path, capsys, change, message
):
    path = annotate(tmp_path, change)
    status, error = call(
        capsys, study_dir=study_dir, vertebrae=path, model=model, output_dir=tmp_path / "o"
    )
    assert status == 1
    assert re.search(message, error), error
    assert "Traceback" not in error


def _swap(content, one, two):
    bodies = content["vertebrae"]
    bodies[one]["level"], bodies[two]["level"] = bodies[two]["level"], bodies[one]["level"]


def _shift(content, mm):
    for body in content["vertebrae"]:
        body["corners_mm"] = (np.array(body["corners_mm"]) + mm).tolist()


def test_a_disc_with_a_quad_of_its_own_is_graded_as_its_record(model, tmp_path):
    """S1 is not annotated, and the quad of L5-S1 is."""
    study = tiny_export.write_study(str(tmp_path / "study"))

    def mark(content):
        lowest, sacrum = (np.array(body["corners_mm"]) for body in content["vertebrae"][-2:])
        quad = np.stack([lowest[3], lowest[2], sacrum[1], sacrum[0]])
        content["disc_corners_mm"] = {"L5-S1": quad.tolist()}
        del content["vertebrae"][-1]

    annotate(tmp_path / "study", mark)
    graded = grade_lib.grade(study, None, model, str(tmp_path / "o"))
    expected = through_records(model, study, tmp_path / "data")
    assert [disc.level for disc in graded.content.discs] == DISCS
    for row in read(tmp_path / "o" / "grades.csv"):
        value = expected[row["level"], row["grading"]]
        assert row["was_graded"] == value["was_graded"]
        assert float(row["expected_grade"]) == pytest.approx(
            float(value["expected_grade"]), abs=1e-4
        )


def test_a_quad_without_a_neighbour_is_left_out(model, tmp_path):
    study = tiny_export.write_study(str(tmp_path / "study"))

    def mark(content):
        lowest, sacrum = (body["corners_mm"] for body in content["vertebrae"][-2:])
        content["disc_corners_mm"] = {"L5-S1": [lowest[3], lowest[2], sacrum[1], sacrum[0]]}
        del content["vertebrae"][-2:]

    annotate(tmp_path / "study", mark)
    graded = grade_lib.grade(study, None, model, str(tmp_path / "o"))
    assert [disc.level for disc in graded.content.discs] == DISCS[:-2]


@pytest.fixture
def bare_study(tmp_path):
    """A study that nobody annotated."""
    study = tiny_export.write_study(str(tmp_path / "bare" / "study"))
    os.remove(os.path.join(study, "vertebrae.json"))
    return study


def test_a_study_without_annotation_is_graded_by_what_the_detector_finds(
    model, bare_study, graded, tmp_path, monkeypatch
):
    monkeypatch.setattr(detectors, "load", lambda name: stub_finder.Finder())
    report = grade_lib.grade(bare_study, None, model, str(tmp_path / "o"), "builtin")
    assert report.exit_status == 0
    rows, expected = read(tmp_path / "o" / "grades.csv"), read(os.path.join(graded, "grades.csv"))
    assert [(row["level"], row["grade"]) for row in rows] == [
        (row["level"], row["grade"]) for row in expected
    ]
    content = json.loads(text(tmp_path / "o" / "grades.json"))
    assert content["vertebrae_from"] == "found by the detector (stub)"
    assert {body["probability"] for body in content["vertebrae"]["vertebrae"]} == {0.95}
    assert "found by stub, not by a person" in text(tmp_path / "o" / "report.html")


def test_it_says_which_file_names_the_vertebrae_and_who_made_it(model, bare_study, tmp_path):
    path = annotate(tmp_path / "bare", lambda content: content.update(source="A reader"))
    report = grade_lib.grade(bare_study, None, model, str(tmp_path / "o"), "builtin")
    said = "from vertebrae.json beside the study (source: A reader)"
    assert f"vertebrae: {said}" in str(report).splitlines()
    assert f"<dd>{said}</dd>" in (html := text(tmp_path / "o" / "report.html"))
    assert str(tmp_path) not in html
    other = str(shutil.move(path, tmp_path / "mine.json"))
    report = grade_lib.grade(bare_study, other, model, str(tmp_path / "o"))
    assert report.content.vertebrae_from == "from mine.json of --vertebrae (source: A reader)"


def test_unknown_levels_are_reported_and_nothing_is_graded(
    model, bare_study, tmp_path, monkeypatch
):
    answers = {"1.2.3.4": stub_finder.unknown_in_domain}
    monkeypatch.setattr(detectors, "load", lambda name: stub_finder.Finder(**answers))
    report = grade_lib.grade(bare_study, None, model, str(tmp_path / "o"), "builtin")
    assert report.exit_status == 3
    assert "rejected: " in str(report) and "unknown: a tie" in str(report)
    assert read(tmp_path / "o" / "grades.csv") == []
    assert json.loads(text(tmp_path / "o" / "grades.json"))["discs"] == []
    html = text(tmp_path / "o" / "report.html")
    assert "unknown: a tie" in html and "No disc is graded." in html
    assert html.count('<polygon class="body"') == 7


def test_without_a_detector_an_annotation_is_needed(model, bare_study, tmp_path, capsys):
    values = dict(study_dir=bare_study, model=model, output_dir=tmp_path / "o", detector="none")
    status, error = call(capsys, **values)
    assert status == 1 and "there is no vertebrae.json" in error


def test_a_study_without_sagittal_t2_is_refused(model, tmp_path, capsys):
    study = tiny_export.write_study(str(tmp_path / "t1"), echo_time_ms=12.0)
    status, error = call(capsys, study_dir=study, model=model, output_dir=tmp_path / "o")
    assert status == 1 and "has no sagittal T2 series" in error and "TE 12 ms" in error


def test_a_broken_file_beside_the_series_is_told(model, tmp_path, capsys):
    study = tiny_export.write_study(str(tmp_path / "study"))
    (tmp_path / "study" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\1" * 40)
    status, _ = call(capsys, study_dir=study, model=model, output_dir=tmp_path / "o")
    assert status == 3
    assert os.path.exists(tmp_path / "o" / "report.html")


@pytest.mark.real_data
def test_the_real_study_has_six_graded_discs(model, tmp_path):
    study = os.path.join(os.path.dirname(__file__), "../../../shared/data/lumbar_study/dicom")
    report = grade_lib.grade(study, None, model, str(tmp_path))
    assert [disc.level for disc in report.content.discs] == DISCS
    assert report.content.series.first.description == "Sag T2 frFSE S"
    assert report.exit_status == 0


def test_the_model_of_the_package_is_taken_where_none_is_given(study_dir, tmp_path, capsys):
    status, _ = call(capsys, study_dir=study_dir, output_dir=tmp_path / "graded")
    assert status == cli.EXIT_DONE
    facts = json.loads(text(tmp_path / "graded" / grade_lib.JSON))
    rows = read(tmp_path / "graded" / grade_lib.CSV)
    assert [row["level"] for row in rows] == DISCS
    assert {row["grading"] for row in rows} == {"pfirrmann"}
    probabilities = [sum(float(row[f"p_{grade}"]) for grade in range(1, 6)) for row in rows]
    np.testing.assert_allclose(probabilities, 1, atol=1e-5)
    version = saved_model.find_version(saved_model.BUILTIN)
    assert facts["model"]["version"] == saved_model.load(version).version
