"""From discs to rows: every model over batches that do not depend on what else is done."""

import collections
import concurrent.futures
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from export import saved_model, score_columns, score_inputs

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Models:
    """Models that one worker has loaded, each with its name.

    Attributes:
        exported: The models.
        names: What each is called in a table.
    """

    def __init__(self, paths: Sequence[str]):
        self.exported = [saved_model.load(path) for path in paths]
        self.names = [name_of(path) for path in paths]

    @property
    def scales(self) -> list[float]:
        """Crop scales of the records that the models want."""
        return sorted({scale_of(model.info) for model in self.exported})

    def rows(self, discs: Sequence[score_inputs.Disc]) -> list[score_columns.Row]:
        """Returns a row per disc and model, discs first."""
        by_model = [
            _rows(name, model, discs) for name, model in zip(self.names, self.exported, strict=True)
        ]
        return [row for rows in zip(*by_model, strict=True) for row in rows]


def name_of(version_path: str) -> str:
    """Returns what a model is called: the name of its export folder."""
    return os.path.basename(os.path.dirname(os.path.abspath(version_path)))


def scale_of(info: Any) -> float:
    """Returns the crop scale of the records that a model wants."""
    return info["crop"]["record_scale"]


def error_row(name: str, version: str, disc: score_inputs.Disc, reason: str) -> score_columns.Row:
    """Returns the row of a disc that could not be scored."""
    return _facts(name, version, disc) | {score_columns.ERROR: " ".join(reason.split())}


def _facts(name: str, version: str, disc: score_inputs.Disc) -> score_columns.Row:
    return {**disc.facts, "model": name, "model_version": version}


def _rows(
    name: str, model: saved_model.Exported, discs: Sequence[score_inputs.Disc]
) -> list[score_columns.Row]:
    """Rows of a batch in its order; those with an error keep their place."""
    scored = iter(_run(name, model, [disc for disc in discs if not disc.error]))
    return [
        error_row(name, model.version, disc, disc.error) if disc.error else next(scored)
        for disc in discs
    ]


def _run(
    name: str, model: saved_model.Exported, discs: Sequence[score_inputs.Disc]
) -> list[score_columns.Row]:
    """Rows of discs that have a record; one by one where the batch as a whole is refused."""
    if not discs:
        return []
    scale = scale_of(model.info)
    try:
        outputs = model.run("examples", examples=[disc.examples[scale] for disc in discs])
    except saved_model.InputError as error:
        if len(discs) == 1:
            return [error_row(name, model.version, discs[0], str(error))]
        return [row for disc in discs for row in _run(name, model, [disc])]
    return [_row(name, model, outputs, number, disc) for number, disc in enumerate(discs)]


def _row(name, model, outputs, number: int, disc: score_inputs.Disc) -> score_columns.Row:
    found = outputs["key"][number].decode()
    if found != disc.facts["key"]:
        reason = f"the record has the key {found!r}; convert again"
        return error_row(name, model.version, disc, reason)
    facts = _facts(name, model.version, disc)
    return facts | score_columns.cells_of(model, outputs, number)


def in_order(
    function: Callable[[_Item], _Result], items: Iterable[_Item], num_threads: int
) -> Iterator[_Result]:
    """Gives the results of a function over items in their order.

    Args:
        function: Is called by the threads.
        items: Are made meanwhile by the thread of the caller, one ahead.
        num_threads: How many are worked on at once.
    """
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        waiting: collections.deque[concurrent.futures.Future] = collections.deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
