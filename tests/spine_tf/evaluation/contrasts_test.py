import numpy as np
import pytest
from sklearn import metrics

from spine_tf.evaluation import bootstrap, contrasts


def _draws(units, num_draws=400):
    codes, num_units = bootstrap.codes(units)
    return codes, bootstrap.draw_counts(num_units, num_draws, seed=3)


def test_holm_by_hand():
    # Sorted: 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06, 0.04 * 1 = 0.04, but not below
    # the one before it, 0.06.
    assert contrasts.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert contrasts.holm([0.5, 0.9]) == [1.0, 1.0]
    assert contrasts.holm([]) == []


def test_p_values_by_hand():
    # 1 of 9 draws is not above 0: 2 * (1 + 1) / (9 + 1).
    assert contrasts.p_value(np.array([-1, 1, 2, 3, 4, 5, 6, 7, 8])) == pytest.approx(0.4)
    assert contrasts.p_value(np.arange(1, 1000)) == pytest.approx(2 / 1000)
    assert contrasts.p_value(np.array([-1.0, 1.0, np.nan])) == 1.0


def test_a_score_is_the_mean_over_runs():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 3, 60), rng.integers(0, 3, (2, 60))
    units, counts = _draws(np.repeat(np.arange(20), 3))
    found = contrasts.score(true, predicted, 3, units, counts)
    expected = [metrics.balanced_accuracy_score(true, one) for one in predicted]
    assert found.value == pytest.approx(np.mean(expected))
    # One draw by hand: every disc as often as its subject.
    repeated = np.repeat(np.arange(60), counts[5][units].astype(int))
    expected = [metrics.balanced_accuracy_score(true[repeated], p[repeated]) for p in predicted]
    assert found.drawn[5] == pytest.approx(np.mean(expected))


def test_a_difference_is_paired():
    # Two methods with the same errors: the difference is 0 in every draw, though both vary.
    rng = np.random.default_rng(1)
    true, predicted = rng.integers(0, 2, 80), rng.integers(0, 2, 80)
    units, counts = _draws(np.repeat(np.arange(40), 2))
    one = contrasts.score(true, predicted, 2, units, counts)
    assert one.drawn.std() > 0.01
    nothing = contrasts.describe(contrasts.weighted_sum([(1, one), (-1, one)]))
    assert nothing == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}


def test_a_clear_difference():
    rng = np.random.default_rng(2)
    true = rng.integers(0, 2, 400)
    good = np.where(rng.uniform(size=400) < 0.9, true, 1 - true)
    bad = np.where(rng.uniform(size=400) < 0.6, true, 1 - true)
    units, counts = _draws(np.arange(400))
    scores = [contrasts.score(true, one, 2, units, counts) for one in (good, bad)]
    found = contrasts.describe(contrasts.weighted_sum(list(zip((1, -1), scores, strict=True))))
    assert found["low"] > 0.2 and found["high"] < 0.4
    assert found["p"] == pytest.approx(2 / 401)


def test_differences_without_an_effect_have_even_p_values():
    # 200 data sets of two methods that are equally good: about 1 in 20 is below 0.05.
    rng = np.random.default_rng(4)
    units, counts = _draws(np.arange(100), num_draws=300)
    below = 0
    for _ in range(200):
        true = rng.integers(0, 2, 100)
        scores = [
            contrasts.score(true, np.where(rng.uniform(size=100) < 0.7, true, 1 - true), 2, *draws)
            for draws in [(units, counts)] * 2
        ]
        below += contrasts.p_value(scores[0].drawn - scores[1].drawn) < 0.05
    assert 2 <= below <= 24
