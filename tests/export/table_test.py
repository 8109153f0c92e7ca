"""Tests of export.table."""

import numpy as np

from export import saved_model, table

_INFO = saved_model.GradingInfo("spondylolisthesis", "Spondylolisthesis", (0, 1), ("L4-L5",))
_OUTPUTS = {
    "spondylolisthesis_grade": np.array([0, 1]),
    "spondylolisthesis_expected_grade": np.array([0.25, 0.5]),
    "spondylolisthesis_probabilities": np.array([[0.75, 0.25], [0.5, 0.5]]),
    "spondylolisthesis_was_graded": np.array([True, False]),
}


def test_a_calibrated_model_says_whether_it_is_uncertain():
    outputs = _OUTPUTS | {"spondylolisthesis_uncertain": np.array([False, True])}
    found = [table.grades_of([_INFO], outputs, number)[0] for number in range(2)]
    assert [grade.uncertain for grade in found] == [False, True]
    assert [table.cells(grade)["uncertain"] for grade in found] == ["0", "1"]


def test_a_model_that_is_not_calibrated_does_not_say():
    (grade,) = table.grades_of([_INFO], _OUTPUTS, 1)
    assert grade.uncertain is None
    assert table.cells(grade) == {
        **{"grading": "spondylolisthesis", "grade": "1", "expected_grade": "0.500000"},
        **{"p_0": "0.500000", "p_1": "0.500000", "was_graded": "0", "uncertain": ""},
    }


def test_a_table_holds_the_columns_that_are_asked_for():
    assert table.to_csv(["a", "b"], [{"a": "1", "c": "2"}]) == "a,b\n1,\n"
