"""The page on drift: conclusion, a table of all groups, and plots of what moved."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from data_prep import page_template
from export import drift_groups, drift_stats, drift_words
from spine_tf.evaluation import plots

_MOST_PLOTS = 4  # of a group
_MOST_GROUPS = 6  # with plots
_TRAINING, _SAMPLE = "#8a8a8a", "#d1603d"
_BINS = 24


def to_html(
    content: Mapping[str, Any],
    groups: Sequence[drift_groups.Group],
    blamed: Sequence[drift_groups.Group],
    known: drift_groups.Rows,
    sample: drift_groups.Rows,
) -> str:
    """Returns drift.html: self-contained, with pictures inside.

    Args:
        content: Of drift.json.
        groups: All groups.
        blamed: Those that moved by themselves.
        known: Training discs.
        sample: Scored discs.
    """
    names = list(dict.fromkeys(m.name for group in groups for m in group.measures))
    return page_template.load(__file__, "drift.html").render(
        content=content,
        names=names,
        rows=[_row(group, names) for group in groups],
        plots=[
            {"title": group.title, "compared_with": group.reference, "pictures": pictures}
            for group in [groups[0], *blamed][:_MOST_GROUPS]
            if (pictures := list(_pictures(group, known, sample)))
        ],
    )


def _row(group: drift_groups.Group, names: Sequence[str]) -> dict[str, Any]:
    """A group as a row: a cell per measure, None where it has not this measure."""
    by_name = {measure.name: measure for measure in group.measures}
    cells = [by_name.get(name) for name in names]
    return {"group": group, "cells": [measure and _cell(measure) for measure in cells]}


def _cell(measure: drift_groups.Measure) -> dict[str, str]:
    title = f"{drift_words.describe(measure)}, p {measure.p_holm:.2g}"
    return {"psi": f"{measure.moved.psi:.2f}", "status": measure.status, "title": title}


def _pictures(
    group: drift_groups.Group, known: drift_groups.Rows, sample: drift_groups.Rows
) -> Iterator[dict[str, str]]:
    """The measures of a group that are farthest off, drawn."""
    reference, rows, _ = drift_groups.select(known, sample, group.kind, group.name)
    for measure in sorted(group.measures, key=lambda m: -m.moved.psi)[:_MOST_PLOTS]:
        if not measure.is_mix:
            drawn = _histogram(reference.numbers[measure.name], rows.numbers[measure.name])
        elif measure.name in drift_groups.MIXES:
            name = drift_groups.MIXES[measure.name]
            drawn = _bars(getattr(known, name), getattr(rows, name))
        else:
            name = measure.name.removesuffix(drift_groups.GRADES)
            drawn = _bars(reference.classes[name], rows.classes[name])
        text = drift_words.describe(measure)
        yield {"png": _png(drawn), "caption": f"{text}: {measure.status}"}


def _figure() -> tuple[figure.Figure, Any]:
    made = figure.Figure(figsize=(3.2, 2.1), layout="constrained")
    axes = made.add_subplot()
    axes.tick_params(labelsize=7)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_yticks([])
    return made, axes


def _histogram(reference: np.ndarray, sample: np.ndarray) -> figure.Figure:
    made, axes = _figure()
    low, high = np.quantile(np.concatenate([reference, sample]), [0.002, 0.998])
    bins = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
    for values, color, name in ((reference, _TRAINING, "training"), (sample, _SAMPLE, "scored")):
        shares = np.full(len(values), 1 / len(values))
        axes.hist(values, bins, weights=shares, color=color, alpha=0.35)
        axes.hist(values, bins, weights=shares, color=color, histtype="step", label=name)
    for edge in drift_stats.edges(reference):
        axes.axvline(edge, color="black", linewidth=0.4, alpha=0.3)
    axes.legend(fontsize=7, frameon=False)
    return made


def _bars(reference: np.ndarray, sample: np.ndarray) -> figure.Figure:
    made, axes = _figure()
    names = np.unique(np.concatenate([reference, sample]))
    counts = drift_groups.class_counts(reference, sample)
    for i, (one, color, name) in enumerate(
        zip(counts, (_TRAINING, _SAMPLE), ("training", "scored"), strict=True)
    ):
        where = np.arange(len(names)) + 0.4 * i - 0.2
        axes.bar(where, one / max(1, one.sum()), 0.38, color=color, label=name)
    axes.set_xticks(range(len(names)), [str(name) for name in names])
    axes.margins(y=0.3)  # for the legend
    axes.legend(fontsize=7, frameon=False)
    return made


def _png(drawn: figure.Figure) -> str:
    content = io.BytesIO()
    drawn.savefig(content, **plots.save_options())
    return base64.b64encode(content.getvalue()).decode()
