"""Segmentation models on whole cases: measures per region and case, summaries, pictures.

Source: Chen 2019, Table 5; methods 3.7.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import figure

from spine_tf.data import records
from spine_tf.evaluation import (
    bootstrap,
    contours,
    cut_by_truth,
    fold,
    segmentation,
    segmentation_summary,
    whole_cases,
)
from spine_tf.evaluation import options as options_lib
from spine_tf.tasks.downstream import segmentation as segmentation_task

CASES, PICTURE = "cases.csv", "contours.png"
Regions = Mapping[str, Sequence[int]]


@dataclasses.dataclass(frozen=True)
class _Case:
    """The numbers of a case: its line, whose it is, its mean Dice; and a slice of it to show."""

    row: dict[str, Any]
    unit: str
    dice: float
    shown: contours.Shown


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates segmentation models; cases of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options; `tile_size` says whether slices are cut.

    Returns:
        The results, ready for JSON, and file name -> what is to be written: a line per case, and a
        picture of the best, the median and the worst case by mean Dice.

    Raises:
        ValueError: If no test case has label maps.
    """
    regions = regions_of(folds)
    cases = [
        case for number, one in enumerate(folds) for case in _cases(one, number, regions, options)
    ]
    if not cases:
        raise ValueError(
            f"`data_dir` must hold label maps of test cases, got none in {folds[0].test.folder}."
        )
    cases.sort(key=lambda case: (case.row["case"], case.row["view"]))
    rows = [case.row for case in cases]
    units, num_units = bootstrap.codes([case.unit for case in cases])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    results = {
        "cases": len(rows),
        "subjects": len({row["subject"] for row in rows}),
        "unlabelled_cases": sum(_unlabelled(one) for one in folds),
        cut_by_truth.NAME: cut_by_truth.count(folds),
        "tile_size": options.tile_size,
        "labels": {name: list(labels) for name, labels in regions.items()},
        "regions": segmentation_summary.evaluate(rows, regions, units, counts),
    }
    table = [list(rows[0]), *(_cells(row) for row in rows)]
    return results, {CASES: table, PICTURE: _picture(cases, regions)}


def regions_of(folds: Sequence[fold.Fold]) -> dict[str, tuple[int, ...]]:
    """Returns the regions that are measured, name -> labels.

    They are those of the task or, where it names none, one per label under the data set's name of
    it.
    """
    made: segmentation_task.Segmentation = folds[0].folder.task
    if made.regions:
        return dict(segmentation_task.parse_regions(made.regions))
    names = records.open_folder(folds[0].test.folder).label_names
    labels = sorted({label for one in folds for label in one.folder.task.labels})
    return {names.get(label, str(label)): (label,) for label in labels}


def _unlabelled(one: fold.Fold) -> int:
    return len(records.cases(one.test)) - len(whole_cases.labelled_cases(one.test))


def _cases(
    one: fold.Fold, number: int, regions: Regions, options: options_lib.Options
) -> Iterator[_Case]:
    segmented = whole_cases.segment(one, tile_size=options.tile_size, batch_size=options.batch_size)
    for case in segmented:
        facts, measures = (
            case.facts,
            segmentation.case_row(case.prediction, case.truth, case.spacing_mm, regions),
        )
        identity = {name: facts[name] for name in ("case", "subject", "view")} | {
            "fold": number,
            "slices": len(case.positions),
            "missing_slices": len(case.truth) - len(case.positions),
        }
        dice = float(np.mean([measures[f"{name}_dice"] for name in regions]))
        yield _Case(identity | measures, facts[options.bootstrap], dice, _shown(case))


def _shown(case: whole_cases.WholeCase) -> contours.Shown:
    """The slice with the most labelled pixels."""
    place = contours.fullest_slice(case.truth, case.positions)
    number = case.positions[place]
    return contours.Shown(
        image=case.images[place][..., 0],
        truth=case.truth[number],
        prediction=case.prediction[number],
        spacing_mm=case.spacing_mm[1:],
    )


def _cells(row: Mapping[str, Any]) -> list[Any]:
    """A line of the CSV file; what is not defined is empty."""
    return [
        ("" if np.isnan(value) else f"{value:.6g}") if isinstance(value, float) else value
        for value in row.values()
    ]


def _picture(cases: Sequence[_Case], regions: Regions) -> figure.Figure:
    """The best, the median and the worst case; of fewer cases, those there are."""
    order = sorted(cases, key=lambda case: -case.dice)
    chosen = {0: "best", len(order) // 2: "median", len(order) - 1: "worst"}
    if len(order) < 3:
        chosen = {0: "best", len(order) - 1: "worst"} if len(order) > 1 else {0: "the only"}
    slices = {
        f"{words} case, mean Dice {order[number].dice:.3f}": order[number].shown
        for number, words in chosen.items()
    }
    return contours.draw(slices, regions, f"{len(cases)} cases, the fullest slice of each")


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    names = segmentation.MEASURES
    table = [
        f"{results['cases']} cases of {results['subjects']} subjects, in 3-D",
        f"{'':20}" + "".join(f"{name:24}" for name in names).rstrip(),
    ]
    for region, found in results["regions"].items():
        cells = "".join(f"{bootstrap.text(found[name]):24}" for name in names)
        skipped = sum(found["hd95_skipped"].values())
        without = f"  {skipped} without hd95" if skipped else ""
        table.append((f"{region:20}" + cells).rstrip() + without)
    return table + cut_by_truth.lines(results)
