"""Tests of export.drift_stats."""

import numpy as np
import pytest
from scipy import stats

from export import drift_stats


def test_psi_by_hand():
    # (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5) = 0.25 ln 2 + 0.25 ln 1.5 = 0.27465
    expected, actual = np.array([50, 50]), np.array([25, 75])
    assert drift_stats.psi(expected, actual) == pytest.approx(0.2746531)
    assert drift_stats.psi(expected, expected * 3) == 0


def test_an_empty_bin_is_half_a_row():
    # (1 - 0.5) ln 2 + (0.025 - 0.5) ln(0.025 / 0.5) = 0.346574 + 1.422973
    found = drift_stats.psi(np.array([10, 10]), np.array([20, 0]))
    assert found == pytest.approx(1.7695467)


def test_numbers_are_binned_by_the_deciles_of_the_reference():
    reference = np.arange(100.0)
    sizes = drift_stats.Sizes(100, 100)
    assert drift_stats.of_numbers(reference, reference, sizes) == drift_stats.Moved(0, 0, 1)
    # Half of the sample lies in the lowest tenth: 0.4 ln 5 + nothing where shares are equal;
    # the other half is spread over nine tenths.
    sample = np.concatenate([np.linspace(0, 9, 90), np.linspace(10, 99, 90)])
    a = np.array([0.5, *[0.5 / 9] * 9])
    expected = np.sum((a - 0.1) * np.log(a / 0.1))
    assert drift_stats.of_numbers(reference, sample, sizes).psi == pytest.approx(expected, rel=1e-3)


def test_the_test_is_that_of_scipy_where_rows_are_independent():
    random = np.random.default_rng(3)
    reference, sample = random.normal(size=500), random.normal(0.1, size=300)
    found = drift_stats.of_numbers(reference, sample, drift_stats.Sizes(500, 300))
    expected = stats.ks_2samp(reference, sample, method="asymp")
    assert (found.statistic, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    fewer = drift_stats.of_numbers(reference, sample, drift_stats.Sizes(100, 60))
    assert fewer.statistic == found.statistic and fewer.p > found.p


def test_values_that_come_often_share_a_bin():
    assert drift_stats.edges(np.array([1.0] * 95 + [2.0] * 5)).tolist() == [1.0]
    same = drift_stats.of_numbers(np.ones(50), np.ones(40), drift_stats.Sizes(50, 40))
    assert (same.psi, same.p) == (0, 1)


def test_classes_by_hand():
    # chi2 = 80 (30 * 20 - 10 * 20)^2 / (40 * 40 * 50 * 30) = 5.3333, V = sqrt(5.3333 / 80)
    counts = np.array([30, 10]), np.array([20, 20])
    found = drift_stats.of_classes(*counts, drift_stats.Sizes(40, 40))
    assert found.statistic == pytest.approx(0.2581989)
    assert found.p == pytest.approx(0.0209213, abs=1e-6)
    # (0.5 - 0.75) ln(0.5 / 0.75) + (0.5 - 0.25) ln(0.5 / 0.25)
    assert found.psi == pytest.approx(0.2746531)
    halved = drift_stats.of_classes(*counts, drift_stats.Sizes(20, 20))
    assert halved.p == pytest.approx(stats.chi2.sf(5.3333333 / 2, 1), rel=1e-5)


def test_one_class_alone_does_not_move():
    counts = np.array([30, 0]), np.array([20, 0])
    assert drift_stats.of_classes(*counts, drift_stats.Sizes(5, 5)).p == 1
