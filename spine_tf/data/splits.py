"""Splits by family, made before anything else is written.

Families are ranked by a salted hash and cut at exact quotas, so the same seed gives the same split
on every machine, and a new pseudonym key does not matter more than a new seed. A split belongs to
a protocol:

- `longitudinal`: families with at least one follow-up, 80:10:10; empty where there are too few. Its
  training split also holds the single-visit families that grading trains on: they have no
  positive pair, and are the other side of negatives on request.
- `grading`: every family. Validation and test hold no family that the longitudinal stage trains or
  validates on; where single-visit families are enough, test holds only those.
- `subjects` (data sets of slices): every family, with the same share in validation and test.
- `fold0`, `fold1`, ... (on request): every family is in test once. Both stages use the same fold,
  so nothing leaks from one to the other.
- `fold0_percent50`, `fold0_subjects2`, ... (on request), of every protocol that holds all: the same
  validation and test, and that part of the training subjects. Each smaller part lies in every
  larger one.

Source: Jamaludin 2017, sections 2 and 4; methods 1.1 and P1.
"""

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Mapping

SPLITS = ("train", "validation", "test")
LONGITUDINAL = "longitudinal"
GRADING = "grading"
SUBJECTS = "subjects"
HELD_OUT_FRACTION = 0.1  # of each of validation and test, Jamaludin 2017 section 4
GRADING_VALIDATION_FRACTION = 0.1
GRADING_TEST_FRACTION = 0.2


@dataclasses.dataclass(frozen=True)
class Family:
    """A family and the largest number of visits among its members."""

    key: str
    num_visits: int


def families_of(visits: Iterable[tuple[str, str, int]]) -> list[Family]:
    """Counts visits per family.

    Args:
        visits: (family, subject, visit) of every scan.

    Returns:
        One `Family` each, in the order of their keys.
    """
    per_subject: dict[tuple[str, str], set[int]] = {}
    for family, subject, visit in visits:
        per_subject.setdefault((family, subject), set()).add(visit)
    most: dict[str, int] = {}
    for (family, _), seen in per_subject.items():
        most[family] = max(most.get(family, 0), len(seen))
    return [Family(key, count) for key, count in sorted(most.items())]


def _ranked(families: Iterable[Family], salt: str) -> list[Family]:
    def rank(family: Family) -> str:
        return hashlib.sha256(f"{salt}/{family.key}".encode()).hexdigest()

    return sorted(families, key=rank)


def _stratified(families: list[Family], salt: str) -> list[Family]:
    """Ranks families so that every prefix holds each number of visits in proportion."""
    strata: dict[int, list[Family]] = {}
    for family in _ranked(families, salt):
        strata.setdefault(family.num_visits, []).append(family)
    placed = [
        ((place + 0.5) / len(members), num_visits, family)
        for num_visits, members in strata.items()
        for place, family in enumerate(members)
    ]
    return [family for _, _, family in sorted(placed, key=lambda item: item[:2])]


def _quota(count: int, fraction: float) -> int:
    """The number of families held out: two from 8 families on, else one; and one is left."""
    least = 2 if count >= 8 else 1
    return min(max(least, round(count * fraction)), max(0, count - 1))


def _longitudinal(families: list[Family], seed: int, fraction: float) -> dict[str, str]:
    followed = _stratified([f for f in families if f.num_visits > 1], f"{seed}/{LONGITUDINAL}")
    num_single = len(families) - len(followed)
    held_out = _quota(len(followed), fraction)
    # Grading needs two families that this stage never trains on: single-visit ones or its test.
    num_test = max(held_out, 2 - num_single)
    if not held_out or len(followed) < num_test + held_out + 1:
        return {}  # too few to hold anything out
    names = ["test"] * num_test + ["validation"] * held_out
    names += ["train"] * (len(followed) - len(names))
    return {family.key: name for family, name in zip(followed, names, strict=True)}


def _grading(families: list[Family], longitudinal: Mapping[str, str], seed: int) -> dict[str, str]:
    ranked = _stratified(families, f"{seed}/{GRADING}")
    if len(ranked) < len(SPLITS):
        return {family.key: "train" for family in ranked}
    unseen = [f for f in ranked if longitudinal.get(f.key, "test") == "test"]
    eligible = sorted(unseen, key=lambda family: family.num_visits > 1)  # single visits first
    num_test = min(_quota(len(ranked), GRADING_TEST_FRACTION), max(1, len(eligible) * 2 // 3))
    num_validation = min(_quota(len(ranked), GRADING_VALIDATION_FRACTION), len(eligible) - num_test)
    names = {family.key: "train" for family in ranked}
    names |= {family.key: "test" for family in eligible[:num_test]}
    names |= {family.key: "validation" for family in eligible[len(eligible) - num_validation :]}
    return names


def _folds(families: list[Family], seed: int, num_folds: int) -> dict[str, dict[str, str]]:
    ranked = _stratified(families, f"{seed}/folds")
    if len(ranked) < max(num_folds, len(SPLITS)):
        raise ValueError(
            f"`folds` must be at most the number of families ({len(ranked)}), got {num_folds}."
        )
    fold_of = {family.key: place % num_folds for place, family in enumerate(ranked)}
    protocols = {}
    for fold in range(num_folds):
        rest = [family for family in ranked if fold_of[family.key] != fold]
        ranked_rest = _stratified(rest, f"{seed}/fold{fold}")
        validation = {family.key for family in ranked_rest[: _quota(len(rest), 0.15)]}
        protocols[f"fold{fold}"] = {
            key: "test" if place == fold else "validation" if key in validation else "train"
            for key, place in fold_of.items()
        }
    return protocols


def holds_all(protocol: str) -> bool:
    """Whether a protocol holds every family: grading, subjects and the folds do."""
    return protocol in (GRADING, SUBJECTS) or re.fullmatch(r"fold\d+", protocol) is not None


def by_subject(families: Iterable[Family], *, seed: int, held_out_fraction: float) -> dict:
    """Returns family key -> split of the protocol `subjects`.

    Args:
        families: Every family of the data set.
        seed: Another seed is another split.
        held_out_fraction: Share of each of validation and test; fewer than three families all
            train.
    """
    ranked = _stratified(sorted(families, key=lambda f: f.key), f"{seed}/{SUBJECTS}")
    held_out = min(_quota(len(ranked), held_out_fraction), (len(ranked) - 1) // 2)
    names = ["test"] * held_out + ["validation"] * held_out
    names += ["train"] * (len(ranked) - len(names))
    return {family.key: name for family, name in zip(ranked, names, strict=True)}


def percent_name(protocol: str, percent: int) -> str:
    """Returns the protocol that trains on a percentage of the subjects of another."""
    return protocol if percent == 100 else f"{protocol}_percent{percent}"


def subjects_name(protocol: str, count: int) -> str:
    """Returns the protocol that trains on so many subjects of another."""
    return f"{protocol}_subjects{count}"


def whole_name(protocol: str) -> str:
    """Returns the protocol that this one takes a part of the training subjects of, or itself."""
    return re.sub(r"_(percent|subjects)\d+$", "", protocol)


def parts(
    protocols: Mapping[str, Mapping[str, str]],
    num_subjects: Mapping[str, int],
    *,
    seed: int,
    percents: Iterable[int] = (),
    counts: Iterable[int] = (),
    leave_out: bool = False,
) -> dict[str, dict[str, str]]:
    """Makes nested parts of the training subjects of protocols that hold every family.

    Args:
        protocols: Protocol -> family key -> split.
        num_subjects: Family key -> its subjects. A family is taken whole, so that a part may have
            a few subjects more than was asked for; one that is not named trains in no part.
        seed: Another seed is another choice.
        percents: Percentages of the training subjects.
        counts: Numbers of training subjects.
        leave_out: Whether a part that is too large is left out instead of refused.

    Returns:
        Protocol -> family key -> split, of the new protocols only; see `percent_name` and
        `subjects_name`. Families that a part leaves out are not in it.

    Raises:
        ValueError: If a count is above the training subjects of a protocol, unless it is left out.
    """
    found = {}
    for name in filter(holds_all, protocols):
        split_of = protocols[name]
        train = [k for k in sorted(split_of) if split_of[k] == "train" and k in num_subjects]
        ranked = _ranked([Family(key, num_subjects[key]) for key in train], f"{seed}/{name}/parts")
        total = sum(num_subjects[key] for key in train)
        wanted = {percent_name(name, p): max(1, round(total * p / 100)) for p in percents}
        wanted |= {subjects_name(name, count): count for count in counts}
        for part, count in wanted.items():
            if count > total and leave_out:
                continue
            if count > total:
                raise ValueError(
                    f"`train_subjects` must be at most the training subjects of {name!r} ({total}),"
                    f" got {count}."
                )
            kept = _first([family.key for family in ranked], num_subjects, count)
            found[part] = {k: s for k, s in split_of.items() if s != "train" or k in kept}
    return found


def _first(keys: Iterable[str], num_subjects: Mapping[str, int], count: int) -> set[str]:
    """The first families that hold at least so many subjects."""
    taken, held = set(), 0
    for key in keys:
        if held >= count:
            break
        taken.add(key)
        held += num_subjects[key]
    return taken


def make_splits(
    families: Iterable[Family],
    *,
    seed: int,
    held_out_fraction: float = HELD_OUT_FRACTION,
    num_folds: int = 0,
) -> dict:
    """Returns the content of splits.json.

    Args:
        families: Every family of the data set.
        seed: Another seed is another split.
        held_out_fraction: Share of each of validation and test of the longitudinal protocol.
        num_folds: If not 0, protocols fold0, fold1, ... are added.

    Returns:
        {"seed": seed, "protocols": {protocol: {family key: split}}}.

    Raises:
        ValueError: If there are fewer families than folds.
    """
    families = sorted(families, key=lambda family: family.key)
    longitudinal = _longitudinal(families, seed, held_out_fraction)
    grading = _grading(families, longitudinal, seed)
    if longitudinal:
        singles = {family.key for family in families if family.num_visits == 1}
        longitudinal |= {key: "train" for key in singles if grading[key] == "train"}
    protocols = {LONGITUDINAL: dict(sorted(longitudinal.items())), GRADING: grading}
    if num_folds:
        protocols |= _folds(families, seed, num_folds)
    return {"seed": seed, "protocols": protocols}
