"""Pictures of an evaluation; each function returns a matplotlib figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from spine_tf.evaluation import bootstrap

_SAME, _DIFFERENT, _PLAIN, _STUDY = "#1b6ca8", "#d1603d", "#8a8a8a", "#0f2f4a"
_LINES = ((0, (1, 3)), ":", "--", "-")
_DPI = 130
_SHORT_NAME = 5  # letters that fit under a column


def save_options() -> dict[str, Any]:
    """Returns what `Figure.savefig` shall be given, so that equal figures are equal bytes."""
    return {"format": "png", "dpi": _DPI, "metadata": {"Software": None}}


def _figure(width: float, height: float) -> tuple[figure.Figure, Any]:
    made = figure.Figure(figsize=(width, height), layout="constrained")
    return made, made.add_subplot()


def _tidy(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def roc_curves(
    curves: Mapping[str, tuple[tuple[np.ndarray, np.ndarray], Mapping[str, Any]]], what: str
) -> figure.Figure:
    """Draws ROC curves.

    Args:
        curves: Name -> ((false positive rate, true positive rate), area with its interval).
        what: What was evaluated; second line of the title.
    """
    made, axes = _figure(5.2, 5.2)
    for (name, ((false_rate, true_rate), area)), color in zip(
        curves.items(), (_SAME, _PLAIN, _STUDY), strict=False
    ):
        label = f"{name}: AUC {bootstrap.text(area)}"
        axes.plot(false_rate, true_rate, color=color, linewidth=1.8, label=label)
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.7, linestyle=":", label="chance")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.005),
        aspect="equal",
        xlabel="different subjects called the same",
        ylabel="same subject recognised",
    )
    axes.set_title(f"Same subject or different?\n{what}", fontsize=10)
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    _tidy(axes)
    return made


def distance_histogram(
    histogram: Mapping[str, Sequence[float]],
    title: str,
    unit: str = "",
    thresholds: Mapping[str, float] | None = None,
) -> figure.Figure:
    """Draws the shares of pairs per bin of distance.

    Args:
        histogram: "edges", and the shares "same" and "different".
        title: Title.
        unit: What follows the name of the axis.
        thresholds: Name -> distance, each a line.
    """
    made, axes = _figure(6.4, 4.0)
    edges = np.asarray(histogram["edges"])
    for name, label, color in (
        ("different", "different subjects", _DIFFERENT),
        ("same", "same subject", _SAME),
    ):
        share = 100 * np.asarray(histogram[name])
        axes.stairs(share, edges, fill=True, color=color, alpha=0.45, label=label)
        axes.stairs(share, edges, color=color, linewidth=1.0)
    axes.set(
        xlim=(edges[0], edges[-1]), xlabel=f"distance of the embeddings{unit}", ylabel="% of pairs"
    )
    for (label, value), style in zip((thresholds or {}).items(), _LINES, strict=False):
        axes.axvline(value, color="black", linewidth=0.9, linestyle=style, label=label)
    axes.set_title(title, fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    _tidy(axes)
    return made


def confusion_matrix(
    confusion: np.ndarray,
    names: Sequence[int | str],
    title: str,
    what: str,
    labels: tuple[str, str] = ("predicted grade", "grade by the reader"),
) -> figure.Figure:
    """Draws a confusion matrix with counts and percent of each row.

    Args:
        confusion: [true, predicted] counts.
        names: The published grades, or names of classes.
        title: Title of the grading.
        what: What was evaluated; second line of the title.
        labels: What stands at the axes of the columns and of the rows.
    """
    size = 1.6 + 0.85 * len(names)
    made, axes = _figure(size + 1.0, size + 0.4)
    percent = 100 * confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for row, column in np.ndindex(confusion.shape):
        if confusion[row].sum():
            axes.text(
                column,
                row,
                f"{int(confusion[row, column])}\n{percent[row, column]:.0f}%",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if percent[row, column] > 60 else "black",
            )
    places = range(len(names))
    is_long = max(len(str(name)) for name in names) > _SHORT_NAME
    axes.set_xticks(places, [str(name) for name in names], rotation=90 if is_long else 0)
    axes.set_yticks(
        places, [f"{name}  (n={int(n)})" for name, n in zip(names, confusion.sum(1), strict=True)]
    )
    axes.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_title(f"{title}\n{what}", fontsize=10)
    axes.spines[:].set_visible(False)
    return made
