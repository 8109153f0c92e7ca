"""Mode `all` against `sampled`: pairs per second, and pair AUC after equal wall time."""

import dataclasses
import itertools
import os
import statistics
from collections.abc import Mapping, Sequence

from benchmarks import contender
from spine_tf import config

MODES = ("sampled", "all")
_AUC = "val_same_subject/auc"


class _TimeIsUpError(Exception):
    """Ends a run from its `on_epoch`."""


def measure(
    data_dir: str,
    work_dir: str,
    seeds: Sequence[int],
    seconds: float,
    preset: str,
    steps_per_epoch: int,
) -> dict:
    """Trains both modes with every seed, in turn, as long as they have time.

    Args:
        data_dir: Data set with follow-ups.
        work_dir: Where the models go; new.
        seeds: Seeds of the runs.
        seconds: Wall time of a run, without what comes before its first epoch, with validation.
        preset: Size of the network.
        steps_per_epoch: Steps between two looks at the validation split.

    Returns:
        Settings, and per mode the pairs of a batch, pairs per second and the pair AUC.
    """
    settings = config.TrainConfig(
        epochs=1000,
        batch_size=64,
        optimizer="adam",
        augment_strength=0.1,
        patience=1000,
        steps_per_epoch=steps_per_epoch,
    )
    counts = {mode: pairs_of_a_batch(data_dir, settings, mode) for mode in MODES}
    found: dict[str, dict[str, list[float]]] = {
        mode: {"auc": [], "epochs": [], "pairs_per_second": []} for mode in MODES
    }
    for seed in seeds:
        for mode in MODES:
            path = os.path.join(work_dir, f"{mode}-{seed}")
            history = _train(data_dir, path, settings, mode, seed, preset, seconds)
            one = outcome(history, seconds)
            one["pairs_per_second"] = counts[mode] * steps_per_epoch / one.pop("epoch_seconds")
            for name, value in one.items():
                found[mode][name].append(round(value, 4))
    return {
        "preset": preset,
        "seconds": seconds,
        "seeds": list(seeds),
        "batch_size": settings.batch_size,
        "steps_per_epoch": steps_per_epoch,
        "pairs_of_a_batch": counts,
        "modes": found,
        "auc": {mode: contender.summary(found[mode]["auc"]) for mode in MODES},
        "pairs_per_second": {
            mode: contender.summary(found[mode]["pairs_per_second"], 1) for mode in MODES
        },
    }


def outcome(history: Sequence[Mapping[str, float]], seconds: float) -> dict[str, float]:
    """Says where a run stood when its time was up.

    Args:
        history: Rows of metrics.csv with "seconds" and the pair AUC.
        seconds: Its time.

    Returns:
        "auc" and "epochs" of the last epoch that ended in time, and "epoch_seconds", the median,
        validation included.

    Raises:
        ValueError: If none ended in time: runs would be compared after different times.
    """
    spent = itertools.accumulate(row["seconds"] for row in history)
    epochs = sum(1 for end in spent if end <= seconds)
    if not epochs:
        raise ValueError(
            f"`mode_seconds` must be at least as long as an epoch, {history[0]['seconds']:.0f} s"
            f" here, got {seconds:g}. Give more seconds or fewer --mode_steps."
        )
    return {
        "auc": history[epochs - 1][_AUC],
        "epochs": epochs,
        "epoch_seconds": statistics.median(row["seconds"] for row in history),
    }


def pairs_of_a_batch(data_dir: str, settings: config.TrainConfig, mode: str) -> float:
    """Returns how many pairs a batch holds, mean of the first epoch's first 20."""
    batches = _batches(data_dir, settings, mode)
    found = [
        int((batch.weights["same_subject"].numpy() > 0).sum())
        for _, batch in itertools.islice(batches.of_epoch("train", 0), 20)
    ]
    return sum(found) / len(found)


def _batches(data_dir: str, settings: config.TrainConfig, mode: str):
    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.training import batches

    data, made = records.open_folder(data_dir), tasks.TASKS["longitudinal"](mode=mode)
    indices = {
        split: data.index(made.record_kind, made.protocol, split)
        for split in ("train", "validation")
    }
    plain = dataclasses.replace(settings, augment=False)
    return batches.Batches(made.configure(indices["train"]), plain, data.crop_scale, indices)


def _train(data_dir, model_dir, settings, mode, seed, preset, seconds) -> list[dict[str, float]]:
    """Trains until the time is up; returns the epochs."""
    from spine_tf import tasks
    from spine_tf.data import records
    from spine_tf.training import loop

    made, history = tasks.TASKS["longitudinal"](mode=mode), []

    def watch(epoch: int, values: Mapping[str, float]) -> None:
        del epoch
        history.append(dict(values))
        if sum(row["seconds"] for row in history) >= seconds:
            raise _TimeIsUpError

    os.makedirs(os.path.dirname(model_dir), exist_ok=True)
    request = loop.Request(
        made,
        config.preset(preset),
        dataclasses.replace(settings, seed=seed),
        records.open_folder(data_dir),
        made.protocol,
        model_dir,
    )
    try:
        loop.train(request, on_epoch=watch)
    except _TimeIsUpError:
        pass
    return history
