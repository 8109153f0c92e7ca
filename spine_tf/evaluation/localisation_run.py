"""Localisation models on test volumes: slices of three views -> runs -> boxes -> errors in mm.

Source: de Vos 2017 (the scheme); Chen 2019, localisation of abdominal organs; methods 3.6.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.data import records
from spine_tf.evaluation import bootstrap, boxes, cut_by_truth, examples, fold, localisation
from spine_tf.evaluation import options as options_lib
from spine_tf.tasks.downstream import localisation as localisation_task

CASES = "cases.csv"


@dataclasses.dataclass(frozen=True)
class _Cases:
    """Cases with all three views.

    Attributes:
        rows: [cases] an index row of each.
        predicted: [cases, organs, 3, 2] mm, see `boxes`; NaN where nothing was found.
        true: [cases, organs, 3, 2] mm; NaN where the case lacks the organ.
        means: [cases, organs, 3, 2] what stands in for an organ that was not found.
        fold: [cases] number of the fold.
    """

    rows: list[Mapping[str, Any]]
    predicted: np.ndarray
    true: np.ndarray
    means: np.ndarray
    fold: np.ndarray


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates localisation models; cases of folds are pooled.

    An organ that was not found gets the mean box of the training cases. With another data set than
    that of the training there is none: then it has no error, and counts as a miss alone.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> rows of a CSV file: a line per case.

    Raises:
        ValueError: If the folds have different organs, or no test case has label maps in three
            views.
    """
    organs = folds[0].folder.task.organs
    others = [one.folder.task.organs for one in folds if one.folder.task.organs != organs]
    if others:
        raise ValueError(
            f"`model_dir` must hold folds of the same organs, got {', '.join(organs)} and"
            f" {', '.join(others[0])}. Train with `organs` given."
        )
    found = _joined([_cases(one, number, options) for number, one in enumerate(folds)])
    if not found.rows:
        raise ValueError(
            f"{folds[0].test.folder}: must hold test volumes with label maps in the views"
            f" {', '.join(boxes.VIEWS)}, got none. Convert with --views."
        )
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in found.rows])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    results = {
        "cases": len(found.rows),
        "subjects": len({row["subject"] for row in found.rows}),
        cut_by_truth.NAME: cut_by_truth.count(folds),
        "has_training_boxes": all(one.train is not None for one in folds),
        "organs": localisation.evaluate(
            found.predicted, found.true, found.means, organs, units, counts
        ),
    }
    return results, {CASES: _table(found, organs)}


# === Boxes of cases ===


def true_boxes(
    index: records.Index, labels: Sequence[int]
) -> tuple[list[dict[str, list[Mapping[str, Any]]]], np.ndarray]:
    """Returns the cases of an index that have label maps in all three views, with their boxes.

    Args:
        index: Records of kind `slice`.
        labels: Label of each organ.

    Returns:
        Per case view -> rows of its slices, in order; and boxes [cases, organs, 3, 2] mm around
        the slices that show the organ, NaN where a view shows none.
    """
    cases: dict[str, dict[str, list]] = {}
    for (case, view), numbers in records.cases(index).items():
        rows = [index.rows[number] for number in numbers]
        if view in boxes.VIEWS and all(row["label_pixels"] is not None for row in rows):
            cases.setdefault(case, {})[view] = rows
    whole = [views for _, views in sorted(cases.items()) if len(views) == len(boxes.VIEWS)]
    found = np.full((len(whole), len(labels), 3, 2), np.nan)
    for number, views in enumerate(whole):
        for organ, label in enumerate(labels):
            runs = [_run(views[view], label) for view in boxes.VIEWS]
            found[number, organ] = boxes.from_runs(runs, _pitches_mm(views))
    return whole, found


def _run(rows: Sequence[Mapping[str, Any]], label: int) -> tuple[int, int] | None:
    """The first and the last slice that show a label."""
    shown = [row["position"] for row in rows if str(label) in row["label_pixels"]]
    return (min(shown), max(shown)) if shown else None


def _pitches_mm(views: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[float]:
    """[3] distance between the slices of each view."""
    return [views[view][0]["spacing_mm"][0] for view in boxes.VIEWS]


def _cases(one: fold.Fold, number: int, options: options_lib.Options) -> _Cases:
    made: localisation_task.Localisation = one.folder.task
    whole, true = true_boxes(one.test, made.labels)
    probability = _probabilities(one, options.batch_size) if whole else {}
    predicted = np.full_like(true, np.nan)
    for case, views in enumerate(whole):
        of_views = [
            _of_positions(views[view], probability, len(made.organs)) for view in boxes.VIEWS
        ]
        predicted[case] = boxes.from_probabilities(of_views, _pitches_mm(views), boxes.RunRule())
    return _Cases(
        rows=[views[boxes.VIEWS[0]][0] for views in whole],
        predicted=predicted,
        true=true,
        means=np.broadcast_to(_mean_boxes(one), true.shape) if whole else true,
        fold=np.full(len(whole), number),
    )


def _mean_boxes(one: fold.Fold) -> np.ndarray:
    """[organs, 3, 2] of the training cases; NaN without them."""
    labels = one.folder.task.labels
    if one.train is None:
        return np.full((len(labels), 3, 2), np.nan)
    return boxes.mean_boxes(true_boxes(one.train, labels)[1])


def _probabilities(one: fold.Fold, batch_size: int) -> dict[str, np.ndarray]:
    """Key of a slice -> probability [organs] that it shows each."""
    model, items, found = one.folder.load_model(), examples.all_items(one), {}

    @tf.function(autograph=False)
    def show(inputs):
        logits = model(inputs, training=False)[localisation_task.ORGANS]
        return tf.sigmoid(tf.cast(logits, tf.float32))

    for positions, batch in examples.batches(one, items, batch_size):
        shown = show(dict(batch.inputs)).numpy()
        keys = (one.test.rows[record]["key"] for record in items[positions, 0])
        found |= dict(zip(keys, shown, strict=False))
    return found


def _of_positions(rows, probability: Mapping[str, np.ndarray], num_organs: int) -> np.ndarray:
    """[positions of the view, organs]; 0 where a slice was left out at conversion."""
    found = np.zeros((rows[0]["num_positions"], num_organs))
    for row in rows:
        found[row["position"]] = probability[row["key"]]
    return found


def _joined(parts: Sequence[_Cases]) -> _Cases:
    """The cases of all folds."""
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("predicted", "true", "means", "fold")
    }
    return _Cases(rows=[row for part in parts for row in part.rows], **arrays)


# === Files and table ===


def _table(found: _Cases, organs: Sequence[str]) -> list[list[Any]]:
    """A line per case; empty where it lacks the organ, or nothing can stand in for a miss."""
    errors = localisation.errors(found.predicted, found.true, found.means)
    is_found = boxes.is_box(found.predicted)
    names = ("centroid_mm", "wall_mm")
    header = ["case", "subject", "fold"]
    header += [f"{organ}_{name}" for organ in organs for name in (*names, "found")]
    table = []
    for case, row in enumerate(found.rows):
        cells = [row["case"], row["subject"], int(found.fold[case])]
        for organ in range(len(organs)):
            values = [errors[name][case, organ] for name in names]
            cells += ["" if np.isnan(value) else f"{value:.6g}" for value in values]
            cells.append(int(is_found[case, organ]))
        table.append(cells)
    return [header, *sorted(table)]


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    header = f"{'':20}{'cases':>6}{'misses':>8}{'false':>7}  {'centroid, mm':28}wall, mm"
    table = [header]
    for organ, found in results["organs"].items():
        cells = [bootstrap.text(found[name]) for name in ("centroid_mm", "wall_mm")]
        false = f"{found['found_where_absent']}/{found['absent']}"
        numbers = f"{found['cases']:6}{found['misses']:8}{false:>7}"
        table.append(f"{organ:20}{numbers}  {cells[0]:28}{cells[1]}")
    return table + cut_by_truth.lines(results)
