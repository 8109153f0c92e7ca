import numpy as np
import pytest

from spine_tf.evaluation import bootstrap, contrasts, subject_means

_NAN = np.nan


def test_cases_of_one_subject_are_averaged_first():
    found = subject_means.per_unit(
        np.array([1.0, 3.0, 10.0, _NAN, _NAN]), np.array([0, 0, 1, 1, 2]), 3
    )
    np.testing.assert_array_equal(found, [2, 10, _NAN])


def test_mean_and_draws_by_hand():
    values = np.array([2.0, 10.0, _NAN])
    counts = np.array([[1, 1, 1], [2, 0, 1], [1, 2, 0], [0, 0, 3]], float)
    found = subject_means.mean(values, counts)
    assert found.value == 6
    # The third subject has no value; a draw of nothing else has none.
    np.testing.assert_allclose(found.drawn, [6, 2, 22 / 3, _NAN])


def test_deviation():
    assert subject_means.deviation(np.array([1.0, 3.0, _NAN])) == pytest.approx(
        np.sqrt(2), abs=1e-6
    )
    assert subject_means.deviation(np.array([1.0, _NAN])) is None


def test_no_value_says_why():
    found = subject_means.describe(np.full(3, _NAN), bootstrap.draw_counts(3, 20, 0), "no organ")
    assert found == {
        **{"value": None, "low": None, "high": None, "reason": "no organ"},
        **{"std": None, "subjects": 0},
    }


def test_a_difference_is_of_what_both_have():
    one = np.array([[2.0, _NAN, 4.0], [1.0, 1.0, _NAN]])  # the first misses two hard ones
    other = np.array([[3.0, 90.0, _NAN], [2.0, 3.0, 50.0]])
    units, counts = np.array([0, 0, 1]), np.array([[1, 1], [2, 0], [0, 2]], float)
    found = subject_means.difference(one, other, units, counts)
    # Cases: -1, -2 and none; subjects: -1.5 and none.
    assert found.score.value == -1.5 and found.unpaired == (1, 2)
    np.testing.assert_array_equal(found.score.drawn, [-1.5, -1.5, _NAN])


def test_a_difference_is_paired():
    rng = np.random.default_rng(0)
    one = rng.normal(0, 5, 30)
    other = one - 1 + rng.normal(0, 0.1, 30)
    other[3] = _NAN
    counts = bootstrap.draw_counts(30, 500, 0)
    paired = subject_means.difference(one[None], other[None], np.arange(30), counts)
    found = contrasts.describe(paired.score)
    assert 0.9 < found["low"] < found["high"] < 1.1 and found["p"] < 0.01
