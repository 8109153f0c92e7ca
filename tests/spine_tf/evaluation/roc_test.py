import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, roc


def _pairs(seed=0, number=60):
    rng = np.random.default_rng(seed)
    is_positive = rng.random(number) < 0.4
    distance = np.round(rng.normal(1.0 - 0.5 * is_positive, 0.4), 1)  # with ties
    units = rng.integers(0, 8, (number, 2))
    units[is_positive, 1] = units[is_positive, 0]
    return is_positive, distance, rng.uniform(0.5, 2, number), units


def test_area_by_hand():
    # Closer than the negatives at 2 and 3: the positive at 1 to both, the one at 2 to one and a
    # half (a tie): (2 + 1.5) / 4 = 0.875.
    found = roc.auc(np.array([True, True, False, False]), np.array([1.0, 2, 2, 3]), np.ones(4))
    assert found == pytest.approx(0.875)


@pytest.mark.parametrize("is_positive", [[True, True], [False, False], []])
def test_area_needs_both_kinds(is_positive):
    is_positive = np.array(is_positive, bool)
    number = len(is_positive)
    assert np.isnan(roc.auc(is_positive, np.arange(number), np.ones(number)))


def test_draws_equal_repeated_pairs():
    # A draw counts a pair as often as the product of its subjects' counts: repeat it so often and
    # let scikit-learn find the area.
    is_positive, distance, weight, units = _pairs()
    counts = bootstrap.draw_counts(8, 25, seed=3)
    found = roc.auc_draws(is_positive, distance, weight, units, counts)
    one = units[:, 0] == units[:, 1]
    for drawn, area in zip(counts, found, strict=True):
        times = drawn[units[:, 0]] * np.where(one, 1, drawn[units[:, 1]])
        expected = metrics.roc_auc_score(is_positive, -distance, sample_weight=weight * times)
        assert area == pytest.approx(expected, abs=1e-12)


def test_draws_do_not_depend_on_the_chunks(monkeypatch):
    pairs = _pairs()
    counts = bootstrap.draw_counts(8, 25, seed=3)
    expected = roc.auc_draws(*pairs, counts)
    monkeypatch.setattr(roc, "_ELEMENTS_AT_ONCE", 1)
    np.testing.assert_array_equal(roc.auc_draws(*pairs, counts), expected)


def test_a_draw_without_negatives_has_no_area():
    is_positive = np.array([True, False])
    units = np.array([[0, 0], [0, 1]])
    found = roc.auc_draws(
        is_positive, np.array([1.0, 2]), np.ones(2), units, np.array([[2.0, 0], [1, 1]])
    )
    assert np.isnan(found[0])
    assert found[1] == 1.0


def test_equal_error_rate_by_hand():
    # Positives at 1, 2, 3, 6 and negatives at 4, 5, 7, 8. Calling 3 and less the same misses one of
    # four and takes none; up to 5 misses one (FNR 1/4) and takes two (FPR 1/2). Up to 4: both 1/4.
    is_positive = np.array([1, 1, 1, 0, 0, 1, 0, 0], bool)
    curve = roc.curve(is_positive, np.arange(1.0, 9), np.ones(8))
    assert roc.equal_error_rate(*curve) == pytest.approx(0.25)


def test_equal_error_rate_between_two_points():
    # From (0, 0.5) to (1, 1): FPR = 1 - TPR where f = 1 - 0.5 - 0.5 f, so f = 1/3.
    rates = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.5, 1.0])
    assert roc.equal_error_rate(*rates) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("sign", "expected"), [(1, 0.0), (-1, 1.0)])
def test_equal_error_rate_of_perfect_and_reversed_distances(sign, expected):
    is_positive = np.array([True] * 5 + [False] * 5)
    curve = roc.curve(is_positive, sign * np.arange(10.0), np.ones(10))
    assert roc.equal_error_rate(*curve) == pytest.approx(expected)


def test_true_rate_at_a_small_false_rate():
    # Two of three positives are closer than all 1000 negatives, the third is farther than one.
    distance = np.concatenate([[1.0, 2, 4], [3.0], np.arange(5, 1004.0)])
    curve = roc.curve(np.arange(1003) < 3, distance, np.ones(1003))
    assert roc.true_rate_at(*curve, 0.0005) == pytest.approx(2 / 3)
    assert roc.true_rate_at(*curve, 0.001) == pytest.approx(1.0)
