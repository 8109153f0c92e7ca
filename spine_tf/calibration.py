"""Calibration of one grading: a temperature, and when to abstain.

Logits are divided by one temperature per grading, fitted on validation by maximum likelihood
(Guo et al. 2017, "On calibration of modern neural networks"). It changes no grade. A disc is
uncertain if the probability of its grade is below a threshold, so that among the others the grades
that are wrong are at most a chosen share (selective classification, Geifman and El-Yaniv 2017).
"""

import dataclasses
import math

import numpy as np
from scipy import optimize, special, stats

CONFIDENCE = 0.95  # of the one-sided upper bound of an error rate
NUM_BINS = 15  # of the expected calibration error
TEMPERATURES = (0.05, 20.0)


@dataclasses.dataclass(frozen=True)
class Threshold:
    """When a grade is certain enough.

    Attributes:
        threshold: Least probability of a grade that is answered; None if the error rate cannot be
            met at any: then nothing is answered.
        answered: Discs that are answered.
        discs: All discs.
        errors: Wrong grades among those that are answered.
    """

    threshold: float | None
    answered: int
    discs: int
    errors: int

    @property
    def coverage(self) -> float:
        """Share of the discs that is answered."""
        return self.answered / self.discs if self.discs else 0.0

    @property
    def error_rate(self) -> float | None:
        """Share of wrong grades among those that are answered; None without any."""
        return self.errors / self.answered if self.answered else None

    @property
    def error_rate_upper(self) -> float | None:
        """One-sided 95 % upper bound (Clopper and Pearson), as if discs were independent."""
        if not self.answered:
            return None
        right = self.answered - self.errors
        return float(stats.beta.ppf(CONFIDENCE, self.errors + 1, right)) if right else 1.0


def negative_log_likelihood(logits: np.ndarray, true: np.ndarray, temperature: float) -> float:
    """Returns the mean negative log-likelihood, in nats, of logits divided by a temperature.

    Args:
        logits: [n, classes].
        true: [n] class index.
        temperature: What logits are divided by.
    """
    logs = special.log_softmax(np.asarray(logits, np.float64) / temperature, 1)
    return float(-logs[np.arange(len(true)), true].mean())


def fit_temperature(logits: np.ndarray, true: np.ndarray) -> float:
    """Returns the temperature of the least negative log-likelihood, inside `TEMPERATURES`.

    Args:
        logits: [n, classes] of graded discs.
        true: [n] class index.

    Raises:
        ValueError: If there is no disc, a class index is not one, or a logit is not finite.
    """
    logits, true = _checked(logits, true)
    found = optimize.minimize_scalar(
        lambda log: negative_log_likelihood(logits, true, math.exp(log)),
        bounds=[math.log(value) for value in TEMPERATURES],
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(found.x)


def is_at_bound(temperature: float) -> bool:
    """Returns whether the data set no limit: all grades are right, or nothing was learned."""
    return any(abs(math.log(temperature / bound)) < 1e-3 for bound in TEMPERATURES)


def expected_calibration_error(
    probabilities: np.ndarray, true: np.ndarray, num_bins: int = NUM_BINS
) -> float:
    """Returns the mean distance of confidence and accuracy over bins of equal width.

    Args:
        probabilities: [n, classes].
        true: [n] class index.
        num_bins: Bins of the probability of the grade; each counts by its discs.
    """
    confidence = probabilities.max(1)
    is_right = probabilities.argmax(1) == true
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    gap = np.bincount(bins, confidence, num_bins) - np.bincount(bins, is_right, num_bins)
    return float(np.abs(gap).sum() / len(true))


def choose_threshold(confidence: np.ndarray, is_right: np.ndarray, error_rate: float) -> Threshold:
    """Chooses the lowest threshold at which the error rate is met: it answers most discs.

    The threshold lies midway between the last confidence that is answered and the next, and is 0
    if all are answered.

    Args:
        confidence: [n] probability of the grade.
        is_right: [n] bool, whether the grade is the reader's.
        error_rate: Largest share of wrong grades among those that are answered.

    Raises:
        ValueError: If `error_rate` is not in [0, 1).
    """
    if not 0 <= error_rate < 1:
        raise ValueError(f"`error_rate` must be in [0, 1), got {error_rate!r}.")
    order = np.argsort(-np.asarray(confidence), kind="stable")
    confidence, wrong = np.asarray(confidence)[order], ~np.asarray(is_right, bool)[order]
    errors, count = np.cumsum(wrong), np.arange(1, len(wrong) + 1)
    following = np.append(confidence[1:], -np.inf)
    # Equal confidences are answered together.
    met = np.flatnonzero((following < confidence) & (errors <= error_rate * count))
    if not len(met):
        return Threshold(None, 0, len(wrong), 0)
    last = met[-1]
    is_all = last + 1 == len(wrong)
    threshold = 0.0 if is_all else float((confidence[last] + following[last]) / 2)
    return Threshold(threshold, int(last + 1), len(wrong), int(errors[last]))


def _checked(logits: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    logits, true = np.asarray(logits, np.float64), np.asarray(true, int)
    if logits.ndim != 2 or true.shape != logits.shape[:1] or not len(true):
        raise ValueError(
            f"`logits` must be [n, classes] of at least one graded disc and `true` [n], got"
            f" {logits.shape} and {true.shape}."
        )
    if not np.isfinite(logits).all():
        raise ValueError("`logits` must be finite, got NaN or infinity. Train the model again.")
    if true.min() < 0 or true.max() >= logits.shape[1]:
        raise ValueError(
            f"`true` must be class indices below {logits.shape[1]}, got {true.min()} to"
            f" {true.max()}. Leave out discs that were not graded."
        )
    return logits, true
