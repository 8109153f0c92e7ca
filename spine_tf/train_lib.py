"""Training of one split, or of every fold."""

import functools
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from spine_tf import config, tasks
from spine_tf.data import records, schema, splits
from spine_tf.tasks import task
from spine_tf.training import (
    batches,
    journal,
    leakage,
    loop,
    model_folder,
    new_model,
    projector,
    step,
)
from spine_tf.training import strategy as strategies

ALL = "all"
_NEXT_TASK = {
    config.VGG_M: "grading",
    config.SONONET: "classification",
    config.SONONET_6: "localisation",
    config.UNET: "segmentation",
}


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
    found = [name for name in data.protocols if re.fullmatch(r"fold\d+", name)]
    wanted = found if fold == ALL else [f"fold{fold}"]
    if not found or wanted[0] not in found:
        choices = ", ".join(name[len("fold") :] for name in found) or "none"
        raise ValueError(
            f"`fold` must be all or one of {choices}, got {fold!r}. Convert with --folds to get"
            " folds."
        )
    return {name if fold == ALL else "": name for name in wanted}


def requests(
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
) -> list[loop.Request]:
    """Returns what shall be trained: one split, or every fold into a sub-folder each.

    Args:
        made: The task.
        model_config: Sizes of the network.
        train_config: Settings.
        data: The data set.
        model_dir: Where the model goes, or the folders of the folds.
        fold: See `protocols`.
        protocol: See `protocols`.
        init_from: See `loop.Request`; of a folder of folds it is the same fold's model.
        freeze_encoder: See `loop.Request`.
        feature_cache: See `loop.Request`.

    Raises:
        ValueError: If there is no such fold or protocol.
    """
    return [
        loop.Request(
            task=made,
            model_config=model_config,
            train_config=train_config,
            data=data,
            protocol=name,
            model_dir=os.path.join(model_dir, folder) if folder else model_dir,
            init_from=_start(init_from, name),
            freeze_encoder=freeze_encoder,
            feature_cache=feature_cache,
        )
        for folder, name in protocols(made, data, fold, protocol).items()
    ]


def _start(init_from: str, protocol: str) -> str:
    """The model of the same fold, where a folder holds one of each."""
    if not init_from or os.path.exists(os.path.join(init_from, model_folder.CONFIG)):
        return init_from
    of_fold = os.path.join(init_from, splits.whole_name(protocol))
    return of_fold if os.path.isdir(of_fold) else init_from


def planned(wanted: Iterable[loop.Request]) -> list[str]:
    """Returns what `train` would do, a line per model.

    Raises:
        ValueError: If it cannot be.
    """
    lines = []
    for one in wanted:
        model_folder.existing(one.model_dir, one.identity())
        settings = one.train_config
        lines += leakage.check_run(one.data, one.protocol, one.init_from)
        scale = one.model_config.crop_scale
        found = batches.prepare(one.task, settings, scale, one.data, one.protocol)
        step.check(settings, strategies.make(settings.strategy), found.sizes)
        statistics = new_model.statistics(found.task, found.indices["train"], one.init_from)
        new_model.build(found.task, one.model_config, statistics, settings.seed, one.init_from)
        counts = ", ".join(f"{len(index.rows)} {split}" for split, index in found.indices.items())
        lines.append(
            f"{one.model_dir}: protocol {one.protocol}, records: {counts}; at most"
            f" {settings.epochs} epochs of {found.num_steps('train')} steps of"
            f" {settings.batch_size}."
        )
    return lines


def train(wanted: Iterable[loop.Request], *, json_lines: bool = False) -> None:
    """Trains one model after the other.

    Args:
        wanted: The models.
        json_lines: Whether stdout gets a JSON object per epoch; a person's lines go to stderr.

    Raises:
        ValueError: If anything asked for cannot be.
        OSError: If the model cannot be saved, or another worker is gone.
    """
    say = functools.partial(print, file=sys.stderr if json_lines else sys.stdout, flush=True)
    wanted = list(wanted)
    for one in wanted[1:]:  # not after hours of the first one
        leakage.check_run(one.data, one.protocol, one.init_from)
    for number, one in enumerate(wanted, 1):
        epochs = one.train_config.epochs
        if len(wanted) > 1:
            say(f"{one.protocol}, {number} of {len(wanted)}: {one.model_dir}")

        def report(epoch: int, values: Mapping[str, float], epochs: int = epochs) -> None:
            if json_lines:
                print(journal.json_line(epoch, epochs, values), flush=True)

        trained = loop.train(one, say, report)
        if strategies.is_chief(strategies.make(one.train_config.strategy)):
            projector.write_validation(trained, one.data)
            say(f"model: {one.model_dir}")
            if number == len(wanted):
                for line in _next(wanted):
                    say(line)


def _next(made: Sequence[loop.Request]) -> list[str]:
    """What comes after training: an encoder is for another task, anything else is evaluated."""
    one = made[0]
    folder = one.model_dir if len(made) == 1 else os.path.dirname(one.model_dir)
    data = f"--data_dir={one.data.path}"
    if tasks.name_of(one.task) not in tasks.PRETEXT:
        return [f"next: spine-tf evaluate --model_dir={folder} {data} --output_dir=..."]
    network = one.model_config.network
    if network == config.VGG_M and schema.DISC not in one.data.manifest["kinds"]:
        return []
    preset = [f"--preset={name}" for name, it in config.PRESETS.items() if it == one.model_config]
    split = []
    if re.match(r"fold\d", one.protocol):
        split = [f"--fold={ALL}" if len(made) > 1 else f"--protocol={one.protocol}"]
    words = [f"--task={_NEXT_TASK[network]}", *preset[:1], *split, f"--init_from={folder}", data]
    return [f"next: spine-tf train {' '.join(words)} --model_dir=..."]
