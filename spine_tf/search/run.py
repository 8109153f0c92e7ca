"""A whole search: checks, oracle and tuner, results.

WORK_DIR/search.json       what is searched, to tell this search from another
WORK_DIR/search.lock       held while a process searches (the chief, of several)
WORK_DIR/keras_tuner/      the state of the oracle
WORK_DIR/trials/NUMBER/    trial.json, model/, probe/
WORK_DIR/results.json, results.csv, results.png, best.json
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from spine_tf import files, json_fields, lock, run_config, tasks
from spine_tf.data import records
from spine_tf.search import (
    objective,
    options,
    oracles,
    outcome,
    processes,
    progress,
    results,
    space,
    trial,
    tuner,
)
from spine_tf.tasks import task

FORMAT = "spine_tf search/1"
SEARCH = "search.json"
_LOCK = "search.lock"
_STATE = os.path.join("keras_tuner", "oracle.json")


def prepare(
    chosen: options.Options,
    base: run_config.RunConfig,
    data: records.DataFolder,
    work_dir: str,
    *,
    protocol: str = "",
    init_from: str = "",
    freeze_encoder: bool = False,
) -> trial.Setup:
    """Checks what can be checked before the first trial.

    Args:
        chosen: Options of the search.
        base: The settings that are not searched.
        data: The data set.
        work_dir: Folder of the search.
        protocol: Protocol of the split; "" is the task's own.
        init_from: Model folder whose encoder is taken, or "".
        freeze_encoder: Whether that encoder stays as it is.

    Raises:
        ValueError: If space, objective or probe cannot be.
    """
    if base.train_config.strategy not in ("one", "mirrored"):
        raise ValueError(
            "`strategy` must be one or mirrored, because a trial runs in one process, got"
            f" {base.train_config.strategy!r}."
        )
    searched = (
        space.read(chosen.space, base) if chosen.space else space.default(base, bool(init_from))
    )
    _check_space(searched, chosen, init_from)
    protocol = protocol or base.task.protocol
    watched = _configured(base.task, data, protocol)
    probe = tasks.make(chosen.probe, chosen.probe_options) if chosen.probe else None
    if probe:
        watched = _configured(probe, data, probe.protocol)
        _check_unseen(base.task, protocol, probe, data)
    return trial.Setup(
        work_dir=work_dir,
        base=base,
        space=searched,
        objective=objective.choose(chosen.objective, watched),
        data=data,
        protocol=protocol,
        init_from=init_from,
        freeze_encoder=freeze_encoder,
        probe=probe,
        probe_epochs=chosen.probe_epochs,
    )


def _check_space(searched: space.Space, chosen: options.Options, init_from: str) -> None:
    names = [found.name for found in searched.dimensions]
    if "train.strategy" in names:
        raise ValueError("the search space must not hold train.strategy: give --strategy.")
    if "train.epochs" in names and chosen.tuner == options.HYPERBAND:
        raise ValueError(
            "the search space must not hold train.epochs with hyperband, which sets them. Give the"
            " most that a trial gets by --epochs."
        )
    sizes = [name for name in names if name.startswith("model.")]
    if init_from and sizes:
        raise ValueError(
            f"the search space must not hold {', '.join(sizes)} with --init_from, whose encoder has"
            " its sizes."
        )


def _indices(made: task.Task, data: records.DataFolder, protocol: str) -> dict[str, records.Index]:
    records.check_protocol(data, protocol)
    return {
        split: data.index(made.record_kind, protocol, split) for split in ("train", "validation")
    }


def _configured(made: task.Task, data: records.DataFolder, protocol: str) -> task.Task:
    """The task with what depends on the records, checked against them."""
    indices = _indices(made, data, protocol)
    made = made.configure(indices["train"])
    made.check(indices)
    return made


def _check_unseen(made: task.Task, protocol: str, probe: task.Task, data) -> None:
    """Refuses at once what `leakage` would refuse after the first training."""
    if protocol == probe.protocol:
        return
    indices = _indices(made, data, protocol).values()
    seen = {family for index in indices for family in index.column("family")}
    held_out = {
        family for family, split in data.families(probe.protocol).items() if split != "train"
    }
    if seen & held_out:
        raise ValueError(
            f"`probe` must validate on families that the trials do not see, got"
            f" {len(seen & held_out)} of both {protocol!r} and {probe.protocol!r}. Choose another"
            " --protocol."
        )


def search(
    setup: trial.Setup, chosen: options.Options, say: Callable[[str], None] = print
) -> list[outcome.Outcome]:
    """Searches, or goes on where the search was stopped; what a chief and each worker call.

    Args:
        setup: From `prepare`.
        chosen: The same options.
        say: Takes the lines a person reads.

    Returns:
        All trials, failed ones too.

    Raises:
        ValueError: If the folder holds another search.
        OSError: If another process searches there, or a file cannot be written.
    """
    role, most = processes.role(), make_schedule(setup, chosen)
    if role != processes.ALONE and results.is_finished(setup.work_dir, len(most)):
        return outcome.read_all(setup.work_dir)
    if role == processes.WORKER:
        processes.wait_for_chief(say)
        claimed: contextlib.AbstractContextManager = contextlib.nullcontext()
    else:
        claimed = _only_one(setup.work_dir)
    with claimed:
        _claim(setup, chosen, role)
        return _search(setup, chosen, role, most, say)


def _search(
    setup: trial.Setup,
    chosen: options.Options,
    role: str,
    most: Sequence[int],
    say: Callable[[str], None],
) -> list[outcome.Outcome]:
    if role == processes.CHIEF:
        processes.check_port()
        say(f"chief: waits for workers, {len(most)} trials at most.")
    oracle = _oracle(setup, chosen, role)
    oracle.after_trial = lambda: results.write(setup, len(most), is_finished=False)
    report = progress.Report(setup.work_dir, setup.objective, most)
    tuner.Tuner(oracle, setup, report, say).search()
    if role == processes.WORKER:
        return outcome.read_all(setup.work_dir)
    return results.write(setup, len(most), is_finished=True)


def _only_one(work_dir: str) -> contextlib.AbstractContextManager[None]:
    """Keeps other processes from choosing values in a folder; makes it if missing."""
    os.makedirs(work_dir, exist_ok=True)
    return lock.only_one(
        os.path.join(work_dir, _LOCK),
        f"`work_dir` must not be in use, got {work_dir}, in which another process is searching."
        " Wait for it, stop it, or choose another folder; for several processes set"
        " KERASTUNER_TUNER_ID and the others (docs/search.md).",
    )


def make_schedule(setup: trial.Setup, chosen: options.Options) -> list[int]:
    """Returns the epochs of every trial that the search may run, without those continued."""
    epochs = setup.base.train_config.epochs
    return _oracle(setup, chosen, processes.WORKER).schedule(epochs)


def _oracle(setup: trial.Setup, chosen: options.Options, role: str) -> Any:
    """The oracle; a worker's only stands for the chief's, so it has no state."""
    train = setup.base.train_config
    made = oracles.make(chosen, setup.space, setup.objective, epochs=train.epochs, seed=train.seed)
    if role != processes.WORKER:
        made.resume(os.path.join(setup.work_dir, _STATE))
    return made


def _claim(setup: trial.Setup, chosen: options.Options, role: str) -> None:
    """Notes what is searched in this folder, or checks that it is the same search."""
    path = os.path.join(setup.work_dir, SEARCH)
    identity = _identity(setup, chosen)
    if os.path.exists(path):
        found = files.read_json(path, FORMAT)
        changed = json_fields.differences(found, identity)
        if changed:
            raise ValueError(
                f"`work_dir` must be new or of the same search, got {setup.work_dir}, which differs"
                f" in {'; '.join(changed)}. Choose another folder."
            )
    elif role != processes.WORKER:
        files.write_json(path, identity)


def _identity(setup: trial.Setup, chosen: options.Options) -> dict[str, Any]:
    """What makes two searches the same; more trials may be asked for later."""
    own = {
        "format": FORMAT,
        "epochs": setup.base.train_config.epochs,
        "space": setup.space.to_json(),
        "objective": setup.objective,
        "tuner": chosen.tuner,
        "hyperband_factor": chosen.hyperband_factor,
        "probe": _probe_identity(setup) if setup.probe else {},
    }
    return setup.request(setup.base, "").identity() | own


def _probe_identity(setup: trial.Setup) -> dict[str, Any]:
    fields = run_config.options(setup.probe)
    return {"name": tasks.name_of(setup.probe), "options": fields, "epochs": setup.probe_epochs}


def lines(setup: trial.Setup, chosen: options.Options) -> list[str]:
    """Returns what `--dry_run` says."""
    most = make_schedule(setup, chosen)
    combinations = setup.space.num_combinations()
    where = f", after a probe by {tasks.name_of(setup.probe)}" if setup.probe else ""
    trials = ", ".join(
        f"{_counted(most.count(number), 'trial')} of {_counted(number, 'epoch')}"
        for number in dict.fromkeys(sorted(most))
    )
    found = [f"search space, {len(setup.space.dimensions)} settings:"]
    found += [f"  {one.text()}" for one in setup.space.dimensions]
    found += [f"objective: {setup.objective}{where}"]
    found += [f"tuner: {chosen.tuner}, at most {trials}"]
    if combinations is not None and combinations < len(most):
        found += [f"the space has only {combinations} combinations: the search ends with them"]
    return found


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def report(
    setup: trial.Setup, found: Sequence[outcome.Outcome], say: Callable[[str], None] = print
) -> int:
    """Says what came of a search; returns how many trials failed.

    Raises:
        ValueError: If all of them failed.
    """
    failed = [one for one in found if one.status == outcome.FAILED]
    chosen = results.best(found)
    if failed and not chosen:
        raise ValueError(
            f"all {len(failed)} trials failed, the first: {progress.shortened(failed[0].reason)}"
        )
    for one in failed:
        say(f"failed: trial {one.trial}: {progress.shortened(one.reason)}")
    if chosen:
        say(f"best: trial {chosen.trial}, {setup.objective} {chosen.objective:.4f}")
        say(f"  {progress.text(chosen.values)}")
        best = os.path.join(setup.work_dir, results.BEST)
        say(f"train it: spine-tf train --config={best} --data_dir=... --model_dir=...")
    return len(failed)
