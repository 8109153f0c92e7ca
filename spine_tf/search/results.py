"""The results of a search: results.json, results.csv, results.png, best.json."""

import csv
import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

from spine_tf import files, run_config
from spine_tf.evaluation import plots
from spine_tf.search import outcome, plot, space, trial

FORMAT = "spine_tf search results/1"
JSON, CSV, PLOT, BEST = "results.json", "results.csv", "results.png", "best.json"


def best(found: Sequence[outcome.Outcome]) -> outcome.Outcome | None:
    """Returns the trial with the largest objective, the earlier of two equal ones, or None."""
    done = [one for one in found if one.status == outcome.DONE]
    return max(done, key=_objective, default=None)


def _objective(one: outcome.Outcome) -> float:
    return -math.inf if one.objective is None else one.objective


def write(setup: trial.Setup, num_trials: int, is_finished: bool) -> list[outcome.Outcome]:
    """Writes the results so far.

    Args:
        setup: The search.
        num_trials: How many it may run.
        is_finished: Whether no trial will follow.

    Returns:
        All trials.
    """
    found = outcome.read_all(setup.work_dir)
    chosen = best(found)
    _write_json(setup, found, chosen, num_trials if is_finished else None)
    _write_csv(setup, found)
    if chosen:
        figure = plot.objectives(found, setup.space, setup.objective)
        with files.atomic_write(os.path.join(setup.work_dir, PLOT), "wb") as file:
            figure.savefig(file, **plots.save_options())
        run_config.write(os.path.join(setup.work_dir, BEST), best_config(setup, chosen))
    return found


def best_config(setup: trial.Setup, chosen: outcome.Outcome) -> run_config.RunConfig:
    """Returns the settings of a trial with all epochs, however few hyperband gave it."""
    return space.apply(setup.base, chosen.values)


def is_finished(work_dir: str, num_trials: int) -> bool:
    """Says whether a search of so many trials at most is over."""
    path = os.path.join(work_dir, JSON)
    return os.path.exists(path) and files.read_json(path, FORMAT)["finished"] == num_trials


def _write_json(setup: trial.Setup, found, chosen, finished: int | None) -> None:
    content: dict[str, Any] = {
        "format": FORMAT,
        "finished": finished,
        "objective": setup.objective,
        "probe": bool(setup.probe),
        "best": chosen.trial if chosen else None,
        "trials": [dataclasses.asdict(one) for one in found],
    }
    files.write_json(os.path.join(setup.work_dir, JSON), content)


def _write_csv(setup: trial.Setup, found: Sequence[outcome.Outcome]) -> None:
    names = [one.name for one in setup.space.dimensions]
    fields = [one.name for one in dataclasses.fields(outcome.Outcome) if one.name != "values"]
    with files.atomic_write(os.path.join(setup.work_dir, CSV)) as file:
        writer = csv.DictWriter(file, [*fields, *names], lineterminator="\n")
        writer.writeheader()
        for one in found:
            row = {name: getattr(one, name) for name in fields}
            writer.writerow(row | dict(one.values))
