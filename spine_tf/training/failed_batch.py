"""A batch whose loss or gradient is not finite: which records it holds, for whoever looks why."""

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from spine_tf import files

NAME = "failed_batch.json"


def stop(
    losses: Mapping[str, float],
    model_dir: str,
    *,
    split: str,
    epoch: int,
    step: int,
    records: Sequence[str],
    is_chief: bool = True,
) -> NoReturn:
    """Ends a run whose loss is not finite.

    Args:
        losses: "loss", the total, and its parts.
        model_dir: Model folder, to which failed_batch.json is written.
        split: "train" or "validation".
        epoch: From 0 on.
        step: From 0 on.
        records: Keys of the records of the batch.
        is_chief: Whether this worker writes.

    Raises:
        ValueError: Always; it names the batch.
    """
    path = os.path.join(model_dir, NAME)
    if is_chief:
        place = {"split": split, "epoch": epoch, "step": step}
        files.write_json(path, place | {"records": list(records)})
    shown = ", ".join(records[:4]) + (" and more" if len(records) > 4 else "")
    raise ValueError(
        f"the loss and its gradient must be finite, got {dict(losses)} in {split} at epoch"
        f" {epoch + 1}, step {step + 1}, with the records {shown} (all of them: {path}). Lower"
        " --learning_rate or give --clip_norm, and choose another --model_dir."
    )
