"""Each claim of Chen 2019 as held, not held or undecided here, with its intervals.

A claim is a lower bound of 0 on differences, in which more is better: distances are taken negative.
It is held if every 95% interval is at or above 0, not held if one is wholly below, and undecided
otherwise; "not run" if a difference is missing. Each task judges the claims on its own measures.

Source: Chen 2019, Tables 3 to 5. The data here are others, and the networks smaller: the verdicts
say whether a claim carries over, and reproduce nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import claims, comparison_results, comparison_scores
from spine_tf.evaluation import bootstrap, contrasts

Cell = comparison_results.Cell
_RESTORATION, _RANDOM, _AUGMENTED = "CR", "RD", "RD+AG"
_WHOLE, _HALF = "percent100", "percent50"


def judge(tested: comparison_results.Tested) -> list[dict[str, Any]]:
    """Returns the claims with their verdicts, see `benchmarks.claims.judge`."""
    listed = _claims(tested)
    names = {name for claim in listed for name, _ in claim.bounds}
    found = {name: _difference(tested, name) for name in names}
    return [claims.judge(claim, {k: v for k, v in found.items() if v}) for claim in listed]


def _claims(tested: comparison_results.Tested) -> list[claims.Claim]:
    starts: dict[str, list[str]] = {}
    for amount, start in tested.cases:
        starts.setdefault(amount, []).append(start)
    found, claimed = [], comparison_scores.CLAIMED[tested.task]
    for amount, names in starts.items():
        rivals = [name for name in names if name in _RIVALS]
        for measure in claimed if _RESTORATION in names and rivals else ():
            bounds = [_name(measure, (amount, _RESTORATION), (amount, name)) for name in rivals]
            found.append(_claim(f"CR is best of {amount} in {measure}", bounds))
        if {_AUGMENTED, _RANDOM} <= set(names):
            bound = _name(claimed[0], (amount, _AUGMENTED), (amount, _RANDOM))
            found.append(_claim(f"augmentation helps at {amount} in {claimed[0]}", [bound]))
    bound = _name(claimed[0], (_HALF, _RESTORATION), (_WHOLE, _RANDOM))
    return [*found, _claim(f"CR at half reaches RD with all in {claimed[0]}", [bound])]


_RIVALS = ("RD", "RD+AG", "AE", "RP", "JS", "CP")


def _claim(text: str, names: Sequence[str]) -> claims.Claim:
    return claims.Claim(text, text, tuple((name, 0.0) for name in names))


def _name(measure: str, one: Cell, other: Cell) -> str:
    return f"{measure}: {' '.join(one)} - {' '.join(other)}"


def _difference(tested: comparison_results.Tested, name: str) -> dict[str, Any] | None:
    measure, _, cells = name.partition(": ")
    one, other = (tuple(text.split(" ")) for text in cells.split(" - "))
    folds, seeds = tested.common(one, other)
    if not seeds:
        return None
    scores = tested.scores([one, other], folds, seeds)
    sign = -1.0 if measure.endswith("_mm") else 1.0
    parts = [(sign, scores[one][measure]), (-sign, scores[other][measure])]
    summed = contrasts.weighted_sum(parts)
    return bootstrap.interval(summed.value, summed.drawn)


def table(judged: Sequence[Mapping[str, Any]]) -> str:
    """Returns the claims as Markdown; distances in mm, the rest as shares."""
    lines = ["| claim | verdict | differences, more is better [95% interval] |", "| --- " * 3 + "|"]
    for one in judged:
        cells = [
            f"{part['name'].partition(': ')[2]}: {bootstrap.text(part)}"
            for part in one["numbers"]
            if part["value"] is not None
        ]
        lines.append(f"| {one['claim']} | {one['verdict']} | {'; '.join(cells) or '-'} |")
    return "\n".join(lines) + "\n"
