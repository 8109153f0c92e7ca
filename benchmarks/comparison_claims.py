"""Each claim of Chen 2019 as held, not held or undecided here, with its intervals.

A claim is a lower bound of 0 on differences, in which more is better: distances are taken negative.
It is held if every 95% interval is at or above 0, not held if one difference is below 0 with a p
under 0.05 after Holm over those of the claim (one of many is below by chance), and undecided
otherwise; "not run" if a difference is missing, of a rival that was asked for, say; "undefined" if
one has no value, as no model found the region, say. "CR is best" is of all six rivals; with fewer
the claim names them. Each task judges the claims on its own measures, in every region or organ.
"unpaired" counts the values that only the first and only the second model has: they are left out.

Source: Chen 2019, Tables 3 to 5. The data here are others, and the networks smaller: the verdicts
say whether a claim carries over, and reproduce nothing.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import comparison_results, comparison_scores, markdown
from spine_tf.evaluation import bootstrap, contrasts

_RESTORATION, _RANDOM, _AUGMENTED = "CR", "RD", "RD+AG"
_WHOLE, _HALF = "percent100", "percent50"
_LEVEL = 0.05
_FACTS = ("unpaired", "runs", "p")
_RIVALS = ("RD", "RD+AG", "AE", "RP", "JS", "CP")


@dataclasses.dataclass(frozen=True)
class Difference:
    """One cell minus another in a measure, with the sign that makes more better."""

    measure: str
    one: comparison_results.Cell
    other: comparison_results.Cell

    @property
    def name(self) -> str:
        """Its name among the numbers of a claim."""
        return f"{self.measure}: {' '.join(self.one)} - {' '.join(self.other)}"

    def interval(self, tested: comparison_results.Tested) -> dict[str, Any] | None:
        """Its value with its interval; None if the cells share no run."""
        found = tested.difference(self.one, self.other, self.measure)
        sign = -1.0 if self.measure.endswith("_mm") else 1.0
        if not found:
            return None
        score = found.score
        interval = bootstrap.interval(sign * score.value, sign * score.drawn)
        runs = comparison_results.runs_text(found.folds, found.seeds)
        p = None if interval["low"] is None else contrasts.p_value(score.drawn)
        return interval | {"unpaired": found.unpaired, "runs": runs, "p": p}


def judge(tested: comparison_results.Tested) -> list[dict[str, Any]]:
    """Returns the claims with their verdicts: id, claim, verdict, numbers, marks."""
    judged = []
    for text, differences in _claims(tested):
        found = {one.name: one.interval(tested) for one in differences}
        numbers = [
            {"name": name, "bound": 0.0}
            | {key: (one or {}).get(key) for key in ("value", "low", "high", *_FACTS)}
            for name, one in found.items()
        ]
        judged.append(
            {"id": text, "claim": text, "verdict": _verdict(list(found.values()))}
            | {"numbers": numbers, "marks": _marks(tested, differences)}
        )
    return judged


def _verdict(differences: Sequence[Mapping[str, Any] | None]) -> str:
    """What differences say that must not be below 0; None is one that was not run."""
    known = [one for one in differences if one and one["p"] is not None]
    adjusted = contrasts.holm([one["p"] for one in known])
    if any(one["value"] < 0 and p < _LEVEL for one, p in zip(known, adjusted, strict=True)):
        return "not held"
    if None in differences:
        return "not run"
    if len(known) < len(differences):
        return "undefined"
    return "held" if all(one["low"] >= 0 for one in known) else "undecided"


def _claims(tested: comparison_results.Tested) -> list[tuple[str, list[Difference]]]:
    """What a claim says, and the differences that must not be below 0."""
    found, claimed = [], comparison_scores.CLAIMED[tested.task]
    for amount, names in tested.planned.items():
        restored, rivals = (amount, _RESTORATION), [name for name in names if name in _RIVALS]
        for measure in claimed if _RESTORATION in names and rivals else ():
            differences = [
                Difference(part, restored, (amount, name))
                for name in rivals
                for part in tested.parts(measure)
            ]
            is_all = set(rivals) == set(_RIVALS)
            what = "best of" if is_all else f"no worse than {', '.join(rivals)} at"
            found.append((f"CR is {what} {amount} in {measure}", differences))
        if {_AUGMENTED, _RANDOM} <= set(names):
            difference = Difference(claimed[0], (amount, _AUGMENTED), (amount, _RANDOM))
            found.append((f"augmentation helps at {amount} in {claimed[0]}", [difference]))
    for part in tested.parts(claimed[0]):
        difference = Difference(part, (_HALF, _RESTORATION), (_WHOLE, _RANDOM))
        found.append((f"CR at half reaches RD with all in {part}", [difference]))
    return found


def _marks(tested: comparison_results.Tested, differences: Sequence[Difference]) -> dict[str, str]:
    """Returns cell -> mark of the pretexts that a claim rests on and that were not learned."""
    cells = dict.fromkeys(cell for one in differences for cell in (one.one, one.other))
    marks = {" ".join(cell): tested.mark(cell[1], *tested.common(cell)) for cell in cells}
    return {name: mark for name, mark in marks.items() if mark}


def table(judged: Sequence[Mapping[str, Any]]) -> str:
    """Returns the claims as Markdown; distances in mm, the rest as shares."""
    header = ("claim", "verdict", "folds x seeds", "differences, more is better [95% interval]")
    rows = []
    for one in judged:
        cells = [
            f"{part['name']}: {bootstrap.text(part)}{_left_out(part)}"
            for part in one["numbers"]
            if part["value"] is not None
        ]
        cells += [f"{name}: {mark}" for name, mark in one["marks"].items()]
        runs = ", ".join(sorted({part["runs"] for part in one["numbers"] if part["runs"]}))
        rows.append((one["claim"], one["verdict"], runs or "-", "; ".join(cells) or "-"))
    return "\n".join(markdown.table(header, rows)) + "\n"


def _left_out(part: Mapping[str, Any]) -> str:
    """How many values only one side has; "" if there are none."""
    if not any(part["unpaired"]):
        return ""
    return " (only one side has {} and {} values: left out)".format(*part["unpaired"])
