"""Exact dynamic programming over a column: which candidate is which place of a chain.

Candidates run from head to foot. A labelling gives each of them a place of the chain or none;
places grow from head to foot and none is taken twice. Its score is the sum of natural logarithms of
evidence, so that `np.exp` of scores, normalised, are probabilities. With n candidates and k places
the cost is n * n * k * steps, and nothing is pruned.

Source: methods 2.2 (Viterbi over a column); forward-backward as in Rabiner 1989.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Chain:
    """The evidence for every part of a labelling, natural logarithms.

    Attributes:
        unary: [n, k] candidate i is place k.
        skip: [n] candidate i is none.
        pair: [n, n, steps, k] candidate j is followed by candidate i, which is place k, and j is
            place k - 1 - s; index (j, i, s, k). Only j < i counts; -inf forbids.
        start: [n, k] candidate i at place k is the first.
        end: [n, k] candidate i at place k is the last.
    """

    unary: np.ndarray
    skip: np.ndarray
    pair: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Number of candidates and of places."""
        return self.unary.shape


def score(chain: Chain, labelling: np.ndarray) -> float:
    """Returns the score of one labelling; -inf if it is forbidden.

    Args:
        chain: The evidence.
        labelling: [n] place of each candidate, -1 for none.
    """
    named = np.flatnonzero(np.asarray(labelling) >= 0)
    total = float(chain.skip[np.asarray(labelling) < 0].sum())
    if not len(named):
        return total
    places = np.asarray(labelling)[named]
    total += chain.start[named[0], places[0]] + chain.end[named[-1], places[-1]]
    total += chain.unary[named, places].sum()
    for j, i, before, after in zip(named, named[1:], places, places[1:], strict=False):
        step = after - before - 1
        if not 0 <= step < chain.pair.shape[2]:
            return -np.inf
        total += chain.pair[j, i, step, after]
    return float(total)


def best(chain: Chain) -> tuple[np.ndarray, float]:
    """Returns the labelling [n] of the highest score (place, -1 for none), and that score."""
    num_candidates, num_places = chain.shape
    skipped = _skipped(chain)
    reached = np.full(chain.shape, -np.inf)
    origin = np.full((num_candidates, num_places, 2), -1)  # (candidate, place) before
    for i in range(num_candidates):
        ways = _ways(chain, reached, skipped, i)  # [i, steps, k]
        flat = ways.reshape(-1, num_places)
        first = chain.start[i] + skipped[i]
        if len(flat):
            choice = flat.argmax(axis=0)
            come = flat[choice, np.arange(num_places)]
            j, step = np.unravel_index(choice, ways.shape[:2])
            follows = come > first
            origin[i, follows, 0] = j[follows]
            origin[i, follows, 1] = (np.arange(num_places) - 1 - step)[follows]
            first = np.maximum(first, come)
        reached[i] = chain.unary[i] + first
    total = reached + chain.end + (skipped[-1] - skipped[1:])[:, np.newaxis]
    labelling = np.full(num_candidates, -1)
    if not total.size or total.max() <= skipped[-1]:
        return labelling, float(skipped[-1])
    i, place = np.unravel_index(total.argmax(), total.shape)
    highest = float(total[i, place])
    while i >= 0:
        labelling[i] = place
        i, place = origin[i, place]
    return labelling, highest


def marginals(chain: Chain) -> tuple[np.ndarray, float]:
    """Sums over all labellings.

    Returns:
        [n, k + 1] log probability of every place of every candidate, the last one for none; and
        the logarithm of the sum over all labellings.
    """
    skipped = _skipped(chain)
    from_head = _forward(chain, skipped)
    to_foot = _backward(chain, skipped)
    whole = from_head + to_foot
    log_sum = float(np.logaddexp.reduce(_ends(chain, from_head, skipped)))
    named = whole - log_sum
    rest = np.log1p(-np.minimum(np.exp(named).sum(axis=1), 1 - 1e-15))
    return np.concatenate([named, rest[:, np.newaxis]], axis=1), log_sum


def _skipped(chain: Chain) -> np.ndarray:
    """[n + 1] the score of skipping all candidates before each."""
    return np.concatenate([[0.0], np.cumsum(chain.skip)])


def _shifted(values: np.ndarray, num_steps: int) -> np.ndarray:
    """[n, steps, k] the values [n, k] of the places 1, 2 .. `num_steps` before each."""
    shifted = np.full((len(values), num_steps, values.shape[1]), -np.inf)
    for step in range(min(num_steps, values.shape[1] - 1)):
        shifted[:, step, step + 1 :] = values[:, : -step - 1]
    return shifted


def _ways(chain: Chain, reached: np.ndarray, skipped: np.ndarray, i: int) -> np.ndarray:
    """[i, steps, k] the scores of all ways to candidate i from one before it."""
    between = skipped[i] - skipped[1 : i + 1]
    before = _shifted(reached[:i], chain.pair.shape[2])
    return before + chain.pair[:i, i] + between[:, np.newaxis, np.newaxis]


def _forward(chain: Chain, skipped: np.ndarray) -> np.ndarray:
    """[n, k] sums over all that ends in each place, that place included."""
    reached = np.full(chain.shape, -np.inf)
    for i in range(len(reached)):
        come = _ways(chain, reached, skipped, i).reshape(-1, chain.shape[1])
        first = (chain.start[i] + skipped[i])[np.newaxis]
        reached[i] = chain.unary[i] + np.logaddexp.reduce(np.concatenate([first, come]))
    return reached


def _backward(chain: Chain, skipped: np.ndarray) -> np.ndarray:
    """[n, k] sums over all that follows each place, that place left out."""
    num_candidates, num_places = chain.shape
    num_steps = chain.pair.shape[2]
    follow = np.full(chain.shape, -np.inf)
    for j in range(num_candidates - 1, -1, -1):
        ends = (chain.end[j] + skipped[-1] - skipped[j + 1])[np.newaxis]
        after = slice(j + 1, num_candidates)
        between = skipped[after] - skipped[j + 1]
        there = chain.unary[after] + follow[after] + between[:, np.newaxis]
        ways = chain.pair[j, after] + there[:, np.newaxis]  # [m, steps, k]
        here = np.full((*ways.shape[:2], num_places), -np.inf)
        for step in range(min(num_steps, num_places - 1)):
            here[:, step, : -step - 1] = ways[:, step, step + 1 :]
        follow[j] = np.logaddexp.reduce(np.concatenate([ends, here.reshape(-1, num_places)]))
    return follow


def _ends(chain: Chain, from_head: np.ndarray, skipped: np.ndarray) -> np.ndarray:
    """The scores of all ways to end, and of naming nothing."""
    tail = (skipped[-1] - skipped[1:])[:, np.newaxis]
    return np.append((from_head + chain.end + tail).ravel(), skipped[-1])
