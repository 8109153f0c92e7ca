"""From the results of jobs to the table of the comparison and its contrasts.

A cell is an amount of labelled subjects and a start. Its seeds are averaged; the cases of its folds
are taken together. A contrast is a start minus RD, or minus the ordinal ridge of grading, at the
same amount, on the seeds and folds that both have, with draws over subjects that both share; all
contrasts are adjusted together by Holm. Draws are over subjects alone: what another seed would
change is not in the intervals, so the values of single seeds stand beside them ("by seed"). Whether
a pretext was learned says its validation.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import comparison_jobs, comparison_scores, markdown
from spine_tf.evaluation import bootstrap, contrasts, subject_means
from spine_tf.training import model_folder, pretext_mark

Cell = tuple[str, str]  # amount, start
_BASES = ("RD", comparison_scores.RIDGE, "RD+AG", "RD-frozen", "RD+LT", "RD+AG+LT")


@dataclasses.dataclass(frozen=True)
class Tested:
    """Cases of every job that is done.

    Attributes:
        task: Name of the downstream task.
        cases: Cell -> seed -> fold -> cases.
        num_draws: Bootstrap draws.
        planned: Amount -> starts that were asked for, done or not.
        learned: (start, seed, fold) -> whether that pretext was learned, where it can be told.
    """

    task: str
    cases: Mapping[Cell, Mapping[int, Mapping[int, comparison_scores.Cases]]]
    num_draws: int
    planned: Mapping[str, Sequence[str]]
    learned: Mapping[tuple[str, int, int], bool]

    def mark(self, start: str, folds: Sequence[int], seeds: Sequence[int]) -> str:
        """Returns "" or how many of the pretexts of some runs were not learned."""
        plain = comparison_jobs.plain(start)
        runs = [(plain, seed, fold) for seed in seeds for fold in folds]
        return pretext_mark.of_runs([self.learned[run] for run in runs if run in self.learned])

    def parts(self, measure: str) -> list[str]:
        """Returns the measures of single regions or organs, or the measure itself."""
        of_folds = (fold for of_seed in self.cases.values() for fold in of_seed.values())
        first = next((cases for of_fold in of_folds for cases in of_fold.values()), None)
        return comparison_scores.components(first, measure) if first else [measure]

    def common(self, *cells: Cell) -> tuple[list[int], list[int]]:
        """Returns the folds that all cells have of the first seed they share, and the seeds."""
        found = [self.cases.get(cell, {}) for cell in cells]
        seeds = sorted(set.intersection(*(set(one) for one in found)))
        if not seeds:
            return [], []
        folds = set.intersection(*(set(one[seeds[0]]) for one in found))
        whole = [seed for seed in seeds if all(folds <= set(one[seed]) for one in found)]
        return sorted(folds), whole if folds else []

    def scores(self, cell: Cell) -> dict[str, list[contrasts.Score]]:
        """Returns measure -> score of every seed of a cell."""
        joined = self._joined(cell, *self.common(cell))
        draws = comparison_scores.Draws(joined[0], self.num_draws)
        return {
            name: [draws.score(cases, name, metric) for cases in joined]
            for name, metric in comparison_scores.measures(self.task, joined[0]).items()
        }

    def deviations(self, cell: Cell) -> dict[str, float | None]:
        """Returns measure -> standard deviation over subjects, whose seeds are averaged."""
        joined = self._joined(cell, *self.common(cell))
        draws = comparison_scores.Draws(joined[0], self.num_draws)
        found = {}
        for name in joined[0].values:
            of_seeds = np.array([draws.of_subjects(cases, name) for cases in joined])
            found[name] = subject_means.deviation(subject_means.over_regions(of_seeds))
        return found

    def without_value(self, cell: Cell) -> dict[str, int]:
        """Returns measure -> values of regions or organs that there are not, over all seeds."""
        found: dict[str, int] = {}
        for cases in self._joined(cell, *self.common(cell)):
            for name in cases.values:
                values = [cases.values[part] for part in comparison_scores.components(cases, name)]
                missing = int(np.isnan(values).sum())
                found[name] = found.get(name, 0) + missing
        return {name: count for name, count in found.items() if count}

    def difference(self, one: Cell, other: Cell, measure: str) -> "Difference | None":
        """Returns a measure of one cell minus another's, paired; None if they share no run."""
        folds, seeds = self.common(one, other)
        if not seeds:
            return None
        first, second = (self._joined(cell, folds, seeds) for cell in (one, other))
        draws = comparison_scores.Draws(first[0], self.num_draws)
        metric = comparison_scores.measures(self.task, first[0])[measure]
        found = [
            draws.difference(*cases, measure, metric) for cases in zip(first, second, strict=True)
        ]
        unpaired = np.sum([part.unpaired for part in found], 0).tolist()
        return Difference([part.score for part in found], folds, seeds, unpaired)

    def _joined(
        self, cell: Cell, folds: Sequence[int], seeds: Sequence[int]
    ) -> list[comparison_scores.Cases]:
        """The cases of the folds together, for every seed."""
        of_seed = self.cases[cell]
        return [comparison_scores.join([of_seed[s][fold] for fold in folds]) for s in seeds]


def _mean(scores: Sequence[contrasts.Score]) -> contrasts.Score:
    return contrasts.weighted_sum([(1 / len(scores), score) for score in scores])


def _values(scores: Sequence[contrasts.Score]) -> list[float | None]:
    """The values of single seeds, for JSON; None where there is none."""
    return [bootstrap.interval(score.value, np.empty(0))["value"] for score in scores]


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference of two cells.

    Attributes:
        scores: The difference in every seed.
        folds: The folds that it is of.
        seeds: The seeds that it is of.
        unpaired: Values left out over all seeds: those that only the first cell has, and those that
            only the second has.
    """

    scores: list[contrasts.Score]
    folds: list[int]
    seeds: list[int]
    unpaired: list[int]

    @property
    def score(self) -> contrasts.Score:
        """The difference, averaged over seeds."""
        return _mean(self.scores)


def collect(
    jobs: Sequence[comparison_jobs.Job],
    plan: comparison_jobs.Plan,
    not_run: Mapping[comparison_jobs.Job, str],
    tested: Tested,
) -> dict[str, Any]:
    """Returns the content of the results file, but for its command, settings and claims."""
    reasons = {job: not_run.get(job, "not reached yet") for job in jobs if not plan.result(job)}
    pretexts = [plan.result(job) for job in jobs if job.is_pretext and plan.result(job)]
    return {
        "task": plan.task,
        "rows": [_row(tested, cell) for cell in tested.cases],
        "contrasts": _contrasts(tested),
        "pretexts": [_pretext_row(found) for found in pretexts],
        "not_run": [{"name": job.name, "reason": reason} for job, reason in reasons.items()],
        "versions": model_folder.library_versions(),
    }


def read(jobs: Sequence[comparison_jobs.Job], plan: comparison_jobs.Plan) -> Tested:
    """Reads the evaluations of all downstream jobs that are done."""
    cases: dict[Cell, dict[int, dict[int, comparison_scores.Cases]]] = {}
    planned: dict[str, dict[str, None]] = {}
    learned: dict[tuple[str, int, int], bool] = {}
    for job in jobs:
        result = plan.result(job)
        if job.is_pretext:
            if result and result["pretext_learned"] is not None:
                learned[job.start, job.seed, job.fold] = result["pretext_learned"]
            continue
        planned.setdefault(job.amount, {})[job.start] = None
        if not result:
            continue
        folder = plan.evaluation_dir(job)
        found = {job.start: comparison_scores.read(plan.task, folder)}
        found |= comparison_scores.read_baselines(plan.task, folder)
        for start, of_start in found.items():
            cases.setdefault((job.amount, start), {}).setdefault(job.seed, {})[job.fold] = of_start
    starts = {amount: list(names) for amount, names in planned.items()}
    return Tested(plan.task, cases, plan.num_draws, starts, learned)


def _row(tested: Tested, cell: Cell) -> dict[str, Any]:
    folds, seeds = tested.common(cell)
    scores = tested.scores(cell)
    means = {name: _mean(of_seeds) for name, of_seeds in scores.items()}
    return {
        "amount": cell[0],
        "start": cell[1],
        "folds": folds,
        "seeds": seeds,
        "mark": tested.mark(cell[1], folds, seeds),
        "without_value": tested.without_value(cell),
        "measures": {name: bootstrap.interval(s.value, s.drawn) for name, s in means.items()},
        "by_seed": {name: _values(of_seeds) for name, of_seeds in scores.items()},
        "std": tested.deviations(cell),
    }


def _bases(start: str) -> list[str]:
    """What a start is compared with: RD, ridge, and RD that is augmented or frozen as it is.

    What was trained before is also compared with RD that was trained longer, and that with the
    shorter one. Ridge is a start, too: what RD gains over it is minus what it gains over RD.
    """
    if start == comparison_scores.RIDGE:
        return ["RD"]
    if start == "RD":
        return []
    same = "RD" + start.removeprefix(comparison_jobs.plain(start))
    longer = comparison_jobs.LONGER
    last = same.removesuffix(longer) if same == start else same + longer
    return [base for base in ("RD", comparison_scores.RIDGE, same, last) if base != start]


def _contrasts(tested: Tested) -> list[dict[str, Any]]:
    """Starts minus each of their bases, the most alike last, of the task's headline measure."""
    measure = comparison_scores.HEADLINES[tested.task]
    pairs = [
        (amount, start, base)
        for base in _BASES
        for amount, start in tested.cases
        if base in _bases(start)
    ]
    found = []
    for amount, start, base in pairs:
        difference = tested.difference((amount, start), (amount, base), measure)
        if not difference:
            continue
        found.append(
            {"amount": amount, "start": start, "base": base, "measure": measure}
            | {name: getattr(difference, name) for name in ("folds", "seeds", "unpaired")}
            | {"mark": tested.mark(start, difference.folds, difference.seeds)}
            | {"by_seed": _values(difference.scores)}
            | contrasts.describe(difference.score)
        )
    contrasts.add_holm(found)
    return found


def _pretext_row(found: Mapping[str, Any]) -> dict[str, Any]:
    names = ("start", "fold", "seed", "epochs", "best_epoch", "seconds", "pretext_learned")
    names += ("validation", "results")
    return {name: found[name] for name in names}


# === What a person reads ===


def table(content: Mapping[str, Any]) -> str:
    """Returns rows, contrasts and what was not run as Markdown.

    Distances have their standard deviation over subjects ("sd"), as in Chen 2019.
    """
    names = list(content["rows"][0]["measures"]) if content["rows"] else []
    measure = comparison_scores.HEADLINES[content["task"]]
    rows = [
        (
            *(row["amount"], _start_text(row)),
            *(_value_text(row, name) for name in names),
            *(_seeds_text(row["by_seed"][measure]), runs_text(row["folds"], row["seeds"])),
        )
        for row in content["rows"]
    ]
    header = ("amount", "start", *names, f"{measure} by seed", "folds x seeds")
    lines = markdown.table(header, rows)
    if content["contrasts"]:
        differences = [
            (
                f"{one['amount']} {_start_text(one)} - {one['base']}",
                *(bootstrap.text(one), f"{one['p']:.3f}", f"{one['p_holm']:.3f}"),
                *(_seeds_text(one["by_seed"]), runs_text(one["folds"], one["seeds"])),
            )
            for one in content["contrasts"]
        ]
        header = (measure, "difference", "p", "p, Holm", "by seed", "folds x seeds")
        lines += ["", *markdown.table(header, differences)]
    return "\n".join([*lines, *markdown.not_run(content["not_run"])]) + "\n"


def runs_text(folds: Sequence[int], seeds: Sequence[int]) -> str:
    """Returns the column "folds x seeds"."""
    return f"{len(folds)} x {len(seeds)}"


def _seeds_text(values: Sequence[float | None]) -> str:
    return ", ".join("-" if value is None else f"{value:.3f}" for value in values)


def _start_text(row: Mapping[str, Any]) -> str:
    return f"{row['start']} ({row['mark']})" if row["mark"] else row["start"]


def _value_text(row: Mapping[str, Any], name: str) -> str:
    text, missing = bootstrap.text(row["measures"][name]), row["without_value"].get(name)
    if name.endswith("_mm") and row["std"][name] is not None:
        text += f", sd {row['std'][name]:.1f}"
    return f"{text} ({missing} without)" if missing else text
