"""How often the pretexts over tiles are answered right: balanced accuracy with intervals.

Source: Chen 2019, the comparison of section 3; methods 3.4.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.evaluation import bootstrap, examples, fold, ordinal, pretext_verdict
from spine_tf.evaluation import options as options_lib
from spine_tf.tasks import task

ANSWERS = "answers.csv"
COLUMNS = ("key", "subject", "visit", "draw", "fold", "true", "answer")
_MEASURES = ("balanced_accuracy", "accuracy")


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates models that tell how tiles lie; answers of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> rows of a CSV file: a line per answer. Few
        images are asked about several times, see `Task.least_judged`.
    """
    made = folds[0].folder.task
    table = [row for number, one in enumerate(folds) for row in _rows(one, number, options)]
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in table])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    right = np.array([row["true"] == row["answer"] for row in table])
    num_asked = len({row["true"] for row in table})
    results = {
        "images": len({(row["fold"], row["key"], row["visit"]) for row in table}),
        "asked": len(table),
        "subjects": len({row["subject"] for row in table}),
        "answers": made.num_classes,
        "answers_asked": num_asked,
        "chance": round(1 / num_asked, 6),
        "balanced_accuracy": _balanced(table, right, made.num_classes, units, counts),
        "accuracy": bootstrap.share(right, units, counts, ""),
    }
    results |= pretext_verdict.verdict(made, results, num_asked)
    table.sort(key=lambda row: (row["key"], row["visit"], row["draw"]))
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
    """A row per answer."""
    output, model = one.folder.task.output, one.folder.load_model()
    answer_of = tf.function(lambda inputs: tf.argmax(model(inputs, training=False)[output], 1))
    items, rows = examples.all_items(one), []
    num_draws = task.num_passes(one.folder.task, len(items))
    for positions, batch in examples.batches(one, items, options.batch_size, num_draws):
        answers, labels = answer_of(dict(batch.inputs)).numpy(), batch.labels[output].numpy()
        for position, true, answer in zip(positions, labels, answers, strict=False):
            draw, place = divmod(int(position), len(items))
            record, visit = items[place]
            facts = one.test.rows[record]
            row = {name: facts[name] for name in ("key", "subject", "family")}
            row |= {"visit": facts["visit"][visit], "draw": draw, "fold": number}
            rows.append(row | {"true": int(true), "answer": int(answer)})
    return rows


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    asked = f"{results['asked']} questions on {results['images']} images"
    table = [
        f"{asked} of {results['subjects']} subjects, {results['answers']} answers, of"
        f" which {results['answers_asked']} occur, chance {results['chance']:.3f}"
    ]
    table += [f"{name:28}{bootstrap.text(results[name])}" for name in _MEASURES]
    return [*table, pretext_verdict.line(results)]
