"""What came of a trial: `trials/NUMBER/trial.json`, written by the process that runs it."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from spine_tf import files

FORMAT = "spine_tf trial/1"
TRIALS = "trials"
_FILE = "trial.json"
RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One trial.

    Attributes:
        trial: Number, from 1 on.
        values: Setting -> value.
        epochs: Epochs it is trained to.
        first_epoch: Epochs that the trial had which it continues.
        continues: Number of that trial, or 0.
        status: running, done or failed.
        objective: Best value of the objective.
        best_epoch: Its epoch, from 1 on; the probe's, with a probe.
        reason: Why it failed.
        seconds: Time it took.
        worker: Name of the process.
    """

    trial: int
    values: Mapping[str, Any]
    epochs: int
    first_epoch: int = 0
    continues: int = 0
    status: str = RUNNING
    objective: float | None = None
    best_epoch: int | None = None
    reason: str = ""
    seconds: float = 0.0
    worker: str = ""


def folder(work_dir: str, trial: int) -> str:
    """Returns the folder of a trial."""
    return os.path.join(work_dir, TRIALS, str(trial))


def write(work_dir: str, found: Outcome) -> None:
    """Writes the file of a trial, whole or not at all."""
    path = folder(work_dir, found.trial)
    os.makedirs(path, exist_ok=True)
    files.write_json(os.path.join(path, _FILE), {"format": FORMAT} | dataclasses.asdict(found))


def read(work_dir: str, trial: int) -> Outcome:
    """Reads the file of a trial."""
    content = files.read_json(os.path.join(folder(work_dir, trial), _FILE), FORMAT)
    del content["format"]
    return Outcome(**content)


def read_all(work_dir: str) -> list[Outcome]:
    """Returns all trials that were begun, in their order."""
    root = os.path.join(work_dir, TRIALS)
    names = os.listdir(root) if os.path.isdir(root) else []
    begun = [name for name in names if os.path.exists(os.path.join(root, name, _FILE))]
    return [read(work_dir, number) for number in sorted(map(int, begun))]
