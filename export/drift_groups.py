"""Which scanner or level moved: groups of scored discs against the training set.

Every group is compared with training discs of the same scanner or level, chosen so that levels and
scanners are mixed as in the group: another mix is told, and is not taken for drift. One scanner
that moved moves the levels, too, and the other way round; so the group that moved most is named
first and taken out, and what is left is judged again, until nothing more moved.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from export import drift_stats
from spine_tf.evaluation import contrasts

ALL, SCANNER, LEVEL = "all", "scanner", "level"
TOO_SMALL, UNMOVED, SLIGHT, MOVED = "too small", "unmoved", "slight", "moved"
GRADES = " grades"  # ending of a measure: the mix of grades of a grading
MIXES = {"mix of levels": "level", "mix of scanners": "scanner"}  # measures of all discs
LEAST_SCANS = 20  # of a group that is judged
LEAST_REFERENCE = 60  # training discs that it is compared with
ALPHA = 0.01  # of all tests of a report together
_COMMON = 0.05  # share of a group from which a level of a scanner counts for its mix
_MOST_ROWS = 20_000  # of a group that are looked at; evenly spaced


@dataclasses.dataclass(frozen=True)
class Rows:
    """Discs: scored ones, or some of the training set.

    Attributes:
        numbers: Name of a feature -> [n] float.
        classes: Name of a grading -> [n] int, predicted grades.
        level: [n] str.
        scanner: [n] str.
        scan: [n] str; None of training discs, which have no keys.
    """

    numbers: Mapping[str, np.ndarray]
    classes: Mapping[str, np.ndarray]
    level: np.ndarray
    scanner: np.ndarray
    scan: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.level)

    @property
    def num_scans(self) -> int:
        """How many scans they are of; of training discs at least how many."""
        if self.scan is None:
            return -(-len(self) // max(1, len(np.unique(self.level))))
        return len(np.unique(self.scan))

    def at(self, where: np.ndarray) -> "Rows":
        """Returns some of them; `where` is a mask or positions."""
        return Rows(
            {name: values[where] for name, values in self.numbers.items()},
            {name: values[where] for name, values in self.classes.items()},
            self.level[where],
            self.scanner[where],
            None if self.scan is None else self.scan[where],
        )


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measure of a group against its reference.

    Attributes:
        name: A feature, or a grading, or the mix of scanners or levels.
        is_mix: Whether it is a mix of classes.
        moved: How far it moved.
        p_holm: Its p-value, corrected for all tests of the report.
        middle: Median of the sample and of the reference; None of a mix.
    """

    name: str
    is_mix: bool
    moved: drift_stats.Moved
    p_holm: float = 1.0
    middle: tuple[float, float] | None = None

    @property
    def status(self) -> str:
        """UNMOVED, SLIGHT or MOVED: a large index that is not there by chance."""
        if self.p_holm >= ALPHA or self.moved.psi < drift_stats.SLIGHT:
            return UNMOVED
        return MOVED if self.moved.psi >= drift_stats.LARGE else SLIGHT


@dataclasses.dataclass(frozen=True)
class Group:
    """Scored discs of one scanner, of one level, or all.

    Attributes:
        kind: ALL, SCANNER or LEVEL.
        name: Of the scanner or level, or "".
        num_discs: Scored discs.
        num_scans: Scans that they are of.
        num_reference: Training discs that they are compared with.
        reference: What these are, in words.
        measures: What was compared; none of a group that is too small.
    """

    kind: str
    name: str
    num_discs: int
    num_scans: int
    num_reference: int
    reference: str
    measures: tuple[Measure, ...] = ()

    @property
    def status(self) -> str:
        """The worst of its measures, or TOO_SMALL."""
        if not self.measures:
            return TOO_SMALL
        order = (UNMOVED, SLIGHT, MOVED)
        return max((measure.status for measure in self.measures), key=order.index)

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        return {ALL: "the batch", SCANNER: f"scanner {self.name}", LEVEL: f"level {self.name}"}[
            self.kind
        ]

    def of_status(self, status: str) -> list[Measure]:
        """Returns its measures of one status, those that moved most first."""
        found = [measure for measure in self.measures if measure.status == status]
        return sorted(found, key=lambda measure: -measure.moved.psi)


def judge(reference: Rows, sample: Rows) -> list[Group]:
    """Compares all discs, those of each scanner and those of each level.

    Args:
        reference: Some training discs.
        sample: Scored discs.

    Returns:
        The groups: all, scanners, levels; by name.
    """
    found = [_compare(reference, sample, *which) for which in _groups(sample)]
    return _corrected(found)


def blame(reference: Rows, sample: Rows, groups: Sequence[Group]) -> list[Group]:
    """Returns the scanners and levels that moved by themselves, the one that moved most first.

    Args:
        reference: Some training discs.
        sample: Scored discs.
        groups: What `judge` says of them.

    Returns:
        Groups as they were judged when those before them had been taken out. None where nothing
        moved, or all that could be judged did.
    """
    if is_whole(groups):
        return []
    blamed = []
    while True:
        parts = [group for group in groups if group.kind != ALL and group.status == MOVED]
        if not parts:
            return blamed
        worst = max(parts, key=lambda group: group.of_status(MOVED)[0].moved.psi)
        blamed.append(worst)
        names = sample.scanner if worst.kind == SCANNER else sample.level
        sample = sample.at(names != worst.name)
        groups = judge(reference, sample) if len(sample) else []


def is_whole(groups: Sequence[Group]) -> bool:
    """Returns whether every scanner and every level that could be judged moved."""
    parts = [group for group in groups if group.kind != ALL and group.status != TOO_SMALL]
    return bool(parts) and all(group.status == MOVED for group in parts)


def _groups(sample: Rows) -> Iterator[tuple[str, str]]:
    yield ALL, ""
    yield from ((SCANNER, str(name)) for name in np.unique(sample.scanner))
    yield from ((LEVEL, str(name)) for name in np.unique(sample.level))


def _compare(reference: Rows, sample: Rows, kind: str, name: str) -> Group:
    """One group; its p-values are not corrected yet."""
    matched, sample, words = select(reference, sample, kind, name)
    group = Group(kind, name, len(sample), sample.num_scans, len(matched), words)
    if group.num_scans < LEAST_SCANS or group.num_reference < LEAST_REFERENCE:
        return group
    mixes = _mixes(reference, sample) if kind == ALL else ()
    return dataclasses.replace(group, measures=(*_measures(matched, sample), *mixes))


def select(reference: Rows, sample: Rows, kind: str, name: str) -> tuple[Rows, Rows, str]:
    """Returns the discs of a group, and those that they are compared with.

    Args:
        reference: Some training discs.
        sample: Scored discs.
        kind: ALL, SCANNER or LEVEL.
        name: Of the scanner or level.

    Returns:
        Training discs, scored discs, and what the former are, in words.
    """
    words = "training discs"
    if kind != ALL:
        sample = sample.at((sample.scanner if kind == SCANNER else sample.level) == name)
        same = (reference.scanner if kind == SCANNER else reference.level) == name
        if kind == LEVEL or same.sum() >= LEAST_REFERENCE:
            reference, words = reference.at(same), f"training discs of this {kind}"
        else:
            words = "training discs of other scanners, too, as there are few of this one"
            cells = reference.level, sample.level
            return reference.at(_matched(*cells)), sample, words
    cells = (
        np.char.add(np.char.add(rows.level, "/"), rows.scanner) for rows in (reference, sample)
    )
    return reference.at(_matched(*cells)), sample, words


def _thinned(sample: Rows) -> Rows:
    if len(sample) <= _MOST_ROWS:
        return sample
    return sample.at(np.linspace(0, len(sample) - 1, _MOST_ROWS).astype(int))


def _matched(reference: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """Positions in the reference, as many as can be, mixed as the sample.

    Args:
        reference: [n] str, such as level and scanner of each row.
        sample: [m] str.
    """
    names, counts = np.unique(sample, return_counts=True)
    places = [np.flatnonzero(reference == name) for name in names]
    common = (counts >= _COMMON * len(sample)) & (np.array([len(p) for p in places]) > 0)
    if not common.any():
        return np.arange(len(reference))
    ratio = min(len(places[i]) / counts[i] for i in np.flatnonzero(common))
    chosen = []
    for place, count in zip(places, counts, strict=True):
        size = min(len(place), round(ratio * count))
        chosen.append(place[np.linspace(0, len(place) - 1, size).astype(int)])
    return np.sort(np.concatenate(chosen))


def _measures(reference: Rows, sample: Rows) -> Iterator[Measure]:
    sample = _thinned(sample)
    sizes = _sizes(reference, sample)
    for name, values in reference.numbers.items():
        found = drift_stats.of_numbers(values, sample.numbers[name], sizes)
        middle = float(np.median(sample.numbers[name])), float(np.median(values))
        yield Measure(name, False, found, middle=middle)
    for name, values in reference.classes.items():
        before, now = class_counts(values, sample.classes[name])
        yield Measure(f"{name}{GRADES}", True, drift_stats.of_classes(before, now, sizes))


def _mixes(reference: Rows, sample: Rows) -> Iterator[Measure]:
    """Which levels and scanners there are."""
    for title, name in MIXES.items():
        before, now = class_counts(getattr(reference, name), getattr(sample, name))
        found = drift_stats.of_classes(before, now, _sizes(reference, sample))
        yield Measure(title, True, found)


def _sizes(reference: Rows, sample: Rows) -> drift_stats.Sizes:
    return drift_stats.Sizes(reference.num_scans, sample.num_scans)


def class_counts(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the counts of every value that one of two arrays has, in their order."""
    known = np.unique(np.concatenate([one, other]))
    return _counts(one, known), _counts(other, known)


def _counts(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.array([(values == one).sum() for one in known])


def _corrected(groups: Sequence[Group]) -> list[Group]:
    """The groups with p-values corrected for all tests of all of them (Holm 1979)."""
    raw = [measure.moved.p for group in groups for measure in group.measures]
    adjusted = iter(contrasts.holm(raw))
    return [
        dataclasses.replace(
            group,
            measures=tuple(
                dataclasses.replace(measure, p_holm=float(next(adjusted)))
                for measure in group.measures
            ),
        )
        for group in groups
    ]
