"""How often the pretexts over tiles are answered right: balanced accuracy with intervals.

Source: Chen 2019, the comparison of section 3; methods 3.4.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.evaluation import bootstrap, examples, fold, ordinal, pretext_verdict
from spine_tf.evaluation import options as options_lib

ANSWERS = "answers.csv"
COLUMNS = ("key", "subject", "visit", "fold", "true", "answer")
_MEASURES = ("balanced_accuracy", "accuracy")


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates models that tell how tiles lie; answers of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> rows of a CSV file: a line per image.
    """
    made = folds[0].folder.task
    table = [row for number, one in enumerate(folds) for row in _rows(one, number, options)]
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in table])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    right = np.array([row["true"] == row["answer"] for row in table])
    results = {
        "images": len(table),
        "subjects": len({row["subject"] for row in table}),
        "answers": made.num_classes,
        "chance": round(1 / made.num_classes, 6),
        "balanced_accuracy": _balanced(table, right, made.num_classes, units, counts),
        "accuracy": bootstrap.share(right, units, counts, ""),
    }
    results |= pretext_verdict.verdict(made, results)
    table.sort(key=lambda row: (row["key"], row["visit"]))
    return results, {ANSWERS: [COLUMNS, *([row[name] for name in COLUMNS] for row in table)]}


def _balanced(table, right, num_classes: int, units, counts) -> dict[str, Any]:
    """Mean over the answers that are true of some image; sums of subjects, not their confusions."""
    totals = np.zeros((counts.shape[1], num_classes))
    hits = np.zeros_like(totals)
    place = units, np.array([row["true"] for row in table], int)
    np.add.at(totals, place, 1)
    np.add.at(hits, place, right)
    value = float(ordinal.mean_recall(hits.sum(0), totals.sum(0)))
    drawn = ordinal.mean_recall(counts @ hits, counts @ totals)
    return bootstrap.interval(value, drawn, "all images have one answer")


def _rows(one: fold.Fold, number: int, options: options_lib.Options) -> list[dict[str, Any]]:
    """A row per image."""
    output, model = one.folder.task.output, one.folder.load_model()
    answer_of = tf.function(lambda inputs: tf.argmax(model(inputs, training=False)[output], 1))
    items, rows = examples.all_items(one), []
    for positions, batch in examples.batches(one, items, options.batch_size):
        answers, labels = answer_of(dict(batch.inputs)).numpy(), batch.labels[output].numpy()
        for (record, visit), true, answer in zip(items[positions], labels, answers, strict=False):
            facts = one.test.rows[record]
            row = {name: facts[name] for name in ("key", "subject", "family")}
            row |= {"visit": facts["visit"][visit], "fold": number}
            rows.append(row | {"true": int(true), "answer": int(answer)})
    return rows


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    images = f"{results['images']} images of {results['subjects']} subjects"
    table = [f"{images}, {results['answers']} answers, chance {results['chance']:.3f}"]
    table += [f"{name:28}{bootstrap.text(results[name])}" for name in _MEASURES]
    return [*table, pretext_verdict.line(results)]
