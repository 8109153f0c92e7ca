"""Training of one split, or of every fold."""

import os

from spine_tf import config
from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.training import loop

ALL = "all"


def protocols(made: task.Task, data: records.DataFolder, fold: str) -> dict[str, str]:
    """Returns sub-folder -> protocol of what shall be trained.

    Args:
        made: The task.
        data: The data set.
        fold: "" for the task's own protocol, a number, or "all".

    Raises:
        ValueError: If the data set has no such fold.
    """
    if not fold:
        return {"": made.protocol}
    found = [name for name in data.protocols if name.startswith("fold")]
    wanted = found if fold == ALL else [f"fold{fold}"]
    if not found or wanted[0] not in found:
        choices = ", ".join(name[len("fold") :] for name in found) or "none"
        raise ValueError(
            f"`fold` must be all or one of {choices}, got {fold!r}. Convert with --folds to get"
            " folds."
        )
    return {name if fold == ALL else "": name for name in wanted}


def train_folds(
    made: task.Task,
    model_config: config.ModelConfig,
    train_config: config.TrainConfig,
    data: records.DataFolder,
    model_dir: str,
    *,
    fold: str = "",
    init_from: str = "",
    freeze_encoder: bool = False,
) -> None:
    """Trains the task on one split, or on every fold into a sub-folder each.

    Raises:
        ValueError: If anything asked for cannot be.
    """
    for folder, protocol in protocols(made, data, fold).items():
        path = os.path.join(model_dir, folder) if folder else model_dir
        loop.train(
            loop.Request(
                task=made,
                model_config=model_config,
                train_config=train_config,
                data=data,
                protocol=protocol,
                model_dir=path,
                init_from=init_from,
                freeze_encoder=freeze_encoder,
            )
        )
        print(f"model: {path}")
