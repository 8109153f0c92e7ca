import numpy as np
import pytest

from spine_tf.evaluation import bootstrap


def test_codes_number_the_units():
    found, number = bootstrap.codes(["b", "a", "b", "c"])
    assert found.tolist() == [1, 0, 1, 2]
    assert number == 3


def test_a_draw_takes_as_many_units_as_there_are():
    counts = bootstrap.draw_counts(5, 200, seed=1)
    assert counts.shape == (200, 5)
    assert np.all(counts.sum(1) == 5)
    np.testing.assert_array_equal(counts, bootstrap.draw_counts(5, 200, seed=1))
    assert np.any(counts != bootstrap.draw_counts(5, 200, seed=2))


def test_interval_takes_the_percentiles():
    # Of 0, 1, ..., 100 the 2.5th percentile is 2.5 and the 97.5th is 97.5.
    found = bootstrap.interval(50.0, np.arange(101.0))
    assert found == {"value": 50.0, "low": 2.5, "high": 97.5}


def test_interval_leaves_out_draws_without_a_value():
    found = bootstrap.interval(1.0, np.array([np.nan, 1.0, 1.0, np.nan]))
    assert (found["low"], found["high"]) == (1.0, 1.0)


def test_an_undefined_value_is_none_with_a_reason():
    found = bootstrap.interval(np.nan, np.zeros(3), "one class only")
    assert found == {"value": None, "low": None, "high": None, "reason": "one class only"}


def test_one_subject_has_no_interval():
    counts = bootstrap.draw_counts(1, 50, seed=0)
    found = bootstrap.share(np.array([True, False]), np.array([0, 0]), counts, "")
    assert found["value"] == 0.5
    assert found["low"] is None
    assert "too few subjects" in found["reason"]


def test_share_moves_whole_subjects():
    # Subject 0 is always right, subject 1 always wrong: a draw gives 0, 1/2 or 1, whatever the
    # number of crops. Drawing crops one by one would give a narrow interval.
    hit = np.array([True] * 100 + [False] * 100)
    unit = np.repeat([0, 1], 100)
    found = bootstrap.share(hit, unit, bootstrap.draw_counts(2, 500, seed=0), "")
    assert found == {"value": 0.5, "low": 0.0, "high": 1.0}


def test_share_of_nothing():
    found = bootstrap.share(np.zeros(0, bool), np.zeros(0, int), np.zeros((5, 0)), "nothing there")
    assert found["reason"] == "nothing there"


def test_ratio_of_sums():
    # Subject 0 has 1 / 4, subject 1 has 6 / 2; together 7 / 6. A draw takes either twice, or both.
    found = bootstrap.ratio(
        np.array([1.0, 2.0, 4.0]),
        np.array([4.0, 1.0, 1.0]),
        np.array([0, 1, 1]),
        bootstrap.draw_counts(2, 500, seed=0),
        "",
    )
    assert found == {"value": round(7 / 6, 6), "low": 0.25, "high": 3.0}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"value": None}, "-"),
        ({"value": 0.5}, "0.500"),
        ({"value": 0.5, "low": 0.25, "high": 0.75}, "0.500 [0.250, 0.750]"),
    ],
)
def test_text(found, expected):
    assert bootstrap.text(found) == expected
