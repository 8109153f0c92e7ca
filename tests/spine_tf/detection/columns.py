"""Columns for tests: quads of phantoms, and candidates made of them."""

import functools

import numpy as np

from spine_tf.detection import candidates
from spine_tf.phantom import anatomy, cohort

FLAT = np.full(len(candidates.LEVELS), -np.log(len(candidates.LEVELS)))


@functools.cache
def quads(index, seed=7):
    """Level name -> [4, 3] of one phantom, T9 to S2."""
    spine = cohort.laid_out_spine(cohort.CohortConfig(num_subjects=20, seed=seed), index, 0)
    names = anatomy.RENDERED[: anatomy.RENDERED.index("S2") + 1]
    corners = [spine.corners_mm(anatomy.RENDERED.index(name)) for name in names]
    return {
        name: np.concatenate([np.zeros((4, 1)), flat], axis=1)
        for name, flat in zip(names, corners, strict=True)
    }


def opinion(name, share=0.8):
    """A network that gives `share` to one level."""
    probability = np.full(len(candidates.LEVELS), (1 - share) / (len(candidates.LEVELS) - 1))
    probability[candidates.LEVELS.index(name)] = share
    return np.log(probability)


def found(column, names, score=0.95, share=None):
    """Candidates for some bodies of a column, which the network names right if `share` is given."""
    return [
        candidates.Candidate(
            column[name], (0, 9), score, FLAT if share is None else opinion(name, share)
        )
        for name in names
    ]


def discs(column, names, score=0.95, length=0.95):
    """The discs below some bodies."""
    made = []
    order = list(column)
    for name in names:
        floor, roof = column[name][[3, 2]], column[order[order.index(name) + 1]][[0, 1]]
        width = np.linalg.norm(floor[1] - floor[0])
        made.append(
            candidates.DiscCandidate((floor + roof).mean(axis=0) / 2, 8.0, length * width, score)
        )
    return made
