"""What drift found, in sentences."""

from collections.abc import Sequence

from export import drift_groups

_MOST_NAMED = 3  # measures in a sentence
_DIGITS = (3, 6)  # of a median; more where fewer show no difference


def conclusion(
    groups: Sequence[drift_groups.Group], blamed: Sequence[drift_groups.Group]
) -> list[str]:
    """Returns sentences for a person: what moved first, then what was not judged.

    Args:
        groups: Of `drift_groups.judge`.
        blamed: Of `drift_groups.blame`.
    """
    judged = [group for group in groups if group.status != drift_groups.TOO_SMALL]
    lines = _moved(groups, blamed) if judged else ["Nothing could be judged."]
    small = [group for group in groups if group.status == drift_groups.TOO_SMALL]
    if small:
        lines.append(
            f"Too small to be judged (under {drift_groups.LEAST_SCANS} scans, or"
            f" {drift_groups.LEAST_REFERENCE} training discs to compare with):"
            f" {_join([_sized(group) for group in small])}."
        )
    return lines


def _sized(group: drift_groups.Group) -> str:
    """A group with its size."""
    return f"{group.title} ({group.num_scans} scans, {group.num_reference} training discs)"


def _moved(groups: Sequence[drift_groups.Group], blamed: Sequence[drift_groups.Group]) -> list[str]:
    batch = groups[0]
    if drift_groups.is_whole(groups):
        shown = next(g for g in groups if g.status == drift_groups.MOVED)
        where = "on every scanner and level that can be judged"
        return [f"The whole batch moved, {where}: {_measures(shown)}."]
    lines = [f"{_capital(group.title)} moved: {_measures(group)}." for group in blamed]
    if blamed:
        named = _join([group.title for group in blamed])
        lines.append(f"Without {named} nothing else that can be judged moved.")
    elif batch.of_status(drift_groups.MOVED):
        lines.append(
            f"The batch moved as a whole, and no scanner or level alone: {_measures(batch)}."
        )
    else:
        slight = [g.title for g in groups if g.status == drift_groups.SLIGHT]
        lines.append("Nothing moved." if not slight else f"Only slight shifts: {_join(slight)}.")
    return lines


def _measures(group: drift_groups.Group) -> str:
    moved = group.of_status(drift_groups.MOVED)
    moved.sort(key=lambda measure: measure.name in drift_groups.MIXES)  # these last
    named = [describe(measure) for measure in moved[:_MOST_NAMED]]
    if len(moved) > _MOST_NAMED:
        named.append(f"{len(moved) - _MOST_NAMED} more of {len(group.measures)} measures")
    return _join(named)


def describe(measure: drift_groups.Measure) -> str:
    """Returns a measure and how far it moved, in words."""
    psi = f"PSI {measure.moved.psi:.2f}"
    if measure.middle is None:
        return f"{measure.name.replace('_', ' ')} ({psi})"
    sample, training = _apart(*measure.middle)
    if sample == training:
        return f"{measure.name} is spread otherwise (median {sample} as in training; {psi})"
    where = "higher" if measure.middle[0] > measure.middle[1] else "lower"
    return f"{measure.name} is {where} (median {sample}, in training {training}; {psi})"


def _apart(first: float, second: float) -> tuple[str, str]:
    """Both numbers with as few digits as show that they differ; alike if that takes too many."""
    for digits in _DIGITS:
        found = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if found[0] != found[1]:
            return found
    return f"{first:.{_DIGITS[0]}g}", f"{second:.{_DIGITS[0]}g}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
