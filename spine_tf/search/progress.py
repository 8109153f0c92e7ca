"""The lines a person reads while a search runs."""

import dataclasses
import datetime
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from spine_tf.search import outcome, results


@dataclasses.dataclass(frozen=True)
class Report:
    """Says how far a search is.

    Attributes:
        work_dir: Folder of the search.
        objective: What shall be large.
        schedule: Epochs of every trial, at most.
    """

    work_dir: str
    objective: str
    schedule: Sequence[int]

    def begin(self, begun: outcome.Outcome) -> str:
        """Returns the line before a trial."""
        more = f", goes on from trial {begun.continues}" if begun.continues else ""
        return (
            f"trial {begun.trial} of {len(self.schedule)} ({begun.epochs - begun.first_epoch}"
            f" epochs{more}): {text(begun.values)}"
        )

    def end(self, ended: outcome.Outcome) -> str:
        """Returns the line after a trial."""
        known = outcome.read_all(self.work_dir)
        if ended.status == outcome.FAILED:
            said = f"trial {ended.trial} failed: {shortened(ended.reason)}"
        else:
            said = f"trial {ended.trial}: {self.objective} {ended.objective:.4f}"
        best = results.best(known)
        if best:
            said += f"; best {best.objective:.4f} (trial {best.trial})"
        return f"{said}; {left(known, self.schedule)} left"


def text(values: Mapping[str, Any]) -> str:
    """Returns values of settings on one line."""
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )


def shortened(reason: str) -> str:
    """Returns a reason that fits on a line or two; trial.json holds the whole."""
    return textwrap.shorten(reason, 160, placeholder=" ...")


def left(known: Sequence[outcome.Outcome], schedule: Sequence[int]) -> str:
    """Returns the time that is left at the speed so far, h:mm:ss.

    Args:
        known: All trials that were begun, by any worker.
        schedule: Epochs of every trial.
    """
    ended = [found for found in known if found.status != outcome.RUNNING]
    epochs = sum(found.epochs - found.first_epoch for found in ended)
    rate = sum(found.seconds for found in ended) / epochs
    workers = len({found.worker for found in known})
    return str(datetime.timedelta(seconds=round(rate * (sum(schedule) - epochs) / workers)))
