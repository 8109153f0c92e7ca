"""Training of one split, or of every fold."""

import functools
import os
import sys
from collections.abc import Mapping

from spine_tf import config
from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.training import batches, journal, leakage, loop, projector, step
from spine_tf.training import strategy as strategies

ALL = "all"


def protocols(
    made: task.Task, data: records.DataFolder, fold: str, protocol: str = ""
) -> dict[str, str]:
    """Returns sub-folder -> protocol of what shall be trained.

    Args:
        made: The task.
        data: The data set.
        fold: "" for `protocol`, a number, or "all".
        protocol: Name of a protocol of the data set; "" is the task's own.

    Raises:
        ValueError: If the data set has no such fold or protocol, or both are asked for.
    """
    if fold and protocol:
        raise ValueError(f"`protocol` must be empty with `fold`, got {protocol!r}. Give one.")
    if not fold:
        if protocol and protocol not in data.protocols:
            choices = ", ".join(data.protocols)
            raise ValueError(f"`protocol` must be one of {choices}, got {protocol!r}.")
        return {"": protocol or made.protocol}
    found = [name for name in data.protocols if name.startswith("fold")]
    wanted = found if fold == ALL else [f"fold{fold}"]
    if not found or wanted[0] not in found:
        choices = ", ".join(name[len("fold") :] for name in found) or "none"
        raise ValueError(
            f"`fold` must be all or one of {choices}, got {fold!r}. Convert with --folds to get"
            " folds."
        )
    return {name if fold == ALL else "": name for name in wanted}


def planned(
    made: task.Task,
    model_config: config.ModelConfig,
    train_config: config.TrainConfig,
    data: records.DataFolder,
    model_dir: str,
    *,
    fold: str = "",
    protocol: str = "",
    init_from: str = "",
) -> list[str]:
    """Returns what `train_folds` with these arguments would do, a line per model.

    Raises:
        ValueError: If it cannot be.
    """
    lines = []
    for folder, name in protocols(made, data, fold, protocol).items():
        if init_from:
            lines += leakage.check(init_from, data, name)
        found = batches.prepare(made, train_config, model_config.crop_scale, data, name)
        step.check(train_config, strategies.make(train_config.strategy), found.sizes)
        counts = ", ".join(f"{len(index.rows)} {split}" for split, index in found.indices.items())
        lines.append(
            f"{os.path.join(model_dir, folder)}: protocol {name}, records: {counts}; at most"
            f" {train_config.epochs} epochs of {found.num_steps('train')} steps of"
            f" {train_config.batch_size}."
        )
    return lines


def train_folds(
    made: task.Task,
    model_config: config.ModelConfig,
    train_config: config.TrainConfig,
    data: records.DataFolder,
    model_dir: str,
    *,
    fold: str = "",
    protocol: str = "",
    init_from: str = "",
    freeze_encoder: bool = False,
    feature_cache: str = "",
    json_lines: bool = False,
) -> None:
    """Trains the task on one split, or on every fold into a sub-folder each.

    Args:
        made: The task.
        model_config: Sizes of the network.
        train_config: Settings.
        data: The data set.
        model_dir: Where the model goes, or the folders of the folds.
        fold: See `protocols`.
        protocol: See `protocols`.
        init_from: See `loop.Request`.
        freeze_encoder: See `loop.Request`.
        feature_cache: See `loop.Request`.
        json_lines: Whether stdout gets a JSON object per epoch; a person's lines go to stderr.

    Raises:
        ValueError: If anything asked for cannot be.
        OSError: If the model cannot be saved, or another worker is gone.
    """
    say = functools.partial(print, file=sys.stderr if json_lines else sys.stdout, flush=True)

    def report(epoch: int, values: Mapping[str, float]) -> None:
        if json_lines:
            print(journal.json_line(epoch, train_config.epochs, values), flush=True)

    is_chief = strategies.is_chief(strategies.make(train_config.strategy))
    for folder, name in protocols(made, data, fold, protocol).items():
        path = os.path.join(model_dir, folder) if folder else model_dir
        trained = loop.train(
            loop.Request(
                task=made,
                model_config=model_config,
                train_config=train_config,
                data=data,
                protocol=name,
                model_dir=path,
                init_from=init_from,
                freeze_encoder=freeze_encoder,
                feature_cache=feature_cache,
            ),
            say,
            report,
        )
        if is_chief:
            projector.write_validation(trained, data)
            say(f"model: {path}")
