"""True columns, and what a detector that errs would make of them."""

import dataclasses
import functools

import numpy as np

from data_prep import convert_spider_lib
from spine_tf.detection import candidates, column_geometry, label_calibration, label_parameters
from spine_tf.phantom import anatomy, cohort

_CORNER_ERROR_MM = 1.0
_ROTATION_DEG = 3.0  # of a patient on the table
_NETWORK_RIGHT = 0.85  # share of columns in which a simulated network is not off by one
_OPINION = (0.07, 0.86, 0.07)  # of a simulated network for a level and its neighbours
_MISSED = 0.02
_ORDINARY = label_parameters.ROLES


@dataclasses.dataclass(frozen=True)
class Truth:
    """One patient's column.

    Attributes:
        patient: Whose.
        quads: Level name, "S2" too -> [4, 3] LPS mm.
        foot_edge_mm: z of the lower edge of the image.
    """

    patient: str
    quads: dict[str, np.ndarray]
    foot_edge_mm: float


@dataclasses.dataclass(frozen=True)
class Errors:
    """What goes wrong in one scenario.

    Attributes:
        lost: Levels whose body is not found.
        lost_discs: Names of bodies whose disc below is not found.
        with_s2: Whether S2 is found as a body.
        sacral_disc: Length of the disc found below S1, in widths of S1; 0 for none.
        num_false: Candidates that are no bodies.
        square_s1: Whether S1 is as square as a lumbar body.
        collapsed: Whether nothing is left of the L5/S1 disc.
        cut_below: The image ends below this level.
        num_lumbar: 4 and 6 take L3 out or put it in twice.
    """

    lost: tuple[str, ...] = ()
    lost_discs: tuple[str, ...] = ()
    with_s2: bool = False
    sacral_disc: float = 0.0
    num_false: int = 0
    square_s1: bool = False
    collapsed: bool = False
    cut_below: str = ""
    num_lumbar: int = 5


SCENARIOS = {
    "nothing goes wrong": Errors(),
    "S2 found as a body": Errors(with_s2=True),
    "S2 found, remnant disc below S1": Errors(with_s2=True, sacral_disc=0.4),
    "S2 found, full disc below S1": Errors(with_s2=True, sacral_disc=0.9),
    "L5/S1 disc missed": Errors(lost_discs=("L5",)),
    "L5/S1 disc collapsed and missed, S2 found": Errors(
        lost_discs=("L5",), collapsed=True, with_s2=True
    ),
    "L5 missed": Errors(lost=("L5",), lost_discs=("L4", "L5")),
    "S1 missed": Errors(lost=("S1",)),
    "S1 missed, S2 found": Errors(lost=("S1",), with_s2=True),
    "S1 and L5/S1 disc missed": Errors(lost=("S1",), lost_discs=("L5",)),
    "L3 missed": Errors(lost=("L3",), lost_discs=("L2", "L3")),
    "two false candidates": Errors(num_false=2),
    "transitional: square S1, full disc below, S2": Errors(
        with_s2=True, sacral_disc=0.9, square_s1=True
    ),
    "cut below L5": Errors(lost=("S1",), cut_below="L5"),
    "cut below L4": Errors(lost=("L5", "S1"), lost_discs=("L4",), cut_below="L4"),
    "4 lumbar": Errors(num_lumbar=4),
    "6 lumbar": Errors(num_lumbar=6),
}


def spider_columns(input_dir: str, phantoms: list[Truth]) -> list[Truth]:
    """Returns the quads of a SPIDER folder, one column per patient, where S1 is known.

    Args:
        input_dir: A SPIDER folder with sacrum.json.
        phantoms: S2, which nobody marked, is put below S1 as it lies in these, in turn.
    """
    inputs = convert_spider_lib.Inputs(input_dir=input_dir)
    columns = []
    requests = convert_spider_lib.plan(inputs, b"not kept").requests
    for number, request in enumerate(requests):
        scan, annotation = convert_spider_lib.load(request)
        quads = {v.level.value: v.corners_mm for v in annotation.vertebrae}
        if "S1" in quads:
            quads["S2"] = _transplant(phantoms[number % len(phantoms)], quads["S1"])
        edge_mm = float(scan.affine[2, 3] + scan.affine[2, 1] * (scan.array.shape[1] - 1))
        columns.append(Truth(str(number), quads, edge_mm))
    return columns


def phantom_columns(seed: int, count: int) -> list[Truth]:
    """Returns the quads of `count` phantoms, T9 to S2, each turned a little."""
    config = cohort.CohortConfig(num_subjects=count, seed=seed)
    columns = []
    for index in range(count):
        spine = cohort.laid_out_spine(config, index, 0)
        angle = np.random.default_rng([seed, index]).normal(0, np.radians(_ROTATION_DEG))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        quads = {}
        for name in anatomy.RENDERED[: anatomy.RENDERED.index("S2") + 1]:
            corners = spine.corners_mm(anatomy.RENDERED.index(name)) @ turn.T
            quads[name] = np.concatenate([np.zeros((4, 1)), corners], axis=1)
        edge_mm = float(quads["S2"][:, 2].mean())
        columns.append(Truth(f"phantom-{seed}-{index}", quads, edge_mm))
    return columns


def _frame(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Middle of the lower edge, axes [2, 3] along it and towards the foot, and width of S1."""
    edge = quad[2] - quad[3]
    along = edge / np.linalg.norm(edge)
    foot = np.array([0.0, along[2], -along[1]])
    return quad[[2, 3]].mean(axis=0), np.stack([along, foot]), float(np.linalg.norm(edge))


def _transplant(phantom: Truth, s1: np.ndarray) -> np.ndarray:
    """A phantom's S2, in the frame of another S1."""
    origin, axes, width = _frame(phantom.quads["S1"])
    flat = (phantom.quads["S2"] - origin) @ axes.T / width
    origin, axes, width = _frame(s1)
    return origin + flat * width @ axes


def simulate(
    truth: Truth, errors: Errors, network: bool, seed: tuple[int, ...]
) -> label_calibration.Column:
    """Returns what a detector with these errors finds of a column.

    Args:
        truth: The column.
        errors: What goes wrong besides small errors of corners and a missed body now and then.
        network: Whether the network has opinions on levels; else it prefers nothing.
        seed: Of the random errors.
    """
    rng = np.random.default_rng(list(seed))
    quads, foot_mm = _changed(truth, errors)
    shift = 0 if rng.random() < _NETWORK_RIGHT else int(rng.choice([-1, 1]))
    lost = set(errors.lost) | ({"S2"} if not errors.with_s2 else set())
    found, names = [], []
    for name, quad in quads.items():
        is_random_miss = name not in ("L5", "S1", "S2") and rng.random() < _MISSED
        if name in lost or is_random_miss or quad[:, 2].min() < foot_mm:
            continue
        opinion = _opinion(name, shift, errors.num_lumbar) if network else _flat()
        moved = quad + np.pad(rng.normal(0, _CORNER_ERROR_MM, (4, 2)), ((0, 0), (1, 0)))
        found.append(candidates.Candidate(moved, (0, 0), float(rng.beta(12, 1)), opinion))
        names.append(name)
    for _ in range(errors.num_false):
        found.append(_false_candidate(quads, rng))
        names.append(None)
    order = np.argsort([-candidate.center_mm[2] for candidate in found])
    return label_calibration.Column(
        tuple(found[i] for i in order),
        tuple(names[i] for i in order),
        tuple(_discs(quads, errors, rng, foot_mm)),
        foot_mm,
    )


def _changed(truth: Truth, errors: Errors) -> tuple[dict[str, np.ndarray], float]:
    """The quads, head to foot, of a changed anatomy, and where the image ends."""
    quads = {name: truth.quads[name] for name in candidates.LEVELS if name in truth.quads}
    if errors.num_lumbar != 5:
        quads = _spliced(quads, errors.num_lumbar)
    if errors.square_s1 and "S1" in quads:
        s1 = quads["S1"].copy()
        s1[[3, 2]] = s1[[0, 1]] + (s1[[3, 2]].mean(axis=0) - s1[[0, 1]].mean(axis=0))
        quads["S1"] = s1
    if errors.collapsed and {"L5", "S1"} <= set(quads):
        gap = quads["S1"][[0, 1]].mean(axis=0) - quads["L5"][[3, 2]].mean(axis=0)
        quads |= {name: quads[name] - 0.85 * gap for name in ("S1", "S2") if name in quads}
    if errors.cut_below:
        return quads, float(quads[errors.cut_below][:, 2].min() - 2.0)
    return quads, min(truth.foot_edge_mm, min(q[:, 2].min() for q in quads.values()) - 1.0)


def _spliced(quads: dict[str, np.ndarray], num_lumbar: int) -> dict[str, np.ndarray]:
    """4: L3 is taken out. 6: L3 is there twice. What is above moves, and takes its true name."""
    step = quads["L2"].mean(axis=0) - quads["L3"].mean(axis=0)
    extra = num_lumbar - 5
    spliced = {
        name: quad + extra * step for name, quad in quads.items() if name < "L3" or name > "S"
    }
    above = {n: q for n, q in spliced.items() if n[0] != "S"}
    if extra > 0:
        above["L3"] = quads["L3"] + step
    lower = ("L3", "L4", "L5") if extra > 0 else ("L4", "L5")
    below = {f"L{int(name[1]) + extra}": quads[name] for name in lower}
    return above | below | {name: quads[name] for name in ("S1", "S2") if name in quads}


def _opinion(name: str, shift: int, num_lumbar: int) -> np.ndarray:
    """What a network says that learned from columns of 5, and so counts 5 from the sacrum up."""
    places = {level: place for place, level in enumerate(_ORDINARY)} | {"L6": _ORDINARY.index("S1")}
    place = places[name] + shift + (0 if name[0] == "S" else 5 - num_lumbar)
    probability = np.full(len(candidates.LEVELS), 1e-3)
    for offset, share in zip((-1, 0, 1), _OPINION, strict=True):
        at = int(np.clip(place + offset, 0, len(_ORDINARY) - 1))
        probability[candidates.LEVELS.index(_ORDINARY[at])] += share
    return np.log(probability / probability.sum())


@functools.cache
def _flat() -> np.ndarray:
    return np.full(len(candidates.LEVELS), -np.log(len(candidates.LEVELS)))


def _false_candidate(quads: dict[str, np.ndarray], rng) -> candidates.Candidate:
    """A body somewhere before, behind or between bodies, a little smaller and turned."""
    name = rng.choice([name for name in quads if name != "S2"])
    quad = quads[str(name)]
    centre = quad.mean(axis=0)
    shape = (quad - centre) * rng.uniform(0.4, 0.9, (1, 3))
    offset = np.array([0.0, rng.normal(0, 12), rng.uniform(-18, 18)])
    return candidates.Candidate(centre + shape + offset, (0, 0), float(rng.beta(3, 4)), _flat())


def _discs(quads: dict[str, np.ndarray], errors: Errors, rng, foot_mm: float) -> list:
    names = [name for name in quads if name[0] != "S"] + (["S1"] if "S1" in quads else [])
    discs = []
    for above, below in zip(names, [*names[1:], "S2"], strict=True):
        if below not in quads or above in errors.lost_discs:
            continue
        length = 0.95 if above != "S1" else errors.sacral_disc
        floor, roof = quads[above][[3, 2]], quads[below][[0, 1]]
        centre = np.mean([floor, roof], axis=(0, 1))
        if length and centre[2] > foot_mm and rng.random() > _MISSED:
            width = column_geometry.widths_mm(quads[above][np.newaxis])[0]
            height = float(np.linalg.norm(roof.mean(axis=0) - floor.mean(axis=0)))
            centre = centre + np.append(0.0, rng.normal(0, 1, 2))
            discs.append(
                candidates.DiscCandidate(centre, height, length * width, float(rng.beta(12, 1)))
            )
    return discs
