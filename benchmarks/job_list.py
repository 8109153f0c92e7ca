"""A list of trainings that is run as far as a budget reaches, and goes on where it stopped.

A job is one model. When it is done WORK_DIR/results/NAME.json says how it went, and with which
settings, and a job whose result is there is not run again. A job that was stopped goes on. A folder
with results of other settings is refused.
"""

import json
import math
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import tensorflow as tf

from spine_tf import files, json_fields
from spine_tf.training import journal, loop, model_folder


class Job(Protocol):
    """One model to train; hashable."""

    @property
    def name(self) -> str:
        """Name of its folder and of its result."""


AnyJob = TypeVar("AnyJob", bound=Job)
_SETTINGS = "settings"


def settings(request: loop.Request, **others: Any) -> dict[str, Any]:
    """Returns what a result depends on: the request, its epochs and others."""
    return request.identity() | {"epochs": request.train_config.epochs} | others


def check(
    jobs: Sequence[AnyJob],
    work_dir: str,
    settings_of: Callable[[AnyJob], Mapping[str, Any]],
    why_not: Callable[[AnyJob], str],
) -> None:
    """Checks that what is done is of the settings that are asked for now.

    Args:
        jobs: The jobs; those that are not done may have any settings.
        work_dir: Where their results are.
        settings_of: Returns the settings of a job, see `settings`.
        why_not: Returns why a job cannot be run, or "".

    Raises:
        ValueError: If a finished job is of other settings.
    """
    for job in jobs:
        found = _read(work_dir, job)
        if found:
            reason, there = why_not(job), found[_SETTINGS]
            changed = [reason] if reason else json_fields.differences(there, settings_of(job))
            _refuse(changed, work_dir, job)


def _refuse(changed: Sequence[str], work_dir: str, job: Job) -> None:
    if changed:
        data_differ = any(one.startswith("records_sha256") for one in changed)
        why = " Its data were converted with other flags or another pseudonym key."
        raise ValueError(
            f"`work_dir` must be new or of the same settings, got {work_dir}. There"
            f" {job.name} was finished with others: {'; '.join(changed)}. Choose another folder,"
            f" or delete results/{job.name}.json and the folder {job.name} to train it again."
            + (why if data_differ else "")
        )


def result(work_dir: str, job: Job) -> dict[str, Any] | None:
    """Returns the result of a job without its settings, or None if it is not done."""
    found = _read(work_dir, job)
    return found and {name: value for name, value in found.items() if name != _SETTINGS}


def write_result(work_dir: str, job: Job, found: Mapping[str, Any]) -> None:
    """Writes the result of a job, which makes it done."""
    path = _result_path(work_dir, job)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    files.write_json(path, found)


def _read(work_dir: str, job: Job) -> dict[str, Any] | None:
    path = _result_path(work_dir, job)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _result_path(work_dir: str, job: Job) -> str:
    return os.path.join(work_dir, "results", f"{job.name}.json")


def run_all(
    jobs: Sequence[AnyJob],
    work_dir: str,
    budget_hours: float,
    *,
    run: Callable[[AnyJob], Mapping[str, Any]],
    settings_of: Callable[[AnyJob], Mapping[str, Any]],
    why_not: Callable[[AnyJob], str],
    say: Callable[[str], None],
    done: Callable[[dict[AnyJob, str]], None],
) -> dict[AnyJob, str]:
    """Runs jobs in their order until the budget is used.

    Args:
        jobs: The jobs.
        work_dir: Where their results are.
        budget_hours: After so many hours no job is started.
        run: Runs one and returns its result. Errors of values, files and TensorFlow are told and
            listed.
        settings_of: Returns the settings of a job, which are kept with its result.
        why_not: Returns why a job cannot be run, or "".
        say: Takes the lines a person reads.
        done: Called after every job with what was not run so far.

    Returns:
        Job -> why it was not run.

    Raises:
        ValueError: If a finished job is of other settings, see `check`.
    """
    check(jobs, work_dir, settings_of, why_not)
    start, not_run = time.monotonic(), {}
    for number, job in enumerate(jobs, 1):
        if result(work_dir, job) is not None:
            continue
        reason = why_not(job)
        if not reason and time.monotonic() - start > budget_hours * 3600:
            reason = "the budget was used"
        if not reason:
            say(f"=== {job.name} ({number} of {len(jobs)})")
            try:
                write_result(work_dir, job, {**run(job), _SETTINGS: settings_of(job)})
            except (ValueError, OSError, tf.errors.OpError) as error:
                reason = f"failed: {error}".replace(os.path.join(work_dir, ""), "")
                say(reason)
        if reason:
            not_run[job] = reason
        done(not_run)
    return not_run


def progress(model_dir: str) -> dict[str, Any]:
    """Returns how a training went: epochs, seconds, and the epoch that is kept."""
    rows = journal.history(model_dir)
    best = model_folder.load(model_dir).kept_epoch()
    return {
        "epochs": len(rows),
        "seconds": round(sum(float(row["seconds"]) for row in rows), 1),
        "best_epoch": int(best["epoch"]) + 1,
        "validation": {
            name: value if math.isfinite(value) else None
            for name, value in best.items()
            if name.startswith("val_")
        },
    }


def stop_on_signal() -> None:
    """Lets SIGTERM stop a job as Ctrl-C does; it goes on with the same command.

    What Python runs where nothing can be raised swallows it, rarely; the second one always kills.
    """

    def stop(number, frame):
        del frame
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
