"""A SavedModel over the discs of a data set, to one CSV file.

A Beam pipeline takes one shard per piece of work. Each shard's rows are written to a part beside
the output; a part that is whole is kept, so a run that was stopped goes on where it was. Last, the
parts are merged by key.
"""

import contextlib
import csv
import dataclasses
import hashlib
import heapq
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf

from data_prep import beam_runner
from export import saved_model, score_settings, table
from spine_tf import files
from spine_tf.data import records, schema

_FRAME_HEADER_BYTES, _FRAME_FOOTER_BYTES = 12, 4  # of a TFRecord, around its content


@dataclasses.dataclass(frozen=True)
class Report:
    """What a scoring run did."""

    output: str
    num_discs: int
    num_errors: int

    @property
    def exit_status(self) -> int:
        """3 if a record could not be scored, else 0."""
        return 3 if self.num_errors else 0

    def __str__(self) -> str:
        text = f"{self.output}: {self.num_discs} discs."
        if self.num_errors:
            text += f" {self.num_errors} could not be scored: see the column `error`."
        return text


@dataclasses.dataclass(frozen=True)
class _Shard:
    """One piece of work.

    Attributes:
        path: TFRecord file.
        sha256: What its hash must be.
        rows: Its lines of the index.
        part: Where its rows go.
    """

    path: str
    sha256: str
    rows: Sequence[Mapping[str, Any]]
    part: str


def columns(gradings: Sequence[saved_model.GradingInfo]) -> list[str]:
    """Returns the columns of the output, in order."""
    return [
        *("key", "subject", "visit", "level", "grading", "grade", "expected_grade"),
        *table.probability_columns(gradings),
        *("label", "was_graded", "model_version", "error"),
    ]


def score(model: str, data_dir: str, output: str, settings: score_settings.Settings) -> Report:
    """Scores every disc of a data set.

    Args:
        model: An export folder (its newest version) or one version.
        data_dir: The data set.
        output: CSV file, written whole or not at all.
        settings: Settings.

    Returns:
        What was done.

    Raises:
        FileNotFoundError: If `model` or `data_dir` is not there.
        ValueError: If either is not what it should be, or they do not fit.
    """
    model = saved_model.find_version(model)
    info = saved_model.read_info(model)
    folder = records.open_folder(data_dir)
    index = folder.index(schema.DISC)
    if info["crop"]["record_scale"] != folder.crop_scale:
        raise ValueError(
            f"{data_dir}: must hold crops at scale {info['crop']['record_scale']}, as the model's"
            f" training data, got {folder.crop_scale}. Convert with that --crop_scale."
        )
    parts = f"{output}.parts"
    os.makedirs(parts, exist_ok=True)
    shards = _shards(folder, index, model, info, parts)
    with beam_runner.pipeline(
        settings.num_processes, [shard.part for shard in shards], "shards"
    ) as pipeline:
        (
            pipeline
            | "Shards" >> beam.Create(shards, reshuffle=True)
            | "Score" >> beam.ParDo(_ScoreShard(model, settings.batch_size))
        )
    num_errors = _merge([shard.part for shard in shards], output, saved_model.gradings_of(info))
    shutil.rmtree(parts)
    return Report(output, len(index), num_errors)


def _shards(folder: records.DataFolder, index: records.Index, model, info, parts) -> list[_Shard]:
    by_file = {item["name"]: [] for item in folder.manifest["kinds"][schema.DISC]["files"]}
    for row in index.rows:
        by_file[row["file"]].append(row)
    shards = []
    for item in folder.manifest["kinds"][schema.DISC]["files"]:
        content = json.dumps([saved_model.version_of(model, info), info, item], sort_keys=True)
        name = f"{item['name']}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.csv"
        shards.append(
            _Shard(
                path=os.path.join(folder.path, item["name"]),
                sha256=item["sha256"],
                rows=by_file[item["name"]],
                part=os.path.join(parts, name),
            )
        )
    return shards


class _ScoreShard(beam.DoFn):
    """Writes the part of one shard; loads the model once per worker."""

    def __init__(self, model: str, batch_size: int):
        self._path, self._batch_size = model, batch_size
        self._model = None

    def setup(self):
        self._model = saved_model.load(self._path)

    def process(self, shard: _Shard):
        if not os.path.exists(shard.part):
            rows = sorted(shard.rows, key=lambda row: row["key"])
            cells = [row for read in self._batches(shard, rows) for row in self._score(read)]
            with files.atomic_write(shard.part) as file:
                file.write(table.to_csv(columns(self._model.gradings), cells, header=False))

    def _batches(self, shard: _Shard, rows: Sequence[Mapping]) -> Iterator[list[tuple]]:
        """Yields lists of (row, serialized record or the error that is in its place)."""
        is_whole = files.sha256(shard.path) == shard.sha256
        for begin in range(0, len(rows), self._batch_size):
            batch = rows[begin : begin + self._batch_size]
            yield [(row, _read(shard.path, row, is_whole)) for row in batch]

    def _score(self, read: list[tuple]) -> Iterator[dict[str, str]]:
        """Yields the cells of a batch, row by row where the batch as a whole is refused."""
        good = [content for _, content in read if isinstance(content, bytes)]
        try:
            outputs = self._model.run("examples", examples=good) if good else {}
        except saved_model.InputError as error:
            if len(read) > 1:
                for item in read:
                    yield from self._score([item])
                return
            read, outputs = [(read[0][0], error)], {}
        number = 0
        for row, content in read:
            if isinstance(content, bytes):
                yield from self._cells(row, outputs, number)
                number += 1
            else:
                yield from self._error_cells(row, str(content))

    def _cells(self, row: Mapping, outputs: Mapping, number: int) -> Iterator[dict[str, str]]:
        found = outputs["key"][number].decode()
        if found != row["key"]:
            yield from self._error_cells(row, f"the record has the key {found!r}; convert again")
            return
        for grade in table.grades_of(self._model.gradings, outputs, number):
            yield self._facts(row, grade.grading.name) | table.cells(grade)

    def _error_cells(self, row: Mapping, reason: str) -> Iterator[dict[str, str]]:
        for item in self._model.gradings:
            facts = self._facts(row, item.name)
            yield facts | {"grading": item.name, "error": " ".join(reason.split())}

    def _facts(self, row: Mapping, grading: str) -> dict[str, str]:
        return {
            "key": row["key"],
            "subject": row["subject"],
            "visit": str(row["visit"][0]),
            "level": row["level"],
            "label": str(row["grades"].get(grading, "")),
            "model_version": self._model.version,
        }


def _read(path: str, row: Mapping, is_whole: bool) -> bytes | ValueError:
    """A record, its checksum verified where the file is not whole."""
    begin = row["offset"] - _FRAME_HEADER_BYTES
    with open(path, "rb") as file:
        file.seek(begin)
        frame = file.read(_FRAME_HEADER_BYTES + row["length"] + _FRAME_FOOTER_BYTES)
    if is_whole or _is_valid_frame(frame):
        return frame[_FRAME_HEADER_BYTES:-_FRAME_FOOTER_BYTES]
    return ValueError(
        f"{os.path.basename(path)} at byte {begin}: the record is damaged, its checksum is wrong;"
        " copy the data set again, or convert again"
    )


def _is_valid_frame(frame: bytes) -> bool:
    """Whether TensorFlow reads these bytes as one record."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(frame)
        file.flush()
        try:
            return len(list(tf.data.TFRecordDataset(file.name))) == 1
        except tf.errors.DataLossError:
            return False


def _merge(parts: Sequence[str], output: str, gradings: Sequence[saved_model.GradingInfo]) -> int:
    """Writes the rows of all parts sorted by key; returns the number of discs with an error."""
    names = columns(gradings)
    key, error = names.index("key"), names.index("error")
    bad = set()
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(open(p, newline="", encoding="utf-8")) for p in parts]
        merged = heapq.merge(*map(csv.reader, opened), key=lambda row: row[key])
        with files.atomic_write(output) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for row in merged:
                writer.writerow(row)
                if row[error]:
                    bad.add(row[key])
    return len(bad)
