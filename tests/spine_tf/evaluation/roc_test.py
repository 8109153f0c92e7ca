import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, roc


def _sample(seed=0, number=60):
    rng = np.random.default_rng(seed)
    is_positive = rng.random(number) < 0.4
    distance = np.round(rng.normal(1.0 - 0.5 * is_positive, 0.4), 1)  # with ties
    units = rng.integers(0, 8, (number, 2))
    units[is_positive, 1] = units[is_positive, 0]
    return roc.Sample(is_positive, distance, rng.uniform(0.5, 2, number), units)


def _of(is_positive, distance, units=None):
    """A sample of equal weights, each pair of units of its own unless given."""
    number = len(is_positive)
    own = np.stack([np.arange(number)] * 2, 1)
    units = own if units is None else np.array(units)
    return roc.Sample(
        np.array(is_positive, bool), np.array(distance, float), np.ones(number), units
    )


def _value(sample, name, *rates):
    """A measure on the data as they are."""
    counts = np.ones((1, sample.units.max(initial=0) + 1))
    return roc.measures(sample, counts, rates)[name][0]


def test_area_by_hand():
    # Closer than the negatives at 2 and 3: the positive at 1 to both, the one at 2 to one and a
    # half (a tie): (2 + 1.5) / 4 = 0.875.
    assert _value(_of([1, 1, 0, 0], [1, 2, 2, 3]), "auc") == pytest.approx(0.875)


@pytest.mark.parametrize("is_positive", [[1, 1], [0, 0], []])
def test_measures_need_both_kinds(is_positive):
    sample = _of(is_positive, range(len(is_positive)), np.zeros((len(is_positive), 2), int))
    for name in ("auc", "equal_error_rate", 0.1):
        assert np.isnan(_value(sample, name, 0.1))


def test_a_pair_weighs_by_the_product_of_its_subjects():
    # Subject 0 drawn twice, 1 once, 2 three times. Positives: subject 0 at 1 (weight 2), subject 2
    # at 3 (weight 3). Negatives: 0 and 1 at 2 (2 * 1), 0 and 2 at 4 (2 * 3).
    # AUC = (2 * 8 + 3 * 6) / (5 * 8) = 34 / 40. At 2 and less: TPR 2/5, FPR 2/8. At 3: TPR 1.
    sample = _of([1, 1, 0, 0], [1, 3, 2, 4], [[0, 0], [2, 2], [0, 1], [0, 2]])
    found = roc.measures(sample, np.array([[2.0, 1, 3]]), (0.1, 0.25))
    assert found["auc"][0] == pytest.approx(0.85)
    assert found[0.1][0] == pytest.approx(0.4)
    assert found[0.25][0] == pytest.approx(1.0)
    # The curve goes (0, 0.4), (0.25, 0.4), (0.25, 1): misses fall from 0.6 to 0 at 0.25.
    assert found["equal_error_rate"][0] == pytest.approx(0.25)
    false_rate, true_rate = roc.rates_within(sample, np.array([[2.0, 1, 3], [1, 1, 1]]), 2.0)
    np.testing.assert_allclose(false_rate, [0.25, 0.5])
    np.testing.assert_allclose(true_rate, [0.4, 0.5])


@pytest.mark.parametrize("seed", range(3))
def test_draws_equal_repeated_pairs(seed):
    # A draw counts a pair as often as the product of its subjects' counts: repeat it so often and
    # let scikit-learn draw the curve.
    sample = _sample(seed)
    counts = bootstrap.draw_counts(8, 25, seed=3)
    found = roc.measures(sample, counts, (0.05, 0.2))
    one = sample.units[:, 0] == sample.units[:, 1]
    for i, drawn in enumerate(counts):
        times = drawn[sample.units[:, 0]] * np.where(one, 1, drawn[sample.units[:, 1]])
        rates = roc.curve(sample.is_positive, sample.distance, sample.weight * times)
        expected = metrics.roc_auc_score(
            sample.is_positive, -sample.distance, sample_weight=sample.weight * times
        )
        assert found["auc"][i] == pytest.approx(expected, abs=1e-12)
        assert found["equal_error_rate"][i] == pytest.approx(roc.equal_error_rate(*rates))
        for largest in (0.05, 0.2):
            assert found[largest][i] == pytest.approx(rates[1][rates[0] <= largest].max())


def test_draws_do_not_depend_on_the_chunks(monkeypatch):
    sample = _sample()
    counts = bootstrap.draw_counts(8, 25, seed=3)
    expected = roc.measures(sample, counts, (0.1,))
    monkeypatch.setattr(roc, "_ELEMENTS_AT_ONCE", 1)
    for name, drawn in roc.measures(sample, counts, (0.1,)).items():
        np.testing.assert_allclose(drawn, expected[name], rtol=1e-12)


def test_a_draw_without_negatives_has_no_area():
    sample = _of([1, 0], [1, 2], [[0, 0], [0, 1]])
    found = roc.measures(sample, np.array([[2.0, 0], [1, 1]]))["auc"]
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
