"""Every cross-time pair of vertebral bodies (or discs) of a split, for verification.

Positive: one subject and level at two visits. Negative: the earlier visit of one positive and the
later visit of another, same level, another family, a later visit in number and by as many days as
a positive must be, and a pair of field strengths that a positive of that level has, so that neither
level nor scanner nor time tells the label. Twin: the same of two subjects of one family, kept
apart. Source: methods 1.9, P2, P3 and P5.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from spine_tf import levels
from spine_tf.data import pairs, records

NEGATIVE, POSITIVE, TWIN = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Visits:
    """Vertebral bodies at their visits; every field is [visits].

    Attributes:
        record: Position of the record in its index.
        visit: Position of the visit in the record.
        subject: Pseudonym.
        family: Pseudonym.
        level: Published name.
        scan: Pseudonym of the scan.
        days: Days since the subject's first study.
        field_strength_t: Tesla; 0 is unknown.
        fold: Number of the fold.
    """

    record: np.ndarray
    visit: np.ndarray
    subject: np.ndarray
    family: np.ndarray
    level: np.ndarray
    scan: np.ndarray
    days: np.ndarray
    field_strength_t: np.ndarray
    fold: np.ndarray

    def level_names(self) -> list[str]:
        """The levels there are, head to foot; what is no vertebra or disc last, by name."""
        known = [level.value for level in (*levels.VertebraLevel, *levels.DiscLevel)]
        found = set(self.level.tolist())
        return [name for name in known if name in found] + sorted(found - set(known))


def visits_of(index: records.Index, items: np.ndarray, fold: int = 0) -> Visits:
    """Returns the facts of [items, 2] (record, visit) of an index."""
    rows = [index.rows[record] for record in items[:, 0]]
    per_visit = {
        name: np.array([row[name][visit] for row, visit in zip(rows, items[:, 1], strict=True)])
        for name in ("scan", "days", "field_strength_t")
    }
    text = {name: np.array([row[name] for row in rows]) for name in ("subject", "family", "level")}
    return Visits(items[:, 0], items[:, 1], fold=np.full(len(items), fold), **text, **per_visit)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of visits.

    Attributes:
        first: [pairs] position of the earlier side in the visits.
        second: [pairs] position of the later side.
        kind: [pairs] NEGATIVE, POSITIVE or TWIN.
        stratum: [pairs] code of fold, level and pair of field strengths.
    """

    first: np.ndarray
    second: np.ndarray
    kind: np.ndarray
    stratum: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)


def all_pairs(
    index: records.Index, visits: Visits, min_interval_days: int, offset: int = 0
) -> Pairs:
    """Returns every pair of one fold.

    Args:
        index: The records.
        visits: Their visits, see `visits_of`.
        min_interval_days: Visits closer than this are no pair.
        offset: Added to the positions of the visits.

    Returns:
        Positives, negatives and twins; `stratum` is unique within the fold only.
    """
    position = {
        (int(record), int(visit)): number
        for number, (record, visit) in enumerate(zip(visits.record, visits.visit, strict=True))
    }
    found = pairs.positives(index, min_interval_days)
    first = np.array([position[int(r), int(i)] for r, i, _ in found], int)
    second = np.array([position[int(r), int(j)] for r, _, j in found], int)
    parts, stratum_codes = [], {}
    for level in np.unique(visits.level[first]):
        here = visits.level[first] == level
        block = _level_pairs(visits, first[here], second[here], min_interval_days)
        parts.append(block + (_strata(visits, level, block, stratum_codes),))
    first, second, kind, stratum = _joined(parts)
    return Pairs(first + offset, second + offset, kind, stratum)


def _level_pairs(visits: Visits, first: np.ndarray, second: np.ndarray, min_interval_days: int):
    """Positives as given; negatives and twins of their earlier and later sides."""
    early, late = np.unique(first), np.unique(second)
    one, two = (side.ravel() for side in np.meshgrid(early, late, indexing="ij"))
    field_t = visits.field_strength_t
    known = set(zip(field_t[first], field_t[second], strict=True))
    keep = visits.subject[one] != visits.subject[two]
    keep &= visits.visit[two] > visits.visit[one]
    keep &= visits.days[two] - visits.days[one] >= min_interval_days
    keep &= np.array([pair in known for pair in zip(field_t[one], field_t[two], strict=True)], bool)
    one, two = one[keep], two[keep]
    is_twin = visits.family[one] == visits.family[two]
    kind = np.concatenate([np.full(len(first), POSITIVE), np.where(is_twin, TWIN, NEGATIVE)])
    return np.concatenate([first, one]), np.concatenate([second, two]), kind


def _strata(visits: Visits, level: str, block, stratum_codes: dict) -> np.ndarray:
    first, second, _ = block
    field_t = visits.field_strength_t
    keys = zip(field_t[first], field_t[second], strict=True)
    return np.array(
        [stratum_codes.setdefault((level, *key), len(stratum_codes)) for key in keys], int
    )


def _joined(parts: Sequence) -> list[np.ndarray]:
    empty = [np.zeros(0, int)] * 4
    return [np.concatenate(column) for column in zip(empty, *parts, strict=True)]


def join(folds: Sequence[tuple[Visits, Pairs]]) -> tuple[Visits, Pairs]:
    """Joins the folds; pairs were offset already, strata are made different here."""
    visits = Visits(
        *(
            np.concatenate([getattr(one, field.name) for one, _ in folds])
            for field in dataclasses.fields(Visits)
        )
    )
    stratum, top = [], 0
    for _, found in folds:
        stratum.append(found.stratum + top)
        top += int(found.stratum.max(initial=-1)) + 1
    first, second, kind = (
        np.concatenate([getattr(found, name) for _, found in folds])
        for name in ("first", "second", "kind")
    )
    return visits, Pairs(first, second, kind, np.concatenate(stratum))


def matched_weights(pairs_used: Pairs, used: np.ndarray, negative_kind: int) -> np.ndarray:
    """Returns weights under which negatives are spread over the strata as positives are.

    Args:
        pairs_used: The pairs.
        used: [pairs] bool, what takes part.
        negative_kind: NEGATIVE or TWIN.

    Returns:
        [pairs] float64: 1 for a positive, positives / negatives of its stratum for a negative; 0
        for what takes no part and for positives whose stratum has no negative.
    """
    positive = used & (pairs_used.kind == POSITIVE)
    negative = used & (pairs_used.kind == negative_kind)
    size = int(pairs_used.stratum.max(initial=-1)) + 1
    num_positive = np.bincount(pairs_used.stratum[positive], minlength=size)
    num_negative = np.bincount(pairs_used.stratum[negative], minlength=size)
    ratio = num_positive / np.maximum(num_negative, 1)
    weights = np.where(negative, ratio[pairs_used.stratum], 0.0)
    return np.where(positive & (num_negative[pairs_used.stratum] > 0), 1.0, weights)


def blockwise(values: np.ndarray, visits: Visits, found: Pairs, function: Callable) -> np.ndarray:
    """Applies a function of all against all to each fold and level, and picks the pairs.

    Args:
        values: [visits, ...] what the function compares.
        visits: The visits.
        found: Pairs of them.
        function: ([n, ...]) -> [n, n].

    Returns:
        [pairs] float64.
    """
    result = np.zeros(len(found))
    block = np.stack([visits.fold.astype(str), visits.level], 1)
    _, block_of = np.unique(block, axis=0, return_inverse=True)
    block_of = block_of.reshape(-1)
    for code in np.unique(block_of[found.first]):
        members = np.flatnonzero(block_of == code)
        here = block_of[found.first] == code
        place = {member: number for number, member in enumerate(members)}
        one = [place[number] for number in found.first[here]]
        two = [place[number] for number in found.second[here]]
        result[here] = function(values[members])[one, two]
    return result
