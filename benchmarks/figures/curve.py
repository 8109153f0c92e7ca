"""Fig. 8: accuracy over the number of training scans, a line per regime."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure

from benchmarks.figures import sheet
from data_prep import paper_cohort

# Regime -> what a person reads, colour, marker.
REGIMES = {
    "strong": ("strongly supervised", "#2c8c4a", "s"),
    "longitudinal_finetuned": ("longitudinal, fine-tuned", "#7fb3d8", "^"),
    "longitudinal_frozen": ("longitudinal, frozen", "#1b6ca8", "o"),
    "context_restoration": ("context restoration", "#8a5fb0", "v"),
    "scratch": ("from scratch", "#c0392b", "D"),
    "frozen_random": ("random, frozen", "#777777", "X"),
}
_WIDTH, _HEIGHT = 9.5, 5.6
_BOX = (0.085, 0.235, 0.62, 0.655)  # of the axes: left, bottom, width, height
_SHIFT = 7  # scans between the regimes' marks, so that intervals do not hide each other


def draw(path: str) -> figure.Figure:
    """Draws the JSON of benchmarks/learning_curve.py.

    Source: Jamaludin 2017, Fig. 8.

    Raises:
        ValueError: If the file holds no points, or an unknown regime.
    """
    points = _read(path)
    page = sheet.Sheet(_WIDTH, _HEIGHT, "Accuracy over the number of training scans")
    axes = page.figure.add_axes(_BOX)
    shown = [name for name in REGIMES if any(point["regime"] == name for point in points)]
    for number, name in enumerate(shown):
        shift = _SHIFT * (number - (len(shown) - 1) / 2)
        _draw_line(axes, [p for p in points if p["regime"] == name], name, shift)
    ticks = {point["scans"]: point["subjects"] for point in points}
    axes.set_xticks(list(ticks), [f"{scans}\n({n} subjects)" for scans, n in ticks.items()])
    axes.set(xlabel="training scans", ylabel="average class accuracy, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=10)
    for line, words in enumerate(_caption(points)):
        page.text(0.15, _HEIGHT - 0.5 + 0.19 * line, words, size=9, color=sheet.GREY, ha="left")
    return page.figure


def _read(path: str) -> list[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        points = json.load(file).get("points", [])
    unknown = sorted({point["regime"] for point in points} - set(REGIMES))
    if not points or unknown:
        raise ValueError(
            f"`learning_curve` must hold points of {', '.join(REGIMES)}, got"
            f" {', '.join(unknown) or 'none'} in {path}."
        )
    return sorted(points, key=lambda point: point["scans"])


def _draw_line(
    axes: mpl_axes.Axes, points: Sequence[Mapping[str, Any]], name: str, shift: float
) -> None:
    title, color, marker = REGIMES[name]
    mean, low, high = (
        100 * np.array([point[key] for point in points], float) for key in ("mean", "low", "high")
    )
    axes.errorbar(
        np.array([point["scans"] for point in points]) + shift,
        mean,
        yerr=(mean - low, high - mean),
        color=color,
        marker=marker,
        markersize=6,
        capsize=3,
        label=title,
    )


def _caption(points: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the intervals are, and which points are not there."""
    seeds = sorted({point["seeds"] for point in points})
    count = f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"{seeds[0]}"
    over = "One seed" if seeds == [1] else f"Mean of {count} seeds"
    words = f"{over}, 95 % intervals over test subjects. Marks are moved sideways."
    sizes = sorted({point["subjects"] for point in points} | set(paper_cohort.SIZES))
    there = {(point["regime"], point["subjects"]) for point in points}
    missing = []
    for name, (title, _, _) in REGIMES.items():
        left_out = [str(size) for size in sizes if (name, size) not in there]
        if left_out:
            missing.append(title + (f" at {', '.join(left_out)}" * (len(left_out) < len(sizes))))
    lines = [words]
    if missing:
        lines += textwrap.wrap(f"Not run: {'; '.join(missing)}.", 135)
    return lines
