import pytest

from benchmarks import detected_boxes


def test_a_perfect_grader_that_detection_spoils():
    rows = [
        (patient, grade, grade, 2 if grade == 4 else grade)
        for patient in "abcd"
        for grade in range(5)
    ]
    found = detected_boxes.compare(rows, 5, 200)
    assert found["discs"] == 20
    assert found["annotated"]["quadratic_kappa"]["value"] == 1
    # Per patient: 4 -> 2 in one of five; observed 4, expected 1/5 of the sum of (i - j)^2 over
    # i in 0..4 and j in (0, 1, 2, 2, 3) = 80/5, so kappa = 1 - 4 * 5 / 80.
    assert found["detected"]["quadratic_kappa"]["value"] == pytest.approx(1 - 20 / 80, abs=1e-6)
    assert found["difference"]["quadratic_kappa"]["value"] == pytest.approx(-20 / 80, abs=1e-6)
    assert found["difference"]["balanced_accuracy"]["value"] == pytest.approx(-0.2)
    assert found["same_grade"]["value"] == 0.8


def test_discs_that_detection_left_out_are_counted_and_not_compared():
    rows = [("a", 1, 1, 1), ("a", 2, 2, None), ("b", 3, 3, 3), ("b", 0, 1, None)]
    found = detected_boxes.compare(rows, 5, 50)
    assert (found["discs"], found["discs_without_detection"], found["patients"]) == (2, 2, 2)
    assert found["annotated"]["accuracy"]["value"] == 1
    assert found["difference"]["quadratic_kappa"]["value"] == 0
