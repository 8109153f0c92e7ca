"""What the evaluation of a downstream task says of its test cases, as scores with shared draws.

    segmentation     Dice, sensitivity, specificity, HD95 of every region, and means over regions
    localisation     distances of centres and walls of every organ that the patient has, whether it
                     was found (else the distances are those of the mean box), and means over organs
    classification   precision, recall and F1, averaged over classes
    grading          balanced accuracy and quadratic kappa of one grading

Values of cases are averaged over the cases of a subject, then over subjects; agreement of classes
is that of all cases together. A difference of values is of the regions of cases where both models
have one. Source: Chen 2019, Tables 3 to 5; methods 3.5 to 3.7.
"""

import csv
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spine_tf import files, gradings
from spine_tf.evaluation import (
    bootstrap,
    classification,
    contrasts,
    ordinal,
    run,
    subject_means,
)

RIDGE = "ordinal ridge"
_GRADING = {
    "balanced_accuracy": ordinal.balanced_accuracy,
    "quadratic_kappa": ordinal.quadratic_kappa,
}
_CLASSIFICATION = {
    name: lambda confusion, metric=metric: classification.mean_over_classes(confusion, metric)
    for name, metric in classification.METRICS.items()
}
# Task -> the measures that claims are about; the first one stands for the task.
CLAIMED = {
    "segmentation": ("dice", "sensitivity", "hd95_mm"),
    "localisation": ("centroid_mm", "wall_mm"),
    "classification": ("f1", "precision", "recall"),
    "grading": ("quadratic_kappa", "balanced_accuracy"),
}
# Task -> further means over organs that no claim is about.
_FURTHER = {"localisation": ("found",)}
HEADLINES = {task: names[0] for task, names in CLAIMED.items()}
_VALUES = (
    "_dice",
    "_sensitivity",
    "_specificity",
    "_hd95_mm",
    "_centroid_mm",
    "_wall_mm",
    "_found",
)


@dataclasses.dataclass(frozen=True)
class Cases:
    """What one model, or the models of several folds, said of test cases.

    Attributes:
        key: [cases] what tells a case from the others.
        subject: [cases] pseudonym.
        values: Measure -> [cases] float; NaN is no value. Of segmentation and localisation.
        true: [cases] class index. Of classification and grading.
        predicted: As `true`.
        classes: Their names, of which the indices are; none where cases have values.
    """

    key: np.ndarray
    subject: np.ndarray
    values: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    true: np.ndarray | None = None
    predicted: np.ndarray | None = None
    classes: tuple[str, ...] = ()


def measures(task: str, cases: Cases) -> dict[str, Callable | None]:
    """Returns measure -> function of confusion matrices, or None where cases have values."""
    if task == "grading":
        return dict(_GRADING)
    return dict(_CLASSIFICATION) if task == "classification" else dict.fromkeys(cases.values)


def join(parts: Sequence[Cases]) -> Cases:
    """Returns the cases of several folds together, in the order of their keys.

    Raises:
        ValueError: If their classes are not the same.
    """
    if len({(part.classes, *part.values) for part in parts}) > 1:
        raise ValueError(
            "`parts` must be of the same classes or regions, got folds of different ones. Name them"
            " in --task_options, so that a fold whose training images lack one has it, too."
        )
    key = np.concatenate([part.key for part in parts])
    order = np.argsort(key, kind="stable")

    def joined(of: Callable) -> np.ndarray:
        return np.concatenate([of(part) for part in parts])[order]

    first = parts[0]
    return Cases(
        key=key[order],
        subject=joined(lambda part: part.subject),
        values={name: joined(lambda part, name=name: part.values[name]) for name in first.values},
        true=None if first.true is None else joined(lambda part: part.true),
        predicted=None if first.true is None else joined(lambda part: part.predicted),
        classes=first.classes,
    )


class Draws:
    """Bootstrap draws over the subjects of some cases, shared by all models tested on them."""

    def __init__(self, cases: Cases, num_draws: int, seed: int = 0):
        self._key = cases.key
        self._units, self._num_units = bootstrap.codes(cases.subject)
        self._counts = bootstrap.draw_counts(self._num_units, num_draws, seed)

    @property
    def num_subjects(self) -> int:
        """Number of subjects."""
        return self._num_units

    def score(self, cases: Cases, measure: str, metric: Callable | None) -> contrasts.Score:
        """Returns one measure of a model, see `measures`.

        Raises:
            ValueError: If the model was tested on other cases.
        """
        self._check(cases)
        if metric is None:
            return subject_means.mean(self.of_subjects(cases, measure), self._counts)
        return contrasts.score(
            cases.true, cases.predicted, len(cases.classes), self._units, self._counts, metric
        )

    def of_subjects(self, cases: Cases, measure: str) -> np.ndarray:
        """Returns the values [subjects] of a measure; NaN of a subject without any.

        Raises:
            ValueError: If the model was tested on other cases.
        """
        self._check(cases)
        return subject_means.per_unit(cases.values[measure], self._units, self._num_units)

    def difference(
        self, one: Cases, other: Cases, measure: str, metric: Callable | None
    ) -> subject_means.Paired:
        """Returns a measure of one model minus another's, see `subject_means.difference`.

        Raises:
            ValueError: If a model was tested on other cases.
        """
        if metric:
            parts = [(sign, self.score(c, measure, metric)) for sign, c in ((1, one), (-1, other))]
            return subject_means.Paired(contrasts.weighted_sum(parts), (0, 0))
        self._check(one)
        self._check(other)
        names = components(one, measure)
        values = (np.array([cases.values[name] for name in names]) for cases in (one, other))
        return subject_means.difference(*values, self._units, self._counts)

    def _check(self, cases: Cases) -> None:
        if not np.array_equal(self._key, cases.key):
            raise ValueError("`cases` must be those of the draws, got others. Delete the results.")


def regions(cases: Cases, measure: str) -> list[str]:
    """Returns the values of single regions or organs that a measure is the mean of."""
    return [name for name in cases.values if name.endswith(f"_{measure}")]


def components(cases: Cases, measure: str) -> list[str]:
    """Returns the values that a measure is the mean of, or the measure itself."""
    return regions(cases, measure) or [measure]


# === Reading ===


def rows(evaluation_dir: str, name: str) -> list[dict[str, str]]:
    """Returns the rows of a CSV file of an evaluation."""
    with open(os.path.join(evaluation_dir, name), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(found: Sequence[Mapping[str, str]], name: str) -> np.ndarray:
    """Returns a column of texts."""
    return np.array([row[name] for row in found])


def read(task: str, evaluation_dir: str) -> Cases:
    """Reads what `spine-tf evaluate` has written of one model."""
    if task in ("segmentation", "localisation"):
        return _read_values(evaluation_dir, (*CLAIMED[task], *_FURTHER.get(task, ())))
    if task == "classification":
        found = rows(evaluation_dir, "predictions.csv")
        evaluated = files.read_json(os.path.join(evaluation_dir, run.EVALUATION), run.FORMAT)
        names = evaluated["results"]["confusion"]["classes"]
        true, predicted = (
            np.array([names.index(row[name]) for row in found]) for name in ("label", "predicted")
        )
        return Cases(
            column(found, "key"), column(found, "subject"), {}, true, predicted, tuple(names)
        )
    return _read_grades(evaluation_dir, "predicted")


def read_baselines(task: str, evaluation_dir: str) -> dict[str, Cases]:
    """Reads the baselines that need no network: the ordinal ridge of grading."""
    if task != "grading":
        return {}
    has_ridge = all(row["ordinal_ridge"] for row in rows(evaluation_dir, "predictions.csv"))
    return {RIDGE: _read_grades(evaluation_dir, "ordinal_ridge")} if has_ridge else {}


def _read_values(evaluation_dir: str, means: Sequence[str]) -> Cases:
    """Cases with values, and their means over all regions or organs that have one."""
    found = rows(evaluation_dir, "cases.csv")
    names = [name for name in found[0] if name.endswith(_VALUES)]
    values = {
        name: np.array([float(row[name] or "nan") for row in found], np.float64) for name in names
    }
    for name in names:
        if name.endswith("_found"):  # an organ that the patient lacks cannot be missed
            is_there = np.isfinite(values[name.removesuffix("found") + "centroid_mm"])
            values[name] = np.where(is_there, values[name], np.nan)
    key = np.array([f"{row['case']}/{row.get('view', '')}" for row in found])
    cases = Cases(key, column(found, "subject"), values)
    for mean in means:
        parts = np.array([values[name] for name in regions(cases, mean)])
        values[mean] = subject_means.over_regions(parts)
    return cases


def _read_grades(evaluation_dir: str, name: str) -> Cases:
    """Cases of the first grading that the model gives."""
    found = rows(evaluation_dir, "predictions.csv")
    grading = gradings.from_name(found[0]["grading"])
    found = [row for row in found if row["grading"] == grading.name]
    true, predicted = (
        np.array([grading.class_index(int(row[each])) for row in found]) for each in ("grade", name)
    )
    subject = column(found, "subject")
    return Cases(
        column(found, "key"), subject, {}, true, predicted, tuple(map(str, grading.grades))
    )
