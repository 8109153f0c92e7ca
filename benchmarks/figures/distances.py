"""Fig. 6: distances of positive and negative pairs, and the ROC they give."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from benchmarks.figures import sheet
from spine_tf.evaluation import plots

_HEIGHT, _WIDTHS = 4.7, (5.6, 4.7)
_TOP = 0.45


def draw(path: str) -> figure.Figure:
    """Draws the histogram of an evaluation.json of `spine-tf evaluate`, and its ROC.

    The file holds shares of pairs per bin of distance, so the curve has a point per bin; the area
    and its interval are those of the file, from every pair. Source: Jamaludin 2017, Fig. 6.

    Raises:
        ValueError: If the file is not an evaluation of pairs of both kinds.
    """
    results, source = _read(path)
    counts, area = results["counts"], results["model"]["auc"]
    what = (
        f"{counts['positives']} positive, {counts['negatives']} negative pairs of"
        f" {counts['subjects']} subjects"
    )
    note = sheet.PHANTOM if source == "phantom" else source
    page = sheet.Sheet(
        sum(_WIDTHS), _TOP + _HEIGHT, "Positive and negative pairs of the test set", note
    )
    parts = (
        plots.distance_histogram(results["histogram"], f"Distances\n{what}"),
        plots.roc_curves({"embedding": (_curve(results["histogram"]), area)}, what),
    )
    for part, left, width in zip(parts, (0, _WIDTHS[0]), _WIDTHS, strict=True):
        part.set_size_inches(width, _HEIGHT)
        page.insert(part, left, _TOP)
    return page.figure


def _read(path: str) -> tuple[dict[str, Any], str]:
    """The results, and where the data of the model come from."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    results = content.get("results", {})
    if content.get("task") != "longitudinal" or not _has_both(results.get("histogram")):
        raise ValueError(
            "`evaluation` must be an evaluation.json of a longitudinal model with positive and"
            f" negative pairs, got {path}. Make it with `spine-tf evaluate`."
        )
    return results, content["model_data"]["source"]


def _has_both(histogram: Mapping[str, Sequence[float]] | None) -> bool:
    return bool(histogram and sum(histogram["same"]) and sum(histogram["different"]))


def _curve(histogram: Mapping[str, Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates where the threshold is an edge of a bin."""
    different, same = (
        np.minimum(np.append(0.0, np.cumsum(histogram[name])), 1.0)
        for name in ("different", "same")
    )
    return different, same
