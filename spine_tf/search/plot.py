"""The picture of a search: the objective by trial and by every setting."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from spine_tf.search import outcome, space

_DONE, _FAILED, _BEST = "#1b6ca8", "#d1603d", "#0f2f4a"
_COLUMNS = 3
_JITTER = 0.12  # of choices, so that equal values do not hide each other


def objectives(found: Sequence[outcome.Outcome], searched: space.Space, name: str) -> figure.Figure:
    """Draws the objective of every trial, in their order and by each setting.

    Args:
        found: The trials, at least one of them done.
        searched: The space.
        name: The objective.
    """
    count = 1 + len(searched.dimensions)
    rows = -(-count // _COLUMNS)
    made = figure.Figure(figsize=(3.6 * _COLUMNS, 3.0 * rows), layout="constrained")
    axes = made.subplots(rows, _COLUMNS, sharey=True, squeeze=False)
    done = [one for one in found if one.status == outcome.DONE]
    _by_trial(axes.flat[0], found, done)
    for one, dimension in zip(axes.flat[1:], searched.dimensions, strict=False):
        _by_setting(one, done, dimension)
    for one in axes.flat[count:]:
        one.set_visible(False)
    for one in axes[:, 0]:
        one.set_ylabel(name)
    for one in axes.flat:
        one.spines[["top", "right"]].set_visible(False)
    made.suptitle(f"{name}: {len(done)} of {len(found)} trials", fontsize=11)
    return made


def _by_trial(axes: Any, found, done) -> None:
    numbers = np.array([one.trial for one in done])
    values = np.array([one.objective for one in done])
    axes.scatter(numbers, values, s=18, color=_DONE, label="trial", zorder=3)
    steps = np.maximum.accumulate(values)
    axes.step(numbers, steps, where="post", color=_BEST, linewidth=1.2, label="best so far")
    failed = [one.trial for one in found if one.status == outcome.FAILED]
    if failed:
        bottom = np.full(len(failed), values.min())
        axes.scatter(failed, bottom, s=30, marker="x", color=_FAILED, label="failed")
    axes.set_xlabel("trial")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(
        fontsize=8, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderpad=0
    )


def _by_setting(axes: Any, done, dimension: space.Dimension) -> None:
    shown = [one for one in done if dimension.name in one.values]
    values = [one.values[dimension.name] for one in shown]
    heights = [one.objective for one in shown]
    if dimension.kind == space.CHOICES:
        places = np.array([dimension.values.index(value) for value in values], float)
        places += _JITTER * np.sin(2.4 * np.arange(len(places)))
        axes.set_xticks(range(len(dimension.values)), [_text(v) for v in dimension.values])
        axes.set_xlim(-0.5, len(dimension.values) - 0.5)
    else:
        places = np.array(values, float)
        axes.set_xscale(dimension.kind)
        axes.set_xlim(*dimension.values)
    axes.scatter(places, heights, s=18, color=_DONE, alpha=0.8)
    axes.set_xlabel(dimension.name)


def _text(value: Any) -> str:
    return f"{value:g}" if type(value) is float else str(value)
