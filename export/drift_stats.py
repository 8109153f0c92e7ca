"""Has a sample moved against a reference? Population stability, and two-sample tests.

The population stability index (PSI) is the symmetric Kullback-Leibler divergence of two binned
shares, sum((a - e) * ln(a / e)). Below 0.1 is called stable and from 0.25 on moved: a convention of
credit scoring (Siddiqi 2006, "Credit Risk Scorecards"; Yurdakul 2018, "Statistical Properties of
Population Stability Index"). The index of small samples is large by chance, so a test stands beside
it.
"""

import dataclasses

import numpy as np
from scipy import stats

SLIGHT, LARGE = 0.1, 0.25  # PSI from which something moved a little, and much
_NUM_BINS = 10
_EMPTY = 0.5  # rows that stand for none


@dataclasses.dataclass(frozen=True)
class Moved:
    """How far one measure of a sample is from the reference.

    Attributes:
        psi: Population stability index.
        statistic: Kolmogorov-Smirnov's, or Cramer's V of a mix of classes.
        p: P-value of the test, not corrected.
    """

    psi: float
    statistic: float
    p: float


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How many independent draws two samples are worth.

    The discs of one scan are alike, so they are counted as one: the tests are then rather too
    careful than too bold.
    """

    reference: float
    sample: float


def psi(expected: np.ndarray, actual: np.ndarray) -> float:
    """Returns the population stability index of counts.

    Args:
        expected: [bins] counts of the reference.
        actual: [bins] counts of the sample.

    Returns:
        The index; a bin that is empty in one of them counts as half a row there.
    """
    both = np.stack([expected, actual]).astype(float)
    both = both[:, both.any(0)]
    e, a = np.maximum(both, _EMPTY) / both.sum(1, keepdims=True)
    return float(np.sum((a - e) * np.log(a / e)))


def edges(reference: np.ndarray) -> np.ndarray:
    """Returns the inner edges of bins that hold a tenth of the reference [n] each.

    Where values come often, there are fewer.
    """
    return np.unique(np.quantile(reference, np.arange(1, _NUM_BINS) / _NUM_BINS))


def of_numbers(reference: np.ndarray, sample: np.ndarray, sizes: Sizes) -> Moved:
    """Compares numbers: PSI in the reference's deciles, and Kolmogorov-Smirnov's test.

    Args:
        reference: [n].
        sample: [m].
        sizes: What they are worth.
    """
    inner = edges(reference)
    counts = [
        np.bincount(np.searchsorted(inner, values, "right"), minlength=len(inner) + 1)
        for values in (reference, sample)
    ]
    statistic = float(stats.ks_2samp(reference, sample, method="asymp").statistic)
    effective = sizes.reference * sizes.sample / (sizes.reference + sizes.sample)
    p = stats.kstwo.sf(statistic, max(1, round(effective)))
    return Moved(psi(*counts), statistic, float(p))


def of_classes(reference: np.ndarray, sample: np.ndarray, sizes: Sizes) -> Moved:
    """Compares a mix of classes: PSI, and the chi-square test.

    Args:
        reference: [classes] counts.
        sample: [classes] counts.
        sizes: What they are worth; the test is of as many rows.
    """
    there = (reference + sample) > 0
    counts = np.stack([reference[there], sample[there]]).astype(float)
    if counts.shape[1] < 2:
        return Moved(0.0, 0.0, 1.0)
    worth = np.array([[sizes.reference], [sizes.sample]])
    counts_worth = counts / counts.sum(1, keepdims=True) * worth
    found = stats.chi2_contingency(counts_worth, correction=False)
    cramer = np.sqrt(found.statistic / counts_worth.sum())
    return Moved(psi(*counts), float(cramer), float(found.pvalue))
