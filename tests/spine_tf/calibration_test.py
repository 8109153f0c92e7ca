"""Tests of spine_tf.calibration."""

import numpy as np
import pytest
from scipy import special, stats

from spine_tf import calibration


def drawn(count=20_000, classes=4, seed=0):
    """Logits, and classes drawn from their own softmax: calibrated at temperature 1."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, classes))
    likelihood = special.softmax(logits, 1)
    return logits, (rng.uniform(size=(count, 1)) > likelihood.cumsum(1)).sum(1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_scaled_logits_is_recovered(temperature):
    logits, true = drawn()
    assert calibration.fit_temperature(logits * temperature, true) == pytest.approx(
        temperature, rel=0.03
    )


def test_the_temperature_of_two_classes_is_that_of_the_odds():
    # 3 of 4 are right at a logit difference of 2: softmax(2 / T) = 3/4, so T = 2 / ln 3.
    logits, true = np.tile([2.0, 0.0], (4, 1)), np.array([0, 0, 0, 1])
    found = calibration.fit_temperature(logits, true)
    assert found == pytest.approx(2 / np.log(3), rel=1e-4)
    assert not calibration.is_at_bound(found)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert calibration.negative_log_likelihood(logits, true, found) == pytest.approx(entropy)


def test_grades_that_are_all_right_end_at_the_bound():
    found = calibration.fit_temperature(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]))
    assert calibration.is_at_bound(found)


@pytest.mark.parametrize(
    "logits, true, message",
    [
        (np.zeros((0, 2)), np.zeros(0, int), "at least one graded disc"),
        (np.array([[np.nan, 0.0]]), np.array([0]), "must be finite"),
        (np.zeros((1, 2)), np.array([-1]), "class indices below 2"),
        (np.zeros((1, 2)), np.array([2]), "class indices below 2"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits, true, message):
    with pytest.raises(ValueError, match=message):
        calibration.fit_temperature(logits, true)


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    # Bin of 0.9: accuracy 1/2, gap 0.4; bin of 0.6: accuracy 1, gap 0.4.
    found = calibration.expected_calibration_error(probabilities, np.array([0, 1, 1, 1]))
    assert found == pytest.approx(0.4)
    sure = np.array([[1.0, 0.0]])
    assert calibration.expected_calibration_error(sure, np.array([0])) == 0


def test_the_temperature_lowers_the_calibration_error():
    logits, true = drawn()
    logits = logits * 3
    fitted = calibration.fit_temperature(logits, true)
    before, after = (
        calibration.expected_calibration_error(special.softmax(logits / t, 1), true)
        for t in (1.0, fitted)
    )
    assert after < 0.02 < 0.1 < before


def test_the_lowest_threshold_that_meets_the_error_rate_is_chosen():
    confidence = np.array([0.5, 0.9, 0.6, 0.8, 0.7])
    is_right = np.array([False, True, False, False, True])
    # From the most confident: right, wrong, right, wrong, wrong: errors 0, 1/2, 1/3, 2/4, 3/5.
    found = calibration.choose_threshold(confidence, is_right, 0.4)
    assert found.threshold == pytest.approx(0.65)  # between 0.7 and 0.6
    assert (found.answered, found.errors, found.coverage) == (3, 1, 0.6)
    assert found.error_rate == pytest.approx(1 / 3)
    everything = calibration.choose_threshold(confidence, is_right, 0.6)
    assert (everything.threshold, everything.coverage) == (0.0, 1.0)
    strict = calibration.choose_threshold(confidence, is_right, 0.0)
    assert (strict.threshold, strict.answered) == (pytest.approx(0.85), 1)


def test_equal_confidences_are_answered_together():
    found = calibration.choose_threshold(np.array([0.9, 0.9, 0.5]), np.array([1, 0, 1]) > 0, 0.1)
    assert found.threshold is None  # neither of the two at 0.9 alone


def test_an_error_rate_that_cannot_be_met_answers_nothing():
    found = calibration.choose_threshold(np.array([0.9, 0.8]), np.array([False, True]), 0.1)
    assert found == calibration.Threshold(None, 0, 2, 0)
    assert (found.coverage, found.error_rate, found.error_rate_upper) == (0.0, None, None)


def test_the_upper_bound_is_that_of_clopper_and_pearson():
    # No error among n: 1 - 0.05^(1/n), the "rule of three" made exact.
    assert calibration.Threshold(0.5, 30, 40, 0).error_rate_upper == pytest.approx(
        1 - 0.05 ** (1 / 30)
    )
    upper = calibration.Threshold(0.5, 20, 40, 2).error_rate_upper
    assert stats.binom.cdf(2, 20, upper) == pytest.approx(0.05)
    assert calibration.Threshold(0.5, 2, 2, 2).error_rate_upper == 1.0


@pytest.mark.parametrize("error_rate", [-0.1, 1.0, float("nan")])
def test_an_error_rate_is_a_share(error_rate):
    with pytest.raises(ValueError, match=r"`error_rate` must be in \[0, 1\)"):
        calibration.choose_threshold(np.array([0.9]), np.array([True]), error_rate)
