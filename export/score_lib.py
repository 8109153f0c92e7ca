"""Exported models over discs, to one table.

A Beam pipeline takes pieces of work (`score_inputs`), each of which is written to a part beside
the output. A part that is whole is kept, so a run that was killed goes on where it was. Pieces, the
batches in them and what is written of them depend on the input alone, and an operation is never
split over threads, so the table has the same bytes whenever the run was killed and for any number
of processes and threads.
"""

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.utils import shared

from data_prep import beam_runner, restart
from export import (
    saved_model,
    score_batches,
    score_columns,
    score_files,
    score_inputs,
    score_settings,
)
from spine_tf import allocator, files

_LEAST_PIECES = 4  # that a process is worth
# More threads of one process would wait for each other's Python.
_MAX_THREADS = 4


@dataclasses.dataclass(frozen=True)
class Report:
    """What a scoring run did.

    Attributes:
        output: The table.
        num_discs: Its rows, over the number of models.
        num_errors: How many of these have an error.
        seconds: How long it took; 0 if a part had been done before.
        lines: What a person should read besides.
    """

    output: str
    num_discs: int
    num_errors: int
    seconds: float = 0.0
    lines: Sequence[str] = ()

    @property
    def exit_status(self) -> int:
        """3 if a row has an error, else 0."""
        return 3 if self.num_errors else 0

    def __str__(self) -> str:
        text = f"{self.output}: {self.num_discs} discs"
        if self.seconds:
            text += f" in {self.seconds:.0f} s, {self.num_discs / self.seconds:.3g} discs/s"
        text += "."
        if self.num_errors:
            text += f" {self.num_errors} could not be scored: see the column `error`."
        return "\n".join([*self.lines, text])


@dataclasses.dataclass(frozen=True)
class _Work:
    """One piece and the part that it is written to."""

    part: str
    items: Sequence[Any]


@dataclasses.dataclass(frozen=True)
class _Scoring:
    """What every worker knows.

    Attributes:
        models: Folders of versions.
        source: Reads pieces.
        batch_size: Discs that a model sees at once.
        num_threads: Batches that a worker has at once.
        parts_dir: Where the parts go.
        run: Name of the run, from `restart.claimed`.
        main_pid: Its main process; 0 where workers run on other machines.
    """

    models: tuple[str, ...]
    source: score_inputs.Source
    batch_size: int
    num_threads: int
    parts_dir: str
    run: str
    main_pid: int


def score(
    models: Sequence[str],
    inputs: score_inputs.Inputs,
    output: str,
    settings: score_settings.Settings,
    runner: beam_runner.Runner = beam_runner.LOCAL,
) -> Report:
    """Scores every disc of an input with every model.

    Args:
        models: Export folders (their newest versions) or versions.
        inputs: Where the discs are.
        output: CSV, Parquet or JSON lines by its ending; written whole or not at all. Which scan a
            pseudonym is of is written to OUTPUT.scans.csv, if scans were read.
        settings: Settings.
        runner: Where the pipeline runs.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: If a model or an input is not there.
        ValueError: If one is not what it should be, or they do not fit, or another run is writing
            to `output`.
    """
    score_files.check_ending(output)
    versions, infos = _find(models)
    scales = sorted({score_batches.scale_of(info) for info in infos})
    plan = score_inputs.plan(inputs, scales, settings.batch_size)
    parts_dir = f"{output}.parts"
    begun = time.monotonic()
    with restart.claimed(parts_dir, output) as run:
        restart.clear_temporaries([parts_dir])
        restart.clear_temporaries([os.path.dirname(output) or "."], os.path.basename(output))
        work = _work(plan, versions, infos, settings.batch_size, parts_dir)
        left = _left(work)
        processes, threads = _shares(len(left), plan.is_python, settings.num_processes, runner)
        main_pid = os.getpid() if runner.is_direct else 0
        scoring = _Scoring(
            *(tuple(versions), plan.source, settings.batch_size, threads),
            *(parts_dir, run, main_pid),
        )
        _run(scoring, left, work, plan.unit, processes, runner)
        counts = _Counts()
        failed = _failed_rows(plan.failed, versions, infos)
        rows = counts.counted([*(item.part for item in work)], failed)
        score_files.write(output, score_columns.columns(infos), rows)
        if plan.scans:
            score_inputs.write_scans(f"{output}.scans.csv", plan)
        shutil.rmtree(parts_dir)
    seconds = time.monotonic() - begun if len(left) == len(work) else 0.0
    return Report(output, counts.rows // len(versions), len(counts.bad), seconds, plan.lines)


def planned(
    models: Sequence[str],
    inputs: score_inputs.Inputs,
    output: str,
    settings: score_settings.Settings,
) -> list[str]:
    """Returns what `score` with these arguments would do; it reads no pixel and writes nothing."""
    score_files.check_ending(output)
    versions, infos = _find(models)
    scales = sorted({score_batches.scale_of(info) for info in infos})
    plan = score_inputs.plan(inputs, scales, settings.batch_size)
    count = sum(map(len, plan.pieces))
    names = ", ".join(" ".join(_identity(*pair)) for pair in zip(versions, infos, strict=True))
    return [
        *plan.lines,
        f"{output} would hold {count} {plan.unit}, scored by {names}; {len(plan.failed)} cannot be"
        " scored, as far as headers tell. Nothing was written.",
    ]


def _find(models: Sequence[str]) -> tuple[list[str], list[dict[str, Any]]]:
    versions = [saved_model.find_version(model) for model in models]
    infos = [saved_model.read_info(version) for version in versions]
    for version, info in zip(versions, infos, strict=True):
        saved_model.check_whole(version, info)  # here, not first in a worker
    named = [_identity(*pair) for pair in zip(versions, infos, strict=True)]
    for one in named:
        if named.count(one) > 1:
            raise ValueError(f"`model` must name different models, got {' '.join(one)} twice.")
    return versions, infos


def _identity(version: str, info: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version of a model, as its rows have them."""
    return score_batches.name_of(version), saved_model.version_of(version, info)


def _work(plan, versions, infos, batch_size: int, parts_dir: str) -> list[_Work]:
    """The pieces; a part is named after all it is made from."""
    models = [_identity(*pair) for pair in zip(versions, infos, strict=True)]
    made_by = json.dumps([models, infos, batch_size], sort_keys=True)
    work = []
    for number, (items, origin) in enumerate(zip(plan.pieces, plan.origins, strict=True)):
        digest = hashlib.sha256(f"{made_by}{origin}".encode()).hexdigest()[:16]
        work.append(_Work(os.path.join(parts_dir, f"{number:06d}-{digest}.jsonl"), items))
    return work


def _left(work: Sequence[_Work]) -> list[_Work]:
    """The pieces whose part is not there, or failed and is tried again: it is removed."""
    left = [item for item in work if not _is_sound(item.part)]
    for item in left:
        if os.path.exists(item.part):
            os.remove(item.part)
    return left


def _shares(num_left: int, is_python: bool, num_processes: int, runner) -> tuple[int, int]:
    """Worker processes, and threads of each."""
    if not runner.is_direct:
        return 1, 1
    most = 1 if is_python else _MAX_THREADS
    worth = beam_runner.worthwhile_processes(num_left, _LEAST_PIECES, most)
    processes = num_processes or worth
    return processes, max(1, min(most, beam_runner.num_cores() // processes))


def _run(scoring, left: Sequence[_Work], work: Sequence[_Work], unit, processes, runner) -> None:
    """Writes the parts of the pieces that are left."""
    done, sizes = [item.part for item in work], [len(item.items) for item in work]
    threads = scoring.num_threads
    with beam_runner.pipeline(processes, done, unit, runner, sizes, threads) as pipeline:
        (
            pipeline
            | "Pieces" >> beam.Create(left, reshuffle=True)
            | "Score" >> beam.ParDo(_ScorePiece(scoring))
        )


def _is_sound(part: str) -> bool:
    """Whether a part is whole and none of its rows failed."""
    return os.path.exists(part) and not any(map(_is_bad, _read_part(part)))


class _ScorePiece(beam.DoFn):
    """Writes the part of one piece; a worker loads the models once."""

    _models: score_batches.Models  # from `setup` on

    def __init__(self, scoring: _Scoring):
        self._scoring, self._shared = scoring, shared.Shared()

    def setup(self) -> None:
        """Loads the models, and ends this worker when the main process has ended."""
        allocator.keep_freed_memory()
        scoring = self._scoring
        if scoring.main_pid:
            restart.follow(scoring.parts_dir, scoring.run, scoring.main_pid)
        self._models = self._shared.acquire(lambda: score_batches.Models(scoring.models))

    def process(self, work: _Work) -> None:
        """Scores one piece."""
        scoring = self._scoring
        discs = scoring.source.discs(work.items, self._models.scales)
        batches = score_inputs.batches(discs, scoring.batch_size)
        scored = score_batches.in_order(self._models.rows, batches, scoring.num_threads)
        rows = [row for some in scored for row in some]
        with files.atomic_write(work.part) as file:
            file.writelines(f"{json.dumps(row)}\n" for row in rows)


def _read_part(part: str) -> list[score_columns.Row]:
    with open(part, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _failed_rows(failed, versions, infos) -> list[score_columns.Row]:
    """Rows of what was known before to fail."""
    return [
        score_batches.error_row(*_identity(version, info), disc, disc.error)
        for disc in failed
        for version, info in zip(versions, infos, strict=True)
    ]


def _is_bad(row: score_columns.Row) -> bool:
    return bool(row.get(score_columns.ERROR))


class _Counts:
    """Counts rows while they are written.

    Attributes:
        rows: How many there were.
        bad: Keys of those with an error.
    """

    def __init__(self):
        self.rows, self.bad = 0, set()

    def counted(
        self, parts: Sequence[str], failed: Sequence[score_columns.Row]
    ) -> Iterator[Sequence[score_columns.Row]]:
        """Yields the rows of every part, and those that failed before."""
        for rows in itertools.chain(map(_read_part, parts), [failed]):
            self.rows += len(rows)
            self.bad |= {row["key"] for row in rows if _is_bad(row)}
            yield rows
