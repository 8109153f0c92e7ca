"""Grading: agreement with the reader, per grading and per level, beside plain references.

Source: Jamaludin 2017, section 4.2; methods 1.9 and P18.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn import metrics

from spine_tf import gradings, levels
from spine_tf.data import records
from spine_tf.evaluation import bootstrap, fold, inference, ordinal, plots, ridge_baseline
from spine_tf.evaluation import options as options_lib

PREDICTION_COLUMNS = (
    *("key", "subject", "level", "fold", "grading", "grade", "predicted", "expected_grade"),
    *("probabilities", "ordinal_ridge"),
)


@dataclasses.dataclass(frozen=True)
class Graded:
    """Discs of one grading that a reader graded; every field is [discs].

    Attributes:
        grading: The grading.
        rows: Facts of each disc, see `schema.facts`.
        fold: Number of the fold.
        true: Class index by the reader.
        probabilities: [discs, classes].
        majority: The most frequent class of the training records.
        ridge: Class index by the baseline; None where it could not be fitted.
    """

    grading: gradings.Grading
    rows: Sequence[dict[str, Any]]
    fold: np.ndarray
    true: np.ndarray
    probabilities: np.ndarray
    majority: np.ndarray
    ridge: np.ndarray | None

    @property
    def predicted(self) -> np.ndarray:
        """The most probable class index."""
        return np.argmax(self.probabilities, 1)


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates grading models; predictions of folds are pooled.

    Args:
        folds: Models and their records.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> what is to be written: a matplotlib figure or
        the rows of a CSV file.
    """
    names = folds[0].folder.task.gradings
    predictions = [_predict(one, options.batch_size) for one in folds]
    inputs = _all_features(folds)
    results, written, table = {}, {}, []
    for name in names:
        ridge, reason = _ridge(name, folds, inputs)
        graded = _collect(name, folds, predictions, ridge)
        results[name] = _summary(graded, options, reason)
        if len(graded.true):
            written[f"confusion-{name}.png"] = _picture(graded)
        table += _prediction_rows(graded)
    table.sort(key=lambda row: (row[4], row[0]))
    return {"gradings": results}, written | {"predictions.csv": [PREDICTION_COLUMNS, *table]}


def _predict(one: fold.Fold, batch_size: int) -> dict[str, np.ndarray]:
    """Returns grading -> [records, classes] probabilities."""
    model = one.folder.load_model()

    def grade(batch):
        outputs = model({"crop": batch["crop"][..., None]}, training=False)
        return {name: tf.nn.softmax(tf.cast(value, tf.float32)) for name, value in outputs.items()}

    items = np.stack([np.arange(len(one.test)), np.zeros(len(one.test), int)], 1)
    scale = one.folder.model_config.crop_scale
    return inference.map_crops(one.test, items, grade, crop_scale=scale, batch_size=batch_size)


def _grades(index: records.Index, grading: gradings.Grading) -> np.ndarray:
    """Class index of every record, -1 where it was not graded."""
    found = [row["grades"].get(grading.name, gradings.NOT_GRADED) for row in index.rows]
    return np.array([grading.class_index(grade) for grade in found], int)


def _collect(name: str, folds, predictions, ridge) -> Graded:
    """Joins the graded discs of all folds."""
    grading = gradings.from_name(name)
    rows = []
    names = ("fold", "true", "probabilities", "majority", "ridge")
    columns: dict[str, list[np.ndarray]] = {key: [] for key in names}
    for number, one in enumerate(folds):
        true = _grades(one.test, grading)
        here = np.flatnonzero(true >= 0)
        rows += [one.test.rows[i] for i in here]
        majority = int(np.argmax(one.folder.statistics.class_counts[name]))
        columns["fold"].append(np.full(len(here), number))
        columns["true"].append(true[here])
        columns["probabilities"].append(predictions[number][name][here])
        columns["majority"].append(np.full(len(here), majority))
        if ridge is not None:
            columns["ridge"].append(ridge[number][here])
    joined = {key: np.concatenate(parts) for key, parts in columns.items() if parts}
    return Graded(
        grading,
        rows,
        joined["fold"],
        joined["true"],
        joined["probabilities"],
        joined["majority"],
        joined.get("ridge"),
    )


# === The baseline ===


def _all_features(folds: Sequence[fold.Fold]) -> dict[str, np.ndarray] | None:
    """Returns key -> features of every graded disc; None without training records."""
    trained = [one.train for one in folds if one.train is not None]
    if len(trained) < len(folds):
        return None
    rows = {
        row["key"]: row
        for one, train in zip(folds, trained, strict=True)
        for part in (one.test, train)
        for row in part.rows
    }
    index = dataclasses.replace(folds[0].test, rows=tuple(r for r in rows.values() if r["grades"]))
    found = ridge_baseline.index_features(index)
    return dict(zip(index.column("key"), found, strict=True))


def _ridge(name: str, folds, inputs) -> tuple[list[np.ndarray] | None, str]:
    """The baseline's class index for the test records of every fold, or why there is none."""
    if inputs is None:
        return None, "needs the training records, which another data set does not hold"
    grading = gradings.from_name(name)
    found = []
    for one in folds:
        true = _grades(one.train, grading)
        here = np.flatnonzero(true >= 0)
        if len(np.unique(true[here])) < 2:
            return None, "the training records hold one grade only"
        keys = one.train.column("key")
        fitted = ridge_baseline.fit(
            np.stack([inputs[keys[i]] for i in here]), true[here], grading.num_classes
        )
        blank = np.zeros(len(ridge_baseline.FEATURE_NAMES))  # of discs without any grade
        found.append(
            fitted.predict(np.stack([inputs.get(k, blank) for k in one.test.column("key")]))
        )
    return found, ""


# === Numbers ===


def _summary(graded: Graded, options: options_lib.Options, ridge_reason: str) -> dict[str, Any]:
    classes = graded.grading.num_classes
    units, num_units = bootstrap.codes([row[options.bootstrap] for row in graded.rows])
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)

    def compare(predicted: np.ndarray, here=slice(None)) -> dict[str, Any]:
        return agreement(graded.true[here], predicted[here], classes, units[here], counts)

    level = np.array([row["level"] for row in graded.rows])
    per_level = {
        disc.value: compare(graded.predicted, level == disc.value)
        for disc in levels.DiscLevel
        if np.any(level == disc.value)
    }
    results = {
        "grades": list(graded.grading.grades),
        "discs": len(graded.true),
        "subjects": len({row["subject"] for row in graded.rows}),
        "model": compare(graded.predicted),
        "per_level": per_level,
        "majority_grade": compare(graded.majority),
        "ordinal_ridge": {"reason": ridge_reason},
    }
    if graded.ridge is not None:
        results["ordinal_ridge"] = compare(graded.ridge)
    return results


def agreement(
    true: np.ndarray,
    predicted: np.ndarray,
    num_classes: int,
    units: np.ndarray,
    counts: np.ndarray,
) -> dict[str, Any]:
    """Compares class indices with the reader's.

    Args:
        true: [n] class index by the reader.
        predicted: [n] class index.
        num_classes: Number of classes.
        units: [n] code of the subject or family.
        counts: [draws, units], see `bootstrap.draw_counts`.

    Returns:
        Every metric of `ordinal.METRICS` with its interval, class counts, and the confusion matrix
        `[true][predicted]`.
    """
    per_unit = ordinal.confusion_per_unit(true, predicted, num_classes, units, counts.shape[1])
    confusion = (
        metrics.confusion_matrix(true, predicted, labels=range(num_classes))
        if len(true)
        else np.zeros((num_classes, num_classes), int)
    )
    drawn = np.tensordot(counts, per_unit, 1)
    reason = ordinal.ONE_GRADE if len(true) else "no disc was graded"
    results = {
        name: bootstrap.interval(float(metric(confusion)), metric(drawn), reason)
        for name, metric in ordinal.METRICS.items()
    }
    return results | {
        "discs": len(true),
        "class_counts": confusion.sum(1).tolist(),
        "confusion": confusion.tolist(),
    }


# === Files and table ===


def _picture(graded: Graded):
    confusion = metrics.confusion_matrix(
        graded.true, graded.predicted, labels=range(graded.grading.num_classes)
    )
    num_subjects = len({row["subject"] for row in graded.rows})
    accuracy = ordinal.balanced_accuracy(confusion)
    what = f"{len(graded.true)} discs of {num_subjects} subjects"
    if np.isfinite(accuracy):
        what += f", balanced accuracy {float(accuracy):.3f}"
    return plots.confusion_matrix(confusion, graded.grading.grades, graded.grading.title, what)


def _prediction_rows(graded: Graded) -> list[tuple]:
    expected = graded.probabilities @ np.array(graded.grading.grades)
    return [
        (
            row["key"],
            row["subject"],
            row["level"],
            int(graded.fold[i]),
            graded.grading.name,
            graded.grading.grade(graded.true[i]),
            graded.grading.grade(graded.predicted[i]),
            f"{expected[i]:.4f}",
            " ".join(f"{p:.6f}" for p in graded.probabilities[i]),
            "" if graded.ridge is None else graded.grading.grade(graded.ridge[i]),
        )
        for i, row in enumerate(graded.rows)
    ]


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    header = f"{'':26}{'discs':>6}  {'balanced accuracy':24}{'quadratic kappa':24}off by > 1"
    table = [header]
    for name, found in results["gradings"].items():
        for title, one in (
            (name, found["model"]),
            ("  ordinal ridge", found["ordinal_ridge"]),
            ("  majority grade", found["majority_grade"]),
        ):
            if "discs" not in one:
                table.append(f"{title:26}{'-':>6}  {one['reason']}")
                continue
            cells = [bootstrap.text(one[m]) for m in ("balanced_accuracy", "quadratic_kappa")]
            far = bootstrap.text(one["off_by_more_than_one"])
            table.append(f"{title:26}{one['discs']:6}  {cells[0]:24}{cells[1]:24}{far}")
    return table
