"""One evaluation: open, check, evaluate, write.

OUTPUT/evaluation.json   everything: numbers, intervals, counts, hashes
OUTPUT/*.png             pictures
OUTPUT/*.csv             a line per disc, image or case, see docs/evaluation.md
"""

import csv
import os
from collections.abc import Callable
from typing import Any

from matplotlib import figure

from spine_tf import files, tasks
from spine_tf.data import dataset_hash
from spine_tf.evaluation import (
    classification_run,
    fold,
    grading,
    localisation_run,
    plots,
    restoration,
    segmentation_run,
    tile_answers,
    verification,
)
from spine_tf.evaluation import options as options_lib
from spine_tf.training import model_folder, pretext_mark

FORMAT = "spine_tf evaluation/1"
EVALUATION = "evaluation.json"

# Task -> what has `evaluate`: (folds, options) -> results, files; and `lines`: results -> text.
_MODULES = {
    "longitudinal": verification,
    "strong": grading,
    **dict.fromkeys(("context_restoration", "autoencoder", "context_prediction"), restoration),
    **dict.fromkeys(("relative_positions", "jigsaw"), tile_answers),
    "grading": grading,
    "classification": classification_run,
    "localisation": localisation_run,
    "segmentation": segmentation_run,
}
EVALUATIONS: dict[str, Callable] = {name: module.evaluate for name, module in _MODULES.items()}
LINES: dict[str, Callable] = {name: module.lines for name, module in _MODULES.items()}


def evaluate(
    model_dir: str, data_dir: str, output_dir: str, options: options_lib.Options
) -> dict[str, Any]:
    """Evaluates a model, or the folds of one, and writes the results.

    Args:
        model_dir: A model folder, or a folder of folds.
        data_dir: A data set.
        output_dir: Folder of the results; made if missing.
        options: Options.

    Returns:
        The content of evaluation.json.

    Raises:
        FileNotFoundError: If a folder is not what it should be.
        ValueError: If the data set does not go with the model, see `fold.open_folds`, or there is
            no evaluation of the task.
    """
    folds = fold.open_folds(model_dir, data_dir, options)
    task = tasks.name_of(folds[0].folder.task)
    if task not in EVALUATIONS:
        raise ValueError(
            f"`model_dir` must hold a task among {', '.join(EVALUATIONS)}, got {task!r}."
        )
    results, written = EVALUATIONS[task](folds, options)
    content = {"format": FORMAT, "task": task} | _origin(folds, options) | {"results": results}
    os.makedirs(output_dir, exist_ok=True)
    for name, what in written.items():
        _write(os.path.join(output_dir, name), what)
    files.write_json(os.path.join(output_dir, EVALUATION), content)
    return content


def lines(content: dict[str, Any]) -> list[str]:
    """Returns the short table of the content of evaluation.json, with the mark of its start."""
    table = LINES[content["task"]](content["results"])
    unlearned = [one["task"] for one in content["starts"] if one.get("pretext_learned") is False]
    if unlearned:
        table.append(f"started from {', '.join(sorted(set(unlearned)))}: {pretext_mark.MARK}")
    if content["unchecked"]:
        table.append(f"subjects: {content['unchecked']}")
    return table


def _origin(folds: list[fold.Fold], options: options_lib.Options) -> dict[str, Any]:
    """Where the numbers come from; no path."""
    return {
        "split": "all records" if options.other_data else options.split,
        "protocols": [one.folder.protocol for one in folds],
        "unchecked": "; ".join(sorted({one.unchecked for one in folds} - {""})),
        "starts": [pretext_mark.start(one.folder.path) for one in folds],
        "bootstrap": {
            "over": options.bootstrap,
            "draws": options.num_draws,
            "seed": options.seed,
        },
        "model_data": dict(folds[0].folder.data),
        "manifest_sha256": dataset_hash.manifest(folds[0].test.folder),
        "weights_sha256": [model_folder.weights_sha256(one.folder.path) for one in folds],
        "versions": model_folder.library_versions(),
    }


def _write(path: str, what: Any) -> None:
    """Writes a figure as PNG, or rows as CSV."""
    if isinstance(what, figure.Figure):
        with files.atomic_write(path, "wb") as file:
            what.savefig(file, **plots.save_options())
    else:
        with files.atomic_write(path) as file:
            csv.writer(file, lineterminator="\n").writerows(what)
