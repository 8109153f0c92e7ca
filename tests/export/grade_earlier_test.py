"""Tests of export.grade_earlier: who is compared, and who is not."""

import dataclasses
import json
import os
import types

import pytest

from export import grade_earlier, grade_input, grade_study, verify_lib
from spine_tf import cli
from spine_tf.evaluation import study_reference
from tests import tiny_export
from tests.export import pairs

JUDGE = types.SimpleNamespace(false_positive_rate=0.01)


@pytest.fixture(scope="module")
def earlier_dir(tmp_path_factory):
    return pairs.write_earlier(tmp_path_factory.mktemp("earlier"))


@pytest.fixture(scope="module")
def inputs(study_dir, earlier_dir):
    """The study and the earlier one, read."""
    return [grade_input.read(folder, None, "none") for folder in (study_dir, earlier_dir)]


@pytest.fixture
def judged(monkeypatch):
    """Sets what the longitudinal model says."""

    def set_verdict(verdict):
        made = types.SimpleNamespace(
            verdict=study_reference.Verdict(verdict), score=0.4321, to_json=lambda: {"notes": ["a"]}
        )
        monkeypatch.setattr(verify_lib, "compare", lambda studies, judge: made)

    return set_verdict


def test_without_a_model_nobody_checked(inputs):
    done = grade_earlier.check(*inputs, None)
    assert done.verdict == "unchecked" and "Nobody checked" in done.text and done.result is None
    assert grade_earlier.refusal(done, inputs[1]) is None


@pytest.mark.parametrize("verdict, compares", [("same", 1), ("uncertain", 1), ("different", 0)])
def test_another_person_is_not_compared(inputs, judged, verdict, compares):
    judged(verdict)
    done = grade_earlier.check(*inputs, JUDGE)
    assert done.verdict == verdict and "score 0.43" in done.text
    refused = grade_earlier.refusal(done, inputs[1])
    assert (refused is None) == bool(compares)
    if refused:
        assert refused.uid == "1.2.8" and "two persons" in refused.reason


def test_a_check_that_fails_forbids_to_compare(inputs, monkeypatch):
    def fail(studies, judge):
        raise ValueError("the two studies must share at least 3 levels, got none.")

    monkeypatch.setattr(verify_lib, "compare", fail)
    done = grade_earlier.check(*inputs, JUDGE)
    assert done.verdict == "impossible" and "must share at least 3 levels" in done.text
    assert grade_earlier.refusal(done, inputs[1]) is not None


def test_unknown_levels_forbid_to_compare(inputs):
    unknown = dataclasses.replace(inputs[1], is_answered=False)
    done = grade_earlier.check(inputs[0], unknown, None)
    assert done.verdict == "impossible" and "levels of the vertebrae of 1.2.8" in done.text


def test_one_study_twice_is_an_error(inputs):
    with pytest.raises(ValueError, match="the series 1.2.3.4 twice"):
        grade_earlier.check(inputs[0], inputs[0], None)


def with_header(found, **changed):
    """The study with other headers."""
    slices = tuple(dataclasses.replace(item, **changed) for item in found.study.series.slices)
    series = dataclasses.replace(found.study.series, slices=slices)
    return dataclasses.replace(found.study, series=series)


def test_days_and_what_is_odd_of_them(inputs):
    now, before = inputs[0].study, with_header(inputs[1], study_date="20190131")
    done = grade_earlier.check(*inputs, None)
    assert grade_earlier.days_apart(now, before) == 365
    assert grade_earlier.notes(now, before, done) == []
    assert grade_earlier.days_apart(before, now) == -365
    assert "is not older" in grade_earlier.notes(before, now, done)[0]
    undated = with_header(inputs[1], study_date="")
    assert grade_earlier.days_apart(now, undated) is None


def test_other_patient_ids_are_noted_and_not_shown(inputs):
    other = with_header(inputs[1], patient_id="Other^Person", study_date="20190131")
    done = grade_earlier.check(*inputs, None)
    (note,) = grade_earlier.notes(inputs[0].study, other, done)
    assert note == "The studies have different PatientIDs."


def test_the_report_has_both_studies_and_the_changes(paired):
    report, output_dir = paired
    assert report.exit_status == 0
    with open(os.path.join(output_dir, "grades.json"), encoding="utf-8") as file:
        content = json.load(file)
    found = content["comparison"]
    assert found["same_person_check"]["verdict"] == "unchecked"
    assert found["earlier"]["series_instance_uid"] == "1.2.8"
    assert len(found["changes"]) == 12
    both = (content, found["earlier"])
    for change in found["changes"]:
        one, two = (_grade(item, change["level"], change["grading"]) for item in both)
        assert change["change"] == one["grade"] - two["grade"]
        expected = one["expected_grade"] - two["expected_grade"]
        assert change["expected_change"] == pytest.approx(expected, abs=2e-6)
        assert change["uncertain"] == (one["uncertain"] or two["uncertain"])
    assert "Nobody checked" in str(report) and " earlier, " in str(report)


def _grade(content, level, grading):
    (disc,) = (disc for disc in content["discs"] if disc["level"] == level)
    (found,) = (grade for grade in disc["gradings"] if grade["grading"] == grading)
    return found


def test_what_links_two_studies_is_for_its_owner_only(paired):
    for name in os.listdir(paired[1]):
        path = os.path.join(paired[1], name)
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path, encoding="utf-8") as file:
            text = file.read()
        assert "Somebody" not in text and "20200131" not in text


def call(capsys, **values):
    arguments = [f"--{name}={value}" for name, value in values.items()]
    status = cli.call(grade_study.define_flags, grade_study.main, arguments)
    return status, capsys.readouterr()


def test_two_persons_give_the_report_of_one_and_status_3(
    study_dir, earlier_dir, model, tmp_path, capsys, judged, monkeypatch
):
    judged("different")
    monkeypatch.setattr("export.verify_judge.load", lambda *given: JUDGE)
    flags = dict(study_dir=study_dir, earlier_study=earlier_dir, model=model, output_dir=tmp_path)
    status, said = call(capsys, **flags, verify_model="siamese", verify_evaluation="evaluation")
    assert status == 3
    assert "rejected: " in said.out and "1.2.8" in said.out and "two persons" in said.out
    content = json.loads((tmp_path / "grades.json").read_text())
    assert len(content["discs"]) == len(tiny_export.NAMES) - 1
    found = content["comparison"]
    assert found["earlier"] is None and found["changes"] == []
    html = (tmp_path / "report.html").read_text()
    assert "two persons" in html and 'class="discs compare"' not in html


def test_flags_that_do_not_go_together(study_dir, model, tmp_path, capsys):
    flags = dict(study_dir=study_dir, model=model, output_dir=tmp_path)
    assert call(capsys, **flags, earlier_study="x", verify_model="a")[0] == 2
    assert call(capsys, **flags, verify_model="a", verify_evaluation="b")[0] == 2
