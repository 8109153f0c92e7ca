"""Classification models on test images: which class each is given, and how often that is right.

Source: Chen 2019, Table 3; methods 3.5.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.evaluation import bootstrap, classification, examples, fold, plots
from spine_tf.evaluation import options as options_lib
from spine_tf.tasks.downstream import classification as classification_task

PREDICTIONS, PICTURE = "predictions.csv", "confusion.png"
COLUMNS = ("key", "subject", "fold", "label", "predicted", "probabilities")


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates classification models; images of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> what is to be written: a line per image with
        its probabilities in the order of the classes, and the confusion matrix as a picture.

    Raises:
        ValueError: If the folds have different classes, or no test image is of one of them.
    """
    names = _classes(folds)
    table = [row for number, one in enumerate(folds) for row in _rows(one, number, options)]
    known = [row for row in table if row["true"] >= 0]
    if not known:
        raise ValueError(
            f"{folds[0].test.folder}: must hold test images of the classes {', '.join(names)}, got"
            " none."
        )
    known.sort(key=lambda row: row["key"])
    true, predicted = (np.array([row[name] for row in known]) for name in ("true", "predicted"))
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in known])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    results = {
        "subjects": len({row["subject"] for row in known}),
        "labels_outside_the_classes": len(table) - len(known),
        **classification.evaluate(true, predicted, names, units, counts),
    }
    confusion = np.array(results["confusion"]["table"])
    f1 = bootstrap.text(results["mean"]["f1"])
    what = f"{len(known)} images of {results['subjects']} subjects, mean F1 {f1}"
    picture = plots.confusion_matrix(
        confusion, names, "Classes", what, ("predicted class", "labelled class")
    )
    lines_ = [_cells(row, names) for row in known]
    return results, {PREDICTIONS: [COLUMNS, *lines_], PICTURE: picture}


def _classes(folds: Sequence[fold.Fold]) -> tuple[str, ...]:
    found = {one.folder.task.classes for one in folds}
    if len(found) > 1:
        raise ValueError(
            "`model_dir` must hold folds of the same classes, got"
            f" {' and '.join(str(len(names)) for names in sorted(found))} of them. Train with"
            " `classes` given."
        )
    return found.pop()


def _rows(one: fold.Fold, number: int, options: options_lib.Options) -> list[dict[str, Any]]:
    """A row per image; the true class is -1 where the label is none of the classes."""
    model, items, rows = one.folder.load_model(), examples.all_items(one), []

    @tf.function(autograph=False)
    def classify(inputs):
        logits = model(inputs, training=False)[classification_task.LABEL]
        return tf.nn.softmax(tf.cast(logits, tf.float32))

    for positions, batch in examples.batches(one, items, options.batch_size):
        probabilities = classify(dict(batch.inputs)).numpy()
        labels = batch.labels[classification_task.LABEL].numpy()
        for item, true, shares in zip(items[positions], labels, probabilities, strict=False):
            facts = one.test.rows[item[0]]
            row = {name: facts[name] for name in ("key", "subject", "family")}
            row |= {"fold": number, "true": int(true), "predicted": int(np.argmax(shares))}
            rows.append(row | {"probabilities": shares})
    return rows


def _cells(row: dict[str, Any], names: Sequence[str]) -> list[Any]:
    """A line of the CSV file."""
    classes = [names[row["true"]], names[row["predicted"]]]
    shares = " ".join(f"{share:.6f}" for share in row["probabilities"])
    return [row["key"], row["subject"], row["fold"], *classes, shares]


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    names = tuple(classification.METRICS)
    table = [f"{'':24}{'images':>6}  " + "".join(f"{name:24}" for name in names).rstrip()]
    parts = {"mean of classes": {"images": results["images"]} | results["mean"]}
    for title, found in (parts | results["per_class"]).items():
        cells = "".join(f"{bootstrap.text(found[name]):24}" for name in names)
        table.append(f"{title:24}{found['images']:6}  {cells}".rstrip())
    return table
