"""Names the bodies of a column, or says why it cannot.

One best labelling of the whole column by exact dynamic programming, with hypotheses of 4, 5 and 6
lumbar vertebrae; the probability of a name is its share of all labellings of all hypotheses.
docs/detection_labelling.md says what counts as right and what cannot be known.

Source: methods 2.2 (Viterbi over a column, failure flags).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from spine_tf import levels, vertebrae
from spine_tf.detection import candidates, chain, column_geometry, evidence, label_parameters

_S1 = levels.VertebraLevel.S1.value
_ABOVE_T12 = candidates.LEVELS[: candidates.LEVELS.index(levels.VertebraLevel.T12.value)]
_ORDINARY = 5  # lumbar vertebrae
_IMPOSSIBLE = 1e-300  # has a logarithm


@dataclasses.dataclass(frozen=True)
class Labelling:
    """The names of a column's bodies.

    Attributes:
        names: For each candidate, in the order given: its name in the best labelling, "S2" too,
            or None for no vertebra, one above T9, or a doubtful one above T12. It is a guess where
            `status` is unknown.
        probabilities: [n] the probability of each name, or of None.
        given_number: [n] the same if there are `num_lumbar` lumbar vertebrae: whether the column
            may be shifted, apart from how many there are.
        marginals: [n, len(candidates.LEVELS) + 1] of every name, the last of None.
        num_lumbar: Of the best labelling.
        lumbar_probability: [3] of 4, 5 and 6 lumbar vertebrae.
        status: `vertebrae.ANSWERED` or `vertebrae.UNKNOWN`.
        reason: Why it is unknown.
    """

    names: tuple[str | None, ...]
    probabilities: np.ndarray
    given_number: np.ndarray
    marginals: np.ndarray
    num_lumbar: int
    lumbar_probability: np.ndarray
    status: str
    reason: str = ""


def label(
    found: Sequence[candidates.Candidate],
    discs: Sequence[candidates.DiscCandidate] = (),
    parameters: label_parameters.Parameters | None = None,
    foot_edge_mm: float | None = None,
    out_of_domain: str = "",
) -> Labelling:
    """Names the bodies of one volume.

    Args:
        found: Candidates for bodies, in any order.
        discs: Candidates for discs; none at all says nothing.
        parameters: Shapes, priors and limits; None takes those of the package.
        foot_edge_mm: z of the lower edge of the field of view; None if it is not known.
        out_of_domain: Why the images are none that the network knows, if they are not.

    Returns:
        The best labelling and its probabilities. It does not depend on the order of `found`.
    """
    parameters = parameters or label_parameters.load()
    if len(found) < 2:
        return _nothing(len(found), out_of_domain, parameters.settings)
    order = np.argsort([-candidate.center_mm[2] for candidate in found], kind="stable")
    column = [found[i] for i in order]
    gathered = evidence.gather(column, discs, parameters, foot_edge_mm)
    best, given, marginals, lumbar = solve(gathered, parameters)
    names, num_lumbar = best
    names = _without_doubtful_top(names, given, parameters.settings)
    here = np.arange(len(column)), [column_of(name) for name in names]
    solved = Labelling(
        names=tuple(names),
        probabilities=marginals[here],
        given_number=given[here],
        marginals=marginals,
        num_lumbar=num_lumbar,
        lumbar_probability=lumbar,
        status=vertebrae.ANSWERED,
    )
    reason = out_of_domain or _doubt(column, discs, solved, parameters.settings)
    back = np.argsort(order)
    return dataclasses.replace(
        solved,
        names=tuple(names[i] for i in back),
        probabilities=solved.probabilities[back],
        given_number=solved.given_number[back],
        marginals=marginals[back],
        status=vertebrae.UNKNOWN if reason else vertebrae.ANSWERED,
        reason=reason,
    )


def annotate(
    found: Sequence[candidates.Candidate],
    labelling: Labelling,
    series_instance_uid: str | None = None,
    source: str = "",
) -> vertebrae.Annotation:
    """Returns the annotation of a labelled volume.

    An answered one holds the named vertebrae down to S1, with their probabilities. An unknown one
    holds every candidate without a level, each with its score.

    Raises:
        ValueError: If there is no candidate at all.
    """
    is_known = labelling.status == vertebrae.ANSWERED
    chosen = [
        vertebrae.Vertebra(
            level=levels.VertebraLevel(name) if is_known else None,
            corners_mm=candidate.corners_mm,
            slice_range=candidate.slice_range,
            probability=float(probability if is_known else candidate.score),
        )
        for candidate, name, probability in zip(
            found, labelling.names, labelling.probabilities, strict=True
        )
        if not is_known or name not in (None, candidates.BELOW_S1)
    ]
    return vertebrae.Annotation(
        vertebrae=tuple(chosen),
        series_instance_uid=series_instance_uid,
        source=source,
        status=labelling.status,
        reason=labelling.reason,
    )


def solve(
    gathered: Sequence[evidence.Evidence], parameters: label_parameters.Parameters
) -> tuple[tuple[list[str | None], int], np.ndarray, np.ndarray, np.ndarray]:
    """Solves a column, head to foot, for all hypotheses.

    Args:
        gathered: Of 4, 5 and 6 lumbar vertebrae, see `evidence.gather`.
        parameters: Priors and weights.

    Returns:
        The best names [n] and their number of lumbar vertebrae; the marginals [n, levels + 1] (see
        `Labelling`) given that number, and over all numbers; and the probabilities [3] of these.
    """
    chains = [evidence.weigh(each, parameters.settings) for each in gathered]
    solved = [chain.marginals(each) for each in chains]
    log_sums = np.array([log_sum for _, log_sum in solved])
    log_prior = np.log(np.maximum(parameters.lumbar_prior, _IMPOSSIBLE))
    log_lumbar = log_prior + parameters.settings.number_weight * (log_sums - log_sums.max())
    lumbar = np.exp(log_lumbar - logsumexp(log_lumbar))
    given = [
        _by_level(np.exp(log_marginals), each.places.names)
        for (log_marginals, _), each in zip(solved, gathered, strict=True)
    ]
    winner = int(np.argmax(lumbar))
    places, _ = chain.best(chains[winner])
    names = gathered[winner].places.names
    best = [names[place] if place >= 0 else None for place in places]
    number = label_parameters.NUMBERS_OF_LUMBAR[winner]
    return (best, number), given[winner], np.tensordot(lumbar, given, 1), lumbar


def _without_doubtful_top(names, given: np.ndarray, settings) -> list[str | None]:
    """Takes the names of bodies above T12 from the lowest doubtful one up.

    Nothing is counted from them, so a body that the scan shows in part does not spoil the rest.
    """
    doubtful = [
        i
        for i, name in enumerate(names)
        if name in _ABOVE_T12 and given[i, column_of(name)] < settings.min_probability
    ]
    first = max(doubtful, default=-1) + 1
    return [*[None] * first, *names[first:]]


def column_of(name: str | None) -> int:
    """Returns the column of a name in the marginals."""
    return len(candidates.LEVELS) if name is None else candidates.LEVELS.index(name)


def _by_level(by_place: np.ndarray, names: Sequence[str | None]) -> np.ndarray:
    """[n, levels + 1] the marginals of places [n, k + 1], summed by their names."""
    summed = np.zeros((len(by_place), len(candidates.LEVELS) + 1))
    for place, name in enumerate((*names, None)):
        summed[:, column_of(name)] += by_place[:, place]
    return summed


def _nothing(number: int, out_of_domain: str, settings) -> Labelling:
    """What is said of no candidate or a single one."""
    columns = len(candidates.LEVELS) + 1
    marginals = np.zeros((number, columns))
    marginals[:, -1] = 1.0
    return Labelling(
        names=(None,) * number,
        probabilities=np.ones(number),
        given_number=np.ones(number),
        marginals=marginals,
        num_lumbar=5,
        lumbar_probability=np.full(3, 1 / 3),
        status=vertebrae.UNKNOWN,
        reason=out_of_domain or _too_few(number, settings),
    )


def _too_few(number: int, settings) -> str:
    return (
        f"too few vertebral bodies were found: {number}, at least {settings.min_bodies} are needed"
    )


def _doubt(column, discs, solved: Labelling, settings) -> str:
    """Why a column, head to foot, cannot be named; "" if it can."""
    names = {
        i: name
        for i, name in enumerate(solved.names)
        if name is not None and name != candidates.BELOW_S1
    }
    named = list(names)
    if len(named) < settings.min_bodies:
        return _too_few(len(named), settings)
    score = float(np.mean([column[i].score for i in named]))
    if score < settings.min_mean_score:
        return f"the network's mean score is {score:.2f}, below {settings.min_mean_score:g}"
    corners_mm = np.stack([column[i].corners_mm for i in named])
    return (
        _spacing_doubt(corners_mm, list(names.values()), solved.num_lumbar, settings)
        or _sacrum_doubt(column, discs, solved, settings)
        or _probability_doubt(solved, named, settings)
    )


def _spacing_doubt(corners_mm: np.ndarray, names: Sequence[str], num_lumbar: int, settings) -> str:
    centres = corners_mm.mean(axis=1)
    order = evidence.places(num_lumbar).names
    steps = np.diff([order.index(name) for name in names])
    distances = np.linalg.norm(np.diff(centres, axis=0), axis=1) / steps
    relative = distances / np.median(distances)
    is_odd = (relative < settings.least_spacing) | (relative > settings.most_spacing)
    for i in np.flatnonzero(is_odd).tolist():
        return (
            f"implausible spacing: {names[i]} and {names[i + 1]} would be {relative[i]:.2f} times"
            " the median distance apart"
        )
    return ""


def _sacrum_doubt(column, discs, solved: Labelling, settings) -> str:
    """Whether S1 is missing, or may be a lumbar body (Wigh 1980, O'Driscoll 1996)."""
    if _S1 not in solved.names:
        return "no sacrum was found in the field of view, so there is nothing to count from"
    s1 = column[solved.names.index(_S1)]
    edges = np.linalg.norm(
        s1.corners_mm[[1, 2]] - s1.corners_mm[[0, 3]], axis=1
    )  # upper and lower endplate
    is_square = edges[0] < settings.square_ratio * edges[1]
    if is_square and _has_disc_below(s1, discs, settings):
        return (
            "the lumbosacral junction may be transitional: the first sacral body is square and a"
            " well-formed disc lies below it"
        )
    return ""


def _has_disc_below(body: candidates.Candidate, discs, settings) -> bool:
    corners_mm = body.corners_mm[np.newaxis]
    width_mm = column_geometry.widths_mm(corners_mm)[0]
    floor_mm = body.corners_mm[[3, 2]].mean(axis=0)
    reach_mm = column_geometry.heights_mm(corners_mm)[0] / 2
    return any(
        disc.score >= 0.5
        and disc.length_mm >= settings.remnant_fraction * width_mm
        and np.linalg.norm(disc.center_mm - floor_mm) < reach_mm
        for disc in discs
    )


def _probability_doubt(solved: Labelling, named: Sequence[int], settings) -> str:
    """Names the readings that are too near each other: of the whole column, or of its number."""
    worst = min(named, key=lambda i: solved.given_number[i])
    if solved.given_number[worst] < settings.min_probability:
        first, second = np.argsort(-solved.marginals[worst])[:2]
        names = (*candidates.LEVELS, "no vertebra")
        return (
            f"a tie: the body taken for {solved.names[worst]} is"
            f" {names[first]} ({solved.marginals[worst, first]:.2f}) or"
            f" {names[second]} ({solved.marginals[worst, second]:.2f})"
        )
    is_five = solved.num_lumbar == _ORDINARY
    least = settings.min_number_probability if is_five else settings.min_other_number_probability
    if solved.lumbar_probability.max() < least:
        numbers = zip(label_parameters.NUMBERS_OF_LUMBAR, solved.lumbar_probability, strict=True)
        shares = ", ".join(f"{number} ({share:.2f})" for number, share in numbers)
        return f"the number of lumbar vertebrae is not clear: {shares}"
    return ""
