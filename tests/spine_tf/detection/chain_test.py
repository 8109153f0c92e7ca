import itertools

import numpy as np
import pytest
from scipy.special import logsumexp

from spine_tf.detection import chain


def _random_chain(seed, num_candidates, num_places, num_steps=2):
    rng = np.random.default_rng([seed, num_candidates, num_places])
    n, k = num_candidates, num_places
    pair = rng.normal(0, 2, (n, n, num_steps, k))
    pair[rng.random(pair.shape) < 0.2] = -np.inf
    return chain.Chain(
        unary=rng.normal(0, 2, (n, k)),
        skip=rng.normal(-1, 1, n),
        pair=pair,
        start=rng.normal(0, 1, (n, k)),
        end=rng.normal(0, 1, (n, k)),
    )


def _all_labellings(num_candidates, num_places):
    """Every labelling, the forbidden ones too."""
    return itertools.product(range(-1, num_places), repeat=num_candidates)


def _score_by_hand(of, labelling):
    named = [(i, place) for i, place in enumerate(labelling) if place >= 0]
    total = sum(of.skip[i] for i, place in enumerate(labelling) if place < 0)
    total += sum(of.unary[i, place] for i, place in named)
    for (j, before), (i, after) in itertools.pairwise(named):
        if not 1 <= after - before <= of.pair.shape[2]:
            return -np.inf
        total += of.pair[j, i, after - before - 1, after]
    if named:
        total += of.start[named[0]] + of.end[named[-1]]
    return total


_SIZES = [(1, 1), (1, 4), (2, 3), (3, 2), (4, 4), (5, 5)]


@pytest.mark.parametrize("num_candidates, num_places", _SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_best_equals_brute_force(num_candidates, num_places, seed):
    of = _random_chain(seed, num_candidates, num_places)
    every = list(_all_labellings(num_candidates, num_places))
    scores = [_score_by_hand(of, labelling) for labelling in every]
    labelling, score = chain.best(of)
    assert tuple(labelling) == every[int(np.argmax(scores))]
    assert score == pytest.approx(max(scores))
    assert chain.score(of, labelling) == pytest.approx(score)


@pytest.mark.parametrize("num_candidates, num_places", _SIZES)
@pytest.mark.parametrize("seed", range(4))
def test_marginals_equal_brute_force(num_candidates, num_places, seed):
    of = _random_chain(seed, num_candidates, num_places)
    every = np.array(list(_all_labellings(num_candidates, num_places)))
    scores = np.array([_score_by_hand(of, labelling) for labelling in every])
    found, log_sum = chain.marginals(of)
    assert log_sum == pytest.approx(logsumexp(scores))
    weights = np.exp(scores - logsumexp(scores))
    for place in [*range(num_places), -1]:
        expected = weights @ (every == place)
        np.testing.assert_allclose(np.exp(found[:, place]), expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_is_monotone_and_names_nothing_twice(seed):
    labelling, _ = chain.best(_random_chain(seed, 9, 12))
    named = labelling[labelling >= 0]
    assert np.all(np.diff(named) >= 1) and np.all(np.diff(named) <= 2)


@pytest.mark.parametrize("seed", range(5))
def test_probabilities_sum_to_one(seed):
    found, _ = chain.marginals(_random_chain(seed, 8, 10))
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-9)


def test_all_may_be_none():
    of = chain.Chain(
        unary=np.full((2, 3), -9.0),
        skip=np.array([-0.5, -0.25]),
        pair=np.zeros((2, 2, 1, 3)),
        start=np.zeros((2, 3)),
        end=np.zeros((2, 3)),
    )
    labelling, score = chain.best(of)
    assert labelling.tolist() == [-1, -1] and score == -0.75


def test_score_of_a_labelling_worked_out_by_hand():
    of = chain.Chain(
        unary=np.arange(6.0).reshape(2, 3),  # candidate 1: 3, 4, 5
        skip=np.array([-1.0, -2.0]),
        pair=np.full((2, 2, 1, 3), 0.5),
        start=np.full((2, 3), 0.25),
        end=np.full((2, 3), 0.125),
    )
    assert chain.score(of, np.array([0, 1])) == 0 + 4 + 0.5 + 0.25 + 0.125
    assert chain.score(of, np.array([-1, 2])) == -1 + 5 + 0.25 + 0.125
    assert chain.score(of, np.array([0, 2])) == -np.inf  # one step only
    assert chain.score(of, np.array([1, 1])) == -np.inf
