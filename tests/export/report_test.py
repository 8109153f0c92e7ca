"""Tests of export.report."""

import csv
import io

import pytest

from export import report


@pytest.mark.parametrize(
    "value, said", [(-0.04, "+0.0"), (0.0, "+0.0"), (-0.06, "-0.1"), (1, "+1.0")]
)
def test_a_change_has_its_sign_and_nothing_is_not_less_than_nothing(value, said):
    assert report.signed(value) == said


def test_a_calibrated_model_says_where_it_is_unsure(paired):
    content = paired[0].content
    assert content.is_calibrated
    rows = list(csv.DictReader(io.StringIO(report.to_csv(content))))
    found = report.to_json(content)
    grades = [(disc, grade) for disc in found["discs"] for grade in disc["gradings"]]
    assert len(rows) == len(grades) == 12
    for row, (disc, grade) in zip(rows, grades, strict=True):
        assert (row["level"], row["grading"]) == (disc["level"], grade["grading"])
        assert row["uncertain"] == str(int(grade["uncertain"]))
        assert float(row["distance"]) == disc["distance"]
        assert row["is_outlier"] == str(int(disc["is_outlier"])) == str(int(disc["distance"] > 1))


def test_without_an_earlier_study_there_is_no_change(paired):
    content = paired[0].content
    assert len(report.changes(content)) == 12
    assert report.changes(content.comparison.earlier) == []
    assert "comparison" not in report.to_json(content.comparison.earlier)
