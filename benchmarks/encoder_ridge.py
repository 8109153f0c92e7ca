"""Ordinal ridge on what frozen networks say of discs, beside ordinal ridge on hand-made features.

    python -m benchmarks.encoder_ridge --data_dir=spider \\
        --model_dirs=grader=phantom_grader,strong=curve/strong-pretraining-seed0

A network has too many weights for the discs of a few patients, ridge regression has not. For each
network the regression is fitted to conv5 (mean and maximum of every channel) and to its expected
grades, alone and beside the hand-made features of `spine-tf evaluate`. No network is trained here,
and one that has seen a patient of the data set is refused.

Folds are over families, so that all of a patient's discs are left out together, and they are drawn
anew --repeats times, since with few patients one draw of folds says little. All rows of a run are
in its table. Intervals are 95% bootstrap intervals over subjects of the mean over the draws of
folds; p values of the differences are adjusted together by Holm.

Writes OUTPUT_DIR/encoder_ridge.json and .md.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import flags

from spine_tf import cli

if typing.TYPE_CHECKING:
    from spine_tf.data import records

_FLAGS = flags.FLAGS
_NAME = "encoder_ridge"
HAND_MADE = "hand-made"
MEASURES = ("quadratic_kappa", "balanced_accuracy")


def define_flags() -> None:
    """Defines the flags of this script."""
    flags.DEFINE_string("data_dir", None, "Data set with graded discs.")
    flags.DEFINE_list("model_dirs", None, "NAME=MODEL_DIR, ... of trained 3-D networks.")
    cli.required("data_dir", "model_dirs")
    flags.DEFINE_string("output_dir", "docs/results", "Where the results go.")
    flags.DEFINE_string("grading", "pfirrmann", "The grading.")
    flags.DEFINE_integer("folds", 5, "Parts that the families are cut into.", lower_bound=2)
    flags.DEFINE_integer("repeats", 20, "Draws of folds; their seeds are 0, 1 ...", lower_bound=1)
    flags.DEFINE_integer("batch_size", 16, "Discs at a time.", lower_bound=1)
    flags.DEFINE_integer("num_draws", 2000, "Bootstrap draws.", lower_bound=2)


def main(argv: list[str]) -> None:
    """Measures, writes and prints."""
    del argv
    from benchmarks import results_file
    from spine_tf import files, gradings
    from spine_tf.data import records

    grading = gradings.from_name(_FLAGS.grading)
    index = records.open_folder(_FLAGS.data_dir).index("disc")
    graded = [row for row in index.rows if grading.name in row["grades"]]
    index = dataclasses.replace(index, rows=tuple(graded))
    true = np.array([grading.class_index(row["grades"][grading.name]) for row in graded])
    inputs = all_inputs(index)
    family, subject = index.column("family"), index.column("subject")
    predicted = {
        name: np.stack(
            [
                left_out(found, true, folds_of(family, _FLAGS.folds, seed), grading.num_classes)
                for seed in range(_FLAGS.repeats)
            ]
        )
        for name, found in inputs.items()
    }
    content = compare(predicted, true, subject, grading.num_classes, _FLAGS.num_draws)
    content |= {"discs": len(true), "subjects": len(set(subject)), "grading": grading.name}
    content |= {"num_features": {name: found.shape[1] for name, found in inputs.items()}}
    content |= {"versions": results_file.versions()}
    content["command"] = results_file.command(_NAME, _FLAGS)
    path = os.path.join(_FLAGS.output_dir, _NAME)
    os.makedirs(_FLAGS.output_dir, exist_ok=True)
    files.write_json(f"{path}.json", content)
    with files.atomic_write(f"{path}.md") as file:
        file.write(table(content))
    print(table(content))


# === Features ===


def all_inputs(index: records.Index) -> dict[str, np.ndarray]:
    """Returns row of the table -> [discs, features]."""
    from spine_tf.evaluation import ridge_baseline
    from spine_tf.training import pretext_mark

    found = {HAND_MADE: ridge_baseline.index_features(index)}
    for text in _FLAGS.model_dirs:
        name, equals, path = text.partition("=")
        if not equals:
            raise ValueError(f"`model_dirs` must be NAME=MODEL_DIR, ..., got {text!r}.")
        if words := pretext_mark.mark(path):
            name = f"{name} ({words})"
        for part, features in network_features(path, index, _FLAGS.batch_size).items():
            found[f"{name}, {part}"] = features
            found[f"{HAND_MADE} and {name}, {part}"] = np.hstack([found[HAND_MADE], features])
    return found


def network_features(
    model_dir: str, index: records.Index, batch_size: int
) -> dict[str, np.ndarray]:
    """Returns what a network says of discs.

    Args:
        model_dir: Folder of a grading model, or of another one whose encoder takes over to discs.
        index: The discs.
        batch_size: Discs at a time.

    Returns:
        "conv5", [discs, 2 * channels]: mean and maximum of every channel. Of models that grade also
        "grades", [discs, gradings]: the expected class index of each grading.

    Raises:
        ValueError: If the network has seen a family of the discs.
    """
    import tensorflow as tf

    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.evaluation import inference
    from spine_tf.training import leakage, model_folder

    folder = model_folder.load(model_dir)
    data = records.open_folder(index.folder)
    for note in leakage.check_unseen(model_dir, data, index.column("family")):
        print(f"{model_dir}: {note}")
    names = getattr(folder.task, "gradings", ())
    if names:
        model = folder.load_model()
    else:
        made = tasks.make("grading", '{"gradings": ["pfirrmann"]}')  # its head is not used
        model = model_folder.build_model(made, folder.model_config, folder.statistics, 0)
        model_folder.copy_encoder(model_dir, model)
    encoder = model_folder.find_encoder(model)

    def describe(batch):
        crop = batch["crop"][..., None]
        conv5 = encoder(crop, training=False)["conv5"]
        places = list(range(1, len(conv5.shape) - 1))
        parts = [tf.reduce_mean(conv5, places), tf.reduce_max(conv5, places)]
        found = {"conv5": tf.concat(parts, 1)}
        if names:
            outputs = model({"crop": crop}, training=False)
            chances = [tf.nn.softmax(tf.cast(outputs[name], tf.float32)) for name in names]
            expected = [tf.reduce_sum(p * tf.range(p.shape[1], dtype=p.dtype), 1) for p in chances]
            found["grades"] = tf.stack(expected, 1)
        return found

    items = np.stack([np.arange(len(index)), np.zeros(len(index), int)], 1)
    scale = folder.model_config.crop_scale
    return inference.map_crops(index, items, describe, crop_scale=scale, batch_size=batch_size)


# === Folds, scores ===


def folds_of(family: np.ndarray, num_folds: int, seed: int) -> np.ndarray:
    """Returns the fold [n] of each disc; all discs of a family have the same.

    Raises:
        ValueError: If there are fewer families than folds.
    """
    names = np.unique(family)
    if len(names) < num_folds:
        raise ValueError(f"`folds` must be at most the {len(names)} families, got {num_folds}.")
    order = np.random.default_rng(seed).permutation(names)
    fold_of = {name: place % num_folds for place, name in enumerate(order)}
    return np.array([fold_of[name] for name in family])


def left_out(
    inputs: np.ndarray, true: np.ndarray, fold: np.ndarray, num_classes: int
) -> np.ndarray:
    """Returns the class index [n] of each disc by a ridge fitted to the other folds."""
    from spine_tf.evaluation import ridge_baseline

    predicted = np.zeros(len(true), int)
    for number in np.unique(fold):
        here = fold == number
        fitted = ridge_baseline.fit(inputs[~here], true[~here], num_classes)
        predicted[here] = fitted.predict(inputs[here])
    return predicted


def compare(
    predicted: Mapping[str, np.ndarray],
    true: np.ndarray,
    subject: np.ndarray,
    num_classes: int,
    num_draws: int,
) -> dict[str, Any]:
    """Returns measures of every row and their differences from the hand-made features.

    Args:
        predicted: Row -> [repeats, discs] class index; `HAND_MADE` is one of them.
        true: [discs] class index.
        subject: [discs] pseudonym.
        num_classes: Number of classes.
        num_draws: Bootstrap draws.
    """
    from spine_tf.evaluation import bootstrap, contrasts, ordinal

    units, num_units = bootstrap.codes(subject)
    counts = bootstrap.draw_counts(num_units, num_draws, 0)
    rows: dict[str, dict[str, Any]] = {name: {} for name in predicted}
    differences: list[dict[str, Any]] = []
    for measure in MEASURES:
        metric = getattr(ordinal, measure)
        scores = {
            name: contrasts.score(true, found, num_classes, units, counts, metric)
            for name, found in predicted.items()
        }
        for name, score in scores.items():
            rows[name][measure] = bootstrap.interval(score.value, score.drawn)
            if name != HAND_MADE:
                minus = contrasts.weighted_sum([(1, score), (-1, scores[HAND_MADE])])
                found = {"row": name, "measure": measure} | contrasts.describe(minus)
                differences.append(found)
    contrasts.add_holm(differences)
    return {"rows": rows, "differences": differences}


def table(content: Mapping[str, Any]) -> str:
    """Returns the table of `compare` in Markdown."""
    from benchmarks import markdown
    from spine_tf.evaluation import bootstrap

    heads, rows = ["ridge on", "features"], []
    for measure in MEASURES:
        heads += [measure, f"minus {HAND_MADE}", "p (Holm)"]
    of_row = {(found["row"], found["measure"]): found for found in content["differences"]}
    for name, measures in content["rows"].items():
        cells = [name, str(content["num_features"][name])]
        for measure in MEASURES:
            found = of_row.get((name, measure))
            cells.append(bootstrap.text(measures[measure]))
            cells += [bootstrap.text(found), f"{found['p_holm']:.2f}"] if found else ["-", "-"]
        rows.append(cells)
    return "\n".join(markdown.table(heads, rows)) + "\n"


if __name__ == "__main__":
    cli.run(define_flags, main)
