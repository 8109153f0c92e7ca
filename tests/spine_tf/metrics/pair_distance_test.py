import numpy as np
import pytest

from spine_tf.metrics import pair_distance

LABELS = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
DISTANCES = np.array([[1.0, 3.0, 5.0], [9.0, 2.0, 1.0]])
USED = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])


def _result(metric, used=USED):
    metric.update_state(LABELS, DISTANCES, sample_weight=used)
    return float(metric.result())


def test_mean_distances():
    assert _result(pair_distance.MeanDistance(is_same=True)) == pytest.approx(1.5)
    assert _result(pair_distance.MeanDistance(is_same=False)) == pytest.approx(3.0)


def test_without_weights_every_entry_counts():
    found = _result(pair_distance.MeanDistance(is_same=False), None)
    assert found == pytest.approx((3 + 5 + 9 + 1) / 4)


def test_no_pair_is_no_number():
    assert np.isnan(_result(pair_distance.MeanDistance(is_same=True), np.zeros((2, 3))))


def test_active_negatives_are_closer_than_the_margin():
    assert _result(pair_distance.ActiveNegatives(4.0)) == pytest.approx(2 / 3)
    assert _result(pair_distance.ActiveNegatives(5.0)) == pytest.approx(2 / 3)  # 5 costs nothing


def test_spread_is_the_standard_deviation_between_subjects():
    assert _result(pair_distance.EmbeddingSpread()) == pytest.approx(((9 + 25 + 1) / 3 / 2) ** 0.5)
    rng = np.random.default_rng(0)
    embedded = rng.normal(0, [0.5, 2.0], (2, 4000, 2))
    distance = np.linalg.norm(embedded[0] - embedded[1], axis=1)
    metric = pair_distance.EmbeddingSpread()
    metric.update_state(np.zeros(4000), distance)
    assert float(metric.result()) == pytest.approx((0.25 + 4) ** 0.5, rel=0.05)
