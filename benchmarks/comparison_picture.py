"""The picture of the comparison: every start's value, and below it what it gains over RD.

Differences are paired over subjects, so they tell far smaller gains than the intervals of values
that stand side by side.
"""

import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from matplotlib import axes as axes_lib
from matplotlib import figure

from benchmarks import comparison_jobs, comparison_scores

_COLORS = {
    "RD": "#7f7f7f",
    "AE": "#1f77b4",
    "RP": "#4d9221",
    "JS": "#8e5ea2",
    "CP": "#b8860b",
    "CR": "#d1495b",
    "LO": "#17868c",
    comparison_scores.RIDGE: "#8c564b",
}
_OTHERS = {"RD": "random weights", "LO": "a given encoder"}
_LONGER = comparison_jobs.LONGER
_BOTH = comparison_jobs.AUGMENTED + _LONGER
_MARKERS = {"": "o", _LONGER: "D", comparison_jobs.AUGMENTED: "s", _BOTH: "P"}
_MARKERS |= {comparison_jobs.FROZEN: "v"}
_ENDS = {
    comparison_jobs.AUGMENTED: "+AG augmented images (squares)",
    _LONGER: "+LT longer training, by as many steps as a pretext has (diamonds; with +AG crosses)",
    comparison_jobs.FROZEN: "-frozen the encoder as it is (triangles)",
}
_INCHES = 0.42  # of a start
_LEAST_INCHES = 4.6  # for the title
_LETTERS = 14  # of the key on an inch
_BESIDE = 0.45  # of the place of a start
_GREY = "#999999"
_BLACK = "#111111"
Row = Mapping[str, Any]


def draw(content: Mapping[str, Any]) -> figure.Figure:
    """Draws the measure that stands for the task from the content of the results file.

    Above stand the rows of all folds; below, minus RD of the same folds, those of some folds, too.
    Beside what a start gains over RD stands what it gains over RD that is most like it: augmented,
    frozen, trained as long. Amounts and starts always come in the same order, and a start always
    has the same colour.
    """
    measure = comparison_scores.HEADLINES[content["task"]]
    rows = [row for row in content["rows"] if row["measures"][measure]["value"] is not None]
    most = max((len(row["folds"]) for row in rows), default=0)
    places = dict(_places(rows))
    wide = max(_LEAST_INCHES, 2.2 + _INCHES * (len(places) + 2))
    made = figure.Figure(figsize=(wide, 6.0), layout="constrained")
    above, below = made.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for row in rows:
        if len(row["folds"]) == most:
            place = places[row["amount"], row["start"]]
            _draw_row(above, place, row, row["measures"][measure], row["by_seed"][measure])
    beside = set()
    alike = _most_alike(content["contrasts"])
    for one in content["contrasts"]:
        place = places.get((one["amount"], one["start"]))
        if place is None or one["value"] is None:
            continue
        star = "*" if len(one["folds"]) < most else ""
        if one["base"] == "RD":
            _draw_row(below, place, one, one, one["by_seed"], star)
        elif one["base"] == alike.get((one["amount"], one["start"])):
            beside.add(one["base"])
            _draw_row(below, place + _BESIDE, one, one, one["by_seed"], is_beside=True)
    below.axhline(0, color=_GREY, linewidth=0.8, zorder=0)
    above.set_ylabel(_words(measure))
    below.set_ylabel("minus RD, paired")
    amounts = list(dict.fromkeys(amount for amount, _ in places))
    below.set_xticks([_middle(places, amount) for amount in amounts], map(_amount, amounts))
    above.tick_params(axis="x", length=0)
    below.tick_params(axis="x", length=0)
    below.set_xlabel("labelled training subjects")
    for axes in (above, below):
        axes.margins(y=0.14)
        axes.set_xlim(-0.8, max(places.values(), default=0) + 0.8)
        axes.spines[["top", "right"]].set_visible(False)
    of = f" of {content['about']}" if content["about"] else ""
    made.suptitle(f"{content['task']}{of}, by labelled subjects and start", fontsize=11)
    width = int(wide * _LETTERS)
    key = [part for words in _key(rows, most, beside) for part in textwrap.wrap(words, width)]
    made.supxlabel("\n".join(key), fontsize=7.5, color="#444444")
    return made


def _places(rows: Sequence[Row]) -> Iterator[tuple[tuple[str, str], int]]:
    """((amount, start), place from left to right), with a gap between amounts."""
    colors, markers = list(_COLORS), list(_MARKERS)

    def order(cell: tuple[str, str]) -> tuple[bool, int, int, int]:
        plain, end = _parted(cell[1])
        return (*comparison_jobs.rank(cell[0]), colors.index(plain), markers.index(end))

    cells = sorted(((row["amount"], row["start"]) for row in rows), key=order)
    amounts = list(dict.fromkeys(amount for amount, _ in cells))
    for number, cell in enumerate(cells):
        yield cell, number + amounts.index(cell[0])


def _parted(start: str) -> tuple[str, str]:
    """The name without "+AG", "-frozen" or "+LT", and that."""
    plain = comparison_jobs.plain(start)
    return plain, start.removeprefix(plain)


def _amount(amount: str) -> str:
    is_share, number = comparison_jobs.rank(amount)
    return f"{number} %" if is_share else str(number)


def _most_alike(contrasts: Sequence[Row]) -> dict[tuple[str, str], str]:
    """(amount, start) -> the kind of RD that is most like the start: the last it is set against."""
    pairs = [((one["amount"], one["start"]), one["base"]) for one in contrasts]
    return {cell: base for cell, base in pairs if base != comparison_scores.RIDGE}


def _middle(places: Mapping[tuple[str, str], int], amount: str) -> float:
    found = [place for (of, _), place in places.items() if of == amount]
    return (min(found) + max(found)) / 2


def _words(measure: str) -> str:
    if measure.endswith("_mm"):
        return f"{measure.removesuffix('_mm').replace('_', ' ')}, mm (less is better)"
    return measure.replace("_", " ")


def _draw_row(
    axes: axes_lib.Axes,
    x: float,
    row: Row,
    found: Row,
    by_seed: Sequence[float | None],
    star: str = "",
    is_beside: bool = False,
) -> None:
    """A line for the interval, a sign for the value, a tick for every seed, and the start.

    One that stands beside its start is black, and has no name of its own.
    """
    plain, end = _parted(row["start"])
    color = _BLACK if is_beside else _COLORS[plain]
    low, high = (found["value"] if found[side] is None else found[side] for side in ("low", "high"))
    axes.plot([x, x], [low, high], color=color, linewidth=1.6)
    inside = "white" if row["mark"] else color
    axes.plot(x, found["value"], _MARKERS[end], color=color, markerfacecolor=inside)
    there = [value for value in by_seed if value is not None]
    if not is_beside:
        axes.annotate(
            row["start"]
            .replace("-", "-\n")
            .replace(_LONGER, f"\n{_LONGER}")
            .replace("ordinal ", "")
            + star,
            (x, max([high, *there])),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=color,
        )
    if len(there) > 1:
        axes.plot([x] * len(there), there, "_", color=color, markersize=9)


def _key(rows: Sequence[Row], most: int, beside: Collection[str]) -> Iterator[str]:
    """What the signs mean, so far as there are such."""
    yield "lines: 95 % bootstrap intervals over subjects" + (
        "; ticks: single seeds" if any(len(row["seeds"]) > 1 for row in rows) else ""
    )
    if any(row["mark"] for row in rows):
        yield "open signs: the pretext was not learned, in one run or more"
    if any(len(row["folds"]) < most for row in rows):
        yield f"*: not on all {most} folds, so only beside RD of the same ones"
    if beside:
        yield f"black: the start to its left minus {' or '.join(sorted(beside))}"
    names = {name: one.pretext.replace("_", " ") for name, one in comparison_jobs.PLAIN.items()}
    names |= _OTHERS
    parts = [_parted(row["start"]) for row in rows]
    shown, ends = {plain for plain, _ in parts}, " ".join(end for _, end in parts)
    words = [f"{name} {names[name]}" for name in names if name in shown]
    yield ", ".join(words + [text for end, text in _ENDS.items() if end in ends])
