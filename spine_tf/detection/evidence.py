"""What speaks for every labelling of a column: shapes, the network, discs, the field of view.

Every number is a natural logarithm of a likelihood ratio against "any quad". For 4, 5 and 6
lumbar vertebrae there is one chain of places each. A place has a role: where it lies in an ordinary
column, T9 = 0 to S2 = 10. The last two lumbar bodies look like L4 and L5 whatever their number;
those above stretch between T12 and L4, so roles between whole numbers are interpolated.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import stats

from spine_tf.detection import candidates, chain, column_geometry, label_parameters

_ROLES = label_parameters.ROLES
_T12, _L4, _L5, _S1, _S2 = (_ROLES.index(name) for name in ("T12", "L4", "L5", "S1", "S2"))
_ABOVE = 3  # places above T9, which have no name
_DEGREES = 5.0  # of freedom of Student's t: sick discs and bodies are no normal deviations
_LEAST_SCORE = 0.02  # no candidate is certain, nor impossible
_LEAST_OPINION = 1e-4
_DISC_REACH = 0.35  # median spacings between a disc and where it should be
_LEAST_ROOM = 0.6  # median spacings that one more body takes at least; S1 lies aslant
_BODIES_UNSEEN = 2  # how many missed bodies below the last one count if the view is not known


@dataclasses.dataclass(frozen=True)
class Places:
    """The places of one hypothesis, head to foot.

    Attributes:
        names: The level at each place, None above T9 and below S2.
        roles: [k] where each lies in an ordinary column.
    """

    names: tuple[str | None, ...]
    roles: np.ndarray


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What speaks for one hypothesis, before it is weighed; see `chain.Chain` for the axes.

    Attributes:
        places: Of the hypothesis.
        body: [n, k] shapes of bodies.
        pair: [n, n, steps, k] shapes of what lies between.
        network: [n, k] the network's opinion.
        discs: [n, k] whether a disc lies below.
        slots_below: [n] how many bodies have room below each in the field of view.
        score: [n] that each is a body.
    """

    places: Places
    body: np.ndarray
    pair: np.ndarray
    network: np.ndarray
    discs: np.ndarray
    slots_below: np.ndarray
    score: np.ndarray


def places(num_lumbar: int) -> Places:
    """Returns the places of a column with 4, 5 or 6 lumbar vertebrae."""
    thoracic = [(name, float(role)) for role, name in enumerate(_ROLES[: _T12 + 1])]
    step = (_L4 - _T12) / (num_lumbar - 1)
    lumbar = [(f"L{j}", _T12 + j * step) for j in range(1, num_lumbar)]
    last = [(f"L{num_lumbar}", float(_L5)), ("S1", float(_S1)), ("S2", float(_S2))]
    every = [(None, 0.0)] * _ABOVE + thoracic + lumbar + last + [(None, float(_S2))]
    names, roles = zip(*every, strict=True)
    return Places(names, np.array(roles))


def gather(
    found: Sequence[candidates.Candidate],
    discs: Sequence[candidates.DiscCandidate],
    parameters: label_parameters.Parameters,
    foot_edge_mm: float | None = None,
) -> list[Evidence]:
    """Measures a column once for every hypothesis.

    Args:
        found: Two candidates or more, from head to foot.
        discs: Discs; none at all says nothing.
        parameters: Shapes and settings.
        foot_edge_mm: z of the lower edge of the field of view; None if it is not known.

    Returns:
        Evidence for 4, 5 and 6 lumbar vertebrae.
    """
    corners_mm = np.stack([candidate.corners_mm for candidate in found])
    spacing_mm = column_geometry.median_spacing_mm(corners_mm)
    below = _discs_below(corners_mm, discs, spacing_mm, parameters.settings.remnant_fraction)
    opinion = np.stack([candidate.level_log_probability for candidate in found])
    tables = _ShapeTables(corners_mm, spacing_mm, parameters.shapes)
    evidence = []
    for number in label_parameters.NUMBERS_OF_LUMBAR:
        here = places(number)
        evidence.append(
            Evidence(
                places=here,
                body=tables.body(here.roles),
                pair=tables.pair(here.roles),
                network=_network(opinion, here),
                discs=_disc_evidence(below, here.roles, parameters.settings),
                slots_below=_slots_below(corners_mm, spacing_mm, foot_edge_mm),
                score=np.array([candidate.score for candidate in found]),
            )
        )
    return evidence


def weigh(evidence: Evidence, settings: label_parameters.Settings) -> chain.Chain:
    """Returns the chain of one hypothesis: all evidence, weighed and added."""
    score = np.clip(evidence.score, _LEAST_SCORE, 1 - _LEAST_SCORE)
    log_missed = np.log(settings.missed)
    steps = np.arange(label_parameters.MAX_STEPS)[:, np.newaxis]
    to_sacrum = np.maximum(evidence.places.names.index("S1") - np.arange(len(evidence.body[0])), 0)
    return chain.Chain(
        unary=settings.geometry_weight * evidence.body
        + settings.network_weight * evidence.network
        + evidence.discs
        + np.log(score)[:, np.newaxis],
        skip=np.log(1 - score),
        pair=settings.geometry_weight * evidence.pair + log_missed * steps,
        start=np.zeros_like(evidence.body),
        end=log_missed * np.minimum(evidence.slots_below[:, np.newaxis], to_sacrum),
    )


class _ShapeTables:
    """Likelihood ratios of the shapes of one column, each role computed once."""

    def __init__(self, corners_mm, spacing_mm: float, shapes: label_parameters.Shapes):
        self._shapes = shapes
        self._bodies = column_geometry.body_features(corners_mm)
        self._pairs = column_geometry.pair_features(corners_mm, spacing_mm)
        self._any_body = _log_t(
            self._bodies, shapes.background_body_mean, shapes.background_body_covariance
        )
        self._any_pair = _log_t(
            self._pairs, shapes.background_pair_mean, shapes.background_pair_covariance
        )
        self._known = {}

    def body(self, roles: np.ndarray) -> np.ndarray:
        """[n, k] bodies at roles."""
        return np.stack([self._of_body(role) for role in roles], axis=1)

    def pair(self, roles: np.ndarray) -> np.ndarray:
        """[n, n, steps, k] pairs that end at roles."""
        steps = range(label_parameters.MAX_STEPS)
        every = [[self._of_pair(step, role) for role in roles] for step in steps]
        return np.moveaxis(np.array(every), (0, 1), (2, 3))

    def _of_body(self, role: float) -> np.ndarray:
        if role not in self._known:
            mean = _between(self._shapes.body_mean, role)
            covariance = _between(self._shapes.body_covariance, role)
            self._known[role] = _log_t(self._bodies, mean, covariance) - self._any_body
        return self._known[role]

    def _of_pair(self, step: int, role: float) -> np.ndarray:
        if (step, role) not in self._known:
            mean = _between(self._shapes.pair_mean[step], role)
            covariance = _between(self._shapes.pair_covariance[step], role)
            self._known[step, role] = _log_t(self._pairs, mean, covariance) - self._any_pair
        return self._known[step, role]


def _log_t(values: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Log density of Student's t with this mean and covariance, at values [..., d]."""
    scale = covariance * (_DEGREES - 2) / _DEGREES
    flat = stats.multivariate_t(mean, scale, _DEGREES).logpdf(values.reshape(-1, len(mean)))
    return np.reshape(flat, values.shape[:-1])


def _between(table: np.ndarray, role: float) -> np.ndarray:
    """The row of a table [roles, ...] at a role, interpolated."""
    upper = min(int(role), len(table) - 2)
    share = role - upper
    return (1 - share) * table[upper] + share * table[upper + 1]


def _network(opinion: np.ndarray, here: Places) -> np.ndarray:
    """[n, k] the network's opinion against one that prefers nothing.

    A network that never saw a sixth lumbar vertebra names bodies by their looks, one that did by
    their names. Either may be meant, so a place gets the mean of both.
    """
    probability = np.exp(opinion) / np.exp(opinion).sum(axis=1, keepdims=True)
    by_role = probability[:, [candidates.LEVELS.index(name) for name in _ROLES]].T
    columns = []
    for name, role in zip(here.names, here.roles, strict=True):
        looks = _between(by_role, role)
        named = probability[:, candidates.LEVELS.index(name)] if name else looks
        columns.append((looks + named) / 2)
    floored = np.maximum(np.stack(columns, axis=1), _LEAST_OPINION)
    return np.log(floored * len(candidates.LEVELS))


def _discs_below(corners_mm, discs, spacing_mm: float, remnant_fraction: float) -> np.ndarray:
    """[n] score of the disc of full length below each body, 0 for none; NaN without any disc."""
    if not discs:
        return np.full(len(corners_mm), np.nan)
    slots = _disc_slots_mm(corners_mm, spacing_mm)
    centres = np.stack([disc.center_mm for disc in discs])
    is_near = np.linalg.norm(slots[:, np.newaxis] - centres, axis=2) < _DISC_REACH * spacing_mm
    least_mm = remnant_fraction * float(np.median(column_geometry.widths_mm(corners_mm)))
    scores = np.array([disc.score if disc.length_mm >= least_mm else 0.0 for disc in discs])
    return np.max(is_near * scores, axis=1)


def _disc_slots_mm(corners_mm: np.ndarray, spacing_mm: float) -> np.ndarray:
    """[n, 3] where the disc below each body should lie: at its lower endplate or half way down."""
    floor = corners_mm[:, [3, 2]].mean(axis=1)
    slots = floor + 0.15 * spacing_mm * column_geometry.towards_foot(corners_mm)
    roof = corners_mm[1:, [0, 1]].mean(axis=1)
    is_next = np.linalg.norm(roof - floor[:-1], axis=1) < 0.6 * spacing_mm
    slots[:-1][is_next] = ((floor[:-1] + roof) / 2)[is_next]
    return slots


def _disc_evidence(below: np.ndarray, roles: np.ndarray, settings) -> np.ndarray:
    """[n, k] how well a disc below fits each place."""
    expected = np.full(len(roles), settings.disc_found)
    expected[roles > _L4] = settings.last_disc_found
    expected[roles > _L5] = settings.sacral_disc_found
    seen = below[:, np.newaxis]
    ratio = np.log(2 * (seen * expected + (1 - seen) * (1 - expected)))
    return np.where(np.isnan(ratio), 0.0, ratio)


def _slots_below(corners_mm, spacing_mm: float, foot_edge_mm: float | None) -> np.ndarray:
    """[n] how many further bodies fit whole between each body and the lower edge."""
    if foot_edge_mm is None:
        return np.full(len(corners_mm), float(_BODIES_UNSEEN))
    room_mm = corners_mm[:, :, 2].min(axis=1) - foot_edge_mm
    return np.maximum(np.floor(room_mm / (_LEAST_ROOM * spacing_mm)), 0.0)
