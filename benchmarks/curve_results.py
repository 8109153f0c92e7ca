"""From the results of jobs to the points of the learning curve, contrasts and a table.

The one primary contrast was chosen before anything was looked at: longitudinal frozen minus scratch
at 361 subjects. All others are adjusted together by Holm's method.
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import curve_jobs, markdown
from spine_tf import gradings, tasks
from spine_tf.evaluation import bootstrap, contrasts
from spine_tf.training import model_folder, pretext_mark

Cell = tuple[str, int]  # regime, training subjects
Learned = Mapping[tuple[str, int], bool]  # (pre-training, seed) -> whether it was learned


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A weighted sum of cells.

    Attributes:
        name: What a person reads.
        parts: (weight, (regime, subjects)).
        is_primary: Whether it was chosen before looking.
    """

    name: str
    parts: tuple[tuple[float, Cell], ...]
    is_primary: bool = False


def planned_contrasts(sizes: Sequence[int]) -> list[Contrast]:
    """Returns the contrasts that are reported, the primary one first; sizes in rising order."""
    longitudinal, scratch, strong = "longitudinal_frozen", "scratch", "strong"
    pairs = [
        (longitudinal, scratch),
        (strong, scratch),
        (strong, longitudinal),
        (scratch, "frozen_random"),
        (longitudinal, "frozen_random"),
        ("longitudinal_finetuned", longitudinal),
        ("longitudinal_finetuned", scratch),
        ("context_restoration", scratch),
    ]
    found = [_difference((a, size), (b, size)) for a, b in pairs for size in sizes]
    for smaller, larger in zip(sizes, sizes[1:], strict=False):
        for regime in (scratch, longitudinal):
            found.append(_difference((regime, larger), (regime, smaller)))
    if len(sizes) > 1:
        small, large = sizes[0], sizes[-1]
        found.append(_difference((longitudinal, sizes[-2]), (scratch, large)))
        parts = ((1, (longitudinal, large)), (-1, (scratch, large)))
        parts += ((-1, (longitudinal, small)), (1, (scratch, small)))
        found.append(Contrast(f"gain of {longitudinal} at {large} - at {small}", parts))
    primary = ((longitudinal, 361), (scratch, 361))
    found = [
        dataclasses.replace(c, is_primary=tuple(cell for _, cell in c.parts) == primary)
        for c in found
    ]
    return sorted(found, key=lambda c: not c.is_primary)


def _difference(first: Cell, second: Cell) -> Contrast:
    name = f"{first[0]} at {first[1]} - {second[0]} at {second[1]}"
    return Contrast(name, ((1, first), (-1, second)))


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What the grading models said of the further subjects' discs.

    Attributes:
        true: [discs] class index by the reader.
        subject: [discs] pseudonyms.
        predicted: Cell -> seed -> [discs] class index.
    """

    true: np.ndarray
    subject: np.ndarray
    predicted: Mapping[Cell, Mapping[int, np.ndarray]]


def read_predictions(jobs: Sequence[curve_jobs.Job], plan: curve_jobs.Plan) -> Predictions | None:
    """Reads the predictions of all grading jobs that are done; None if none is.

    Raises:
        ValueError: If two models were tested on different discs.
    """
    keys = true = subject = None
    predicted: dict[Cell, dict[int, np.ndarray]] = {}
    for job in jobs:
        if not job.num_subjects or not plan.result(job):
            continue
        path = plan.predictions_path(job)
        found = _read_csv(path)
        if keys is None:
            keys, true, subject = found["key"], found["grade"], found["subject"]
        if not np.array_equal(keys, found["key"]) or not np.array_equal(true, found["grade"]):
            raise ValueError(f"{path}: must be of the discs of the other models. Delete it.")
        predicted.setdefault((job.kind, job.num_subjects), {})[job.seed] = found["predicted"]
    return None if keys is None else Predictions(true, subject, predicted)


def _read_csv(path: str) -> dict[str, np.ndarray]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["grading"] == curve_jobs.GRADING]
    grading = gradings.from_name(curve_jobs.GRADING)
    found = {name: np.array([row[name] for row in rows]) for name in ("key", "subject")}
    for name in ("grade", "predicted"):
        found[name] = np.array([grading.class_index(int(row[name])) for row in rows])
    return found


class Scores:
    """Balanced accuracy of cells over some seeds; every score has the same draws."""

    def __init__(self, predictions: Predictions, num_draws: int, seed: int = 0):
        self._predictions = predictions
        self._units, num_units = bootstrap.codes(predictions.subject)
        self._counts = bootstrap.draw_counts(num_units, num_draws, seed)
        self._single: dict[tuple[Cell, int], contrasts.Score] = {}

    def seeds(self, *cells: Cell) -> list[int]:
        """The seeds that all of the cells have."""
        found = [set(self._predictions.predicted.get(cell, ())) for cell in cells]
        return sorted(set.intersection(*found))

    def score(self, cell: Cell, seeds: Sequence[int]) -> contrasts.Score:
        """Mean over seeds."""
        return contrasts.weighted_sum([(1 / len(seeds), self._of(cell, s)) for s in seeds])

    def _of(self, cell: Cell, seed: int) -> contrasts.Score:
        if (cell, seed) not in self._single:
            predicted = self._predictions.predicted[cell][seed]
            classes = gradings.from_name(curve_jobs.GRADING).num_classes
            self._single[cell, seed] = contrasts.score(
                self._predictions.true, predicted, classes, self._units, self._counts
            )
        return self._single[cell, seed]


def learned(done: Sequence[Mapping[str, Any]]) -> Learned:
    """Judges the pretexts among the results of jobs by their validation."""
    found = {}
    for one in done:
        if not one["num_subjects"]:
            task, _ = curve_jobs.PRETRAININGS[one["kind"]]
            rule = pretext_mark.rule(tasks.make(task, "{}"))
            holds = rule.holds(one["validation"].get(rule.column)) if rule else None
            if holds is not None:
                found[one["kind"], one["seed"]] = holds
    return found


def _mark(cells: Sequence[Cell], seeds: Sequence[int], found: Learned) -> str:
    """Returns "" or how many of the pretexts under some cells were not learned."""
    sources = dict.fromkeys(curve_jobs.REGIMES[regime].source for regime, _ in cells)
    runs = [(source, seed) for source in sources for seed in seeds]
    return pretext_mark.of_runs([found[run] for run in runs if run in found])


def points(
    scores: Scores, cells: Sequence[Cell], scans: Mapping[int, int], is_learned: Learned
) -> list[dict]:
    """Returns the points of the curve that there are, with 95% intervals over subjects."""
    found = []
    for cell in cells:
        seeds = scores.seeds(cell)
        if not seeds:
            continue
        score = scores.score(cell, seeds)
        interval = bootstrap.interval(score.value, score.drawn)
        found.append(
            {
                "regime": cell[0],
                "subjects": cell[1],
                "scans": scans[cell[1]],
                "mean": interval["value"],
                "low": interval["low"],
                "high": interval["high"],
                "mark": _mark([cell], seeds, is_learned),
                "seeds": len(seeds),
                "per_seed": [round(scores.score(cell, [seed]).value, 6) for seed in seeds],
            }
        )
    return found


def contrast_results(
    scores: Scores, planned: Sequence[Contrast], is_learned: Learned
) -> list[dict]:
    """Returns the contrasts whose cells share a seed; p of all but the primary also by Holm."""
    found = []
    for contrast in planned:
        cells = [cell for _, cell in contrast.parts]
        seeds = scores.seeds(*cells)
        if not seeds:
            continue
        parts = [(weight, scores.score(cell, seeds)) for weight, cell in contrast.parts]
        described = contrasts.describe(contrasts.weighted_sum(parts))
        found.append(
            {"name": contrast.name, "is_primary": contrast.is_primary, "seeds": len(seeds)}
            | {"parts": [[weight, *cell] for weight, cell in contrast.parts]}
            | {"mark": _mark(cells, seeds, is_learned)}
            | described
        )
    contrasts.add_holm([one for one in found if not one["is_primary"]])
    return found


def collect(
    jobs: Sequence[curve_jobs.Job], plan: curve_jobs.Plan, not_run: Mapping[curve_jobs.Job, str]
) -> dict[str, Any]:
    """Returns the content of learning_curve.json, but for its command and settings."""
    done = [found for job in jobs if (found := plan.result(job))]
    graded = [found for found in done if found["num_subjects"]]
    scans = {found["num_subjects"]: found["num_scans"] for found in graded}
    reasons = {job: not_run.get(job, "not reached yet") for job in jobs if not plan.result(job)}
    left_out = [{"name": job.name, "reason": reason} for job, reason in reasons.items()]
    content = {
        "points": [],
        "contrasts": [],
        "runs": [_run_row(found) for found in graded],
        "pretraining": [found for found in done if not found["num_subjects"]],
        "not_run": left_out,
        "versions": model_folder.library_versions(),
    }
    predictions = read_predictions(jobs, plan)
    if predictions:
        scores = Scores(predictions, plan.num_draws)
        sizes = sorted(scans)
        cells = [(regime, size) for regime in curve_jobs.REGIMES for size in sizes]
        judged = learned(done)
        content["points"] = points(scores, cells, scans, judged)
        content["contrasts"] = contrast_results(scores, planned_contrasts(sizes), judged)
        content["test"] = {
            "subjects": len(set(predictions.subject)),
            "discs": len(predictions.true),
            "class_counts": np.bincount(predictions.true).tolist(),
        }
    return content


def _run_row(found: Mapping[str, Any]) -> dict[str, Any]:
    """One row of "runs" from the result of a grading job."""
    names = ("seed", "epochs", "best_epoch", "seconds", "validation_balanced_accuracy")
    return {
        "regime": found["kind"],
        "subjects": found["num_subjects"],
        "scans": found["num_scans"],
        **{name: found[name] for name in names},
        "test_balanced_accuracy": found["test_balanced_accuracy"]["value"],
    }


def table(content: Mapping[str, Any]) -> str:
    """Returns points and contrasts as Markdown."""
    points = []
    for point in content["points"]:
        interval = bootstrap.text({"value": point["mean"]} | point)
        names = (_marked(point["regime"], point), point["subjects"], point["scans"])
        points.append((*names, interval, point["seeds"]))
    differences = []
    for one in content["contrasts"]:
        adjusted = "primary" if one["is_primary"] else f"{one['p_holm']:.3f}"
        found = (bootstrap.text(one), f"{one['p']:.3f}", adjusted)
        differences.append((_marked(one["name"], one), *found, one["seeds"]))
    lines = [
        *markdown.table(("regime", "subjects", "scans", "balanced accuracy", "seeds"), points),
        "",
        *markdown.table(("contrast", "difference", "p", "p, Holm", "seeds"), differences),
        *markdown.not_run(content["not_run"]),
    ]
    return "\n".join(lines) + "\n"


def _marked(name: str, row: Mapping[str, Any]) -> str:
    return f"{name} ({row['mark']})" if row["mark"] else name
