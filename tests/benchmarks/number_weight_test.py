import numpy as np
import pytest

from benchmarks import number_weight

_PRIOR = np.array([0.25, 0.5, 0.25])


def test_shares_are_the_prior_without_weight_and_add_up():
    evidence = np.array([[3.0, 0.0, -1.0]])
    np.testing.assert_allclose(np.exp(number_weight.log_shares(evidence, _PRIOR, 0)), [_PRIOR])
    # 0.25 e^1.5, 0.5, 0.25 e^-0.5, divided by their sum 1.772...
    found = np.exp(number_weight.log_shares(evidence, _PRIOR, 0.5))[0]
    np.testing.assert_allclose(found, np.array([1.12042, 0.5, 0.15163]) / 1.77205, rtol=1e-4)


def test_evidence_that_is_right_gets_a_large_weight_and_one_that_misleads_none():
    five, four, six = np.array([[-4.0, 0, -4]]), np.array([[4.0, 0, -4]]), np.array([[-4.0, 0, 4]])
    assert number_weight.fit(five, four, six, _PRIOR) == pytest.approx(2, abs=0.01)
    assert number_weight.fit(-five, -four, -six, _PRIOR) == pytest.approx(0, abs=0.01)
