"""The cohort of Jamaludin 2017 made of phantoms, with every number the paper prints.

1016 subjects, 423 of them with a follow-up. Families are ranked by a salted hash and taken until a
count of subjects is met exactly, so a pair of twins never straddles two splits. Protocols:

- `longitudinal`: 339, 42 and 42 subjects with a follow-up. Training also holds the single visits
  that grading trains on, for negatives of baseline-only subjects.
- `grading240`, `grading361`, `grading670`: training subjects of the learning curve, each a part of
  the next: 444, 667 and 976 scans. All share 50 validation subjects (21 of them from the test of
  the longitudinal stage) and 200 test subjects of a single visit.

Source: Jamaludin 2017, sections 2 and 4; methods 1.1.
"""

import collections
import hashlib
from collections.abc import Iterable, Sequence

from spine_tf.data import splits
from spine_tf.phantom import cohort

NUM_FOLLOWED, NUM_SINGLE = 423, 593
NUM_LONGITUDINAL = {"test": 42, "validation": 42, "train": 339}
# Subjects of the learning curve -> those with a follow-up, those of a single visit.
SIZES = {240: (204, 36), 361: (306, 55), 670: (306, 364)}
_NUM_VALIDATION = (21, 29)
_NUM_TEST = 200

Families = Sequence[tuple[str, int]]


def protocol_name(num_subjects: int) -> str:
    """Returns the protocol of one size of the learning curve."""
    return f"{splits.GRADING}{num_subjects}"


def configs(seed: int) -> tuple[cohort.CohortConfig, cohort.CohortConfig]:
    """Returns the subjects with two visits and those with one; seeds 2 s and 2 s + 1."""
    return (
        cohort.CohortConfig(NUM_FOLLOWED, 2 * seed, one_visit_percent=0, three_visits_percent=0),
        cohort.CohortConfig(
            NUM_SINGLE, 2 * seed + 1, one_visit_percent=100, three_visits_percent=0
        ),
    )


def make_protocols(visits: Iterable[tuple[str, str, int]], seed: int) -> dict[str, dict[str, str]]:
    """Makes the protocols of the paper.

    Args:
        visits: (family, subject, visit) of every scan.
        seed: Another seed is another split.

    Returns:
        Protocol -> family -> split; a family that a protocol leaves out is not in it. `grading`
        leaves out none: it holds out what grading670 does and trains on all others.

    Raises:
        ValueError: If the counts are not the paper's.
    """
    followed, single = _ranked_strata(visits, seed)
    found = tuple(sum(size for _, size in families) for families in (followed, single))
    if found != (NUM_FOLLOWED, NUM_SINGLE):
        raise ValueError(
            f"`visits` must be of {NUM_FOLLOWED} subjects with a follow-up and {NUM_SINGLE}"
            f" without, got {found[0]} and {found[1]}."
        )
    siamese, rest = {}, followed
    for split, count in NUM_LONGITUDINAL.items():
        siamese[split], rest = _take(rest, count)
    held_out, _ = _take(siamese["test"], _NUM_VALIDATION[0])
    validation, rest_single = _take(single, _NUM_VALIDATION[1])
    test, rest_single = _take(rest_single, _NUM_TEST)
    kept_out = {key for key, _ in held_out}
    candidates = [family for family in followed if family[0] not in kept_out]
    protocols = {}
    for size in sorted(SIZES, reverse=True):  # each is taken from the next larger one
        candidates, _ = _take(candidates, SIZES[size][0])
        rest_single, _ = _take(rest_single, SIZES[size][1])
        protocols[protocol_name(size)] = (
            _named(held_out + validation, "validation")
            | _named(test, "test")
            | _named(candidates + rest_single, "train")
        )
    longitudinal = {key: name for name in siamese for key in _named(siamese[name], name)}
    baseline_only, _ = _take(_minus(single, validation + test), SIZES[670][1])
    protocols[splits.LONGITUDINAL] = longitudinal | _named(baseline_only, "train")
    everyone = _named([*followed, *single], "train")
    protocols[splits.GRADING] = everyone | protocols[protocol_name(max(SIZES))]
    return protocols


def _ranked_strata(visits: Iterable[tuple[str, str, int]], seed: int) -> tuple[Families, Families]:
    """Families with a follow-up and without, each with its number of subjects, in rank order."""
    members = collections.defaultdict(set)
    most = collections.Counter()
    for family, subject, visit in visits:
        members[family].add(subject)
        most[family] = max(most[family], visit)

    def rank(key: str) -> str:
        return hashlib.sha256(f"{seed}/paper/{key}".encode()).hexdigest()

    ranked = [(key, len(members[key])) for key in sorted(members, key=rank)]
    return [f for f in ranked if most[f[0]]], [f for f in ranked if not most[f[0]]]


def _take(families: Families, count: int) -> tuple[list, list]:
    """Takes families in order until they hold `count` subjects; returns them and the rest."""
    taken, rest = [], []
    for family in families:
        if family[1] <= count:
            count -= family[1]
            taken.append(family)
        else:
            rest.append(family)
    if count:
        raise ValueError(f"`families` must hold enough subjects, got {count} too few.")
    return taken, rest


def _minus(families: Families, others: Families) -> list:
    left_out = set(others)
    return [family for family in families if family not in left_out]


def _named(families: Families, split: str) -> dict[str, str]:
    return {key: split for key, _ in families}
