"""Tables of scored discs as CSV, Parquet or JSON lines, by the ending of the file's name."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Any

import pyarrow as pa
from pyarrow import csv as pa_csv
from pyarrow import json as pa_json
from pyarrow import parquet

from export import score_columns
from spine_tf import files

_ARROW = {
    score_columns.TEXT: pa.string(),
    score_columns.INTEGER: pa.int32(),
    score_columns.NUMBER: pa.float64(),
    score_columns.MEASURED: pa.float32(),
    score_columns.FLAG: pa.bool_(),
}
Batches = Iterable[Sequence[Mapping[str, Any]]]


def write(path: str, columns: Mapping[str, str], batches: Batches) -> None:
    """Writes a table, whole or not at all; the same rows give the same bytes.

    Args:
        path: Where; it ends with one of `ENDINGS`.
        columns: Name -> kind, see `score_columns.columns`.
        batches: Lists of rows: column -> value; what a row does not have is empty.

    Raises:
        ValueError: If `path` has another ending.
    """
    writer = _WRITERS[check_ending(path)]
    with files.atomic_write(path, "wb") as file:
        writer(file, columns, batches)


def read(path: str, columns: Mapping[str, str]) -> pa.Table:
    """Reads columns of a table that `write` wrote.

    Args:
        path: The file.
        columns: Name -> kind of the columns that are wanted.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another ending, or is none of these, or a column is missing.
    """
    reader = _READERS[check_ending(path)]
    schema = _schema(columns)
    try:
        missing = [name for name in columns if name not in column_names(path)]
        if missing and os.path.getsize(path):
            raise ValueError(
                f"{path}: must have the column {missing[0]!r}; score with this model again."
            )
        found = reader(path, schema)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: cannot be read as scores of spine-tf score: {error}") from None
    return found.select(list(columns)).cast(schema)


def column_names(path: str) -> list[str]:
    """Returns the names of the columns of a table that `write` wrote."""
    ending = check_ending(path)
    if ending == ".parquet":
        return parquet.read_schema(path).names
    with open(path, newline="", encoding="utf-8") as file:
        first = file.readline()
    if ending == ".csv":
        return next(csv.reader([first]), [])
    return list(json.loads(first)) if first.strip() else []


def check_ending(path: str) -> str:
    """Returns the ending of a name.

    Raises:
        ValueError: If it is none of `ENDINGS`.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise ValueError(f"A file of scores must end with {', '.join(ENDINGS)}, got {path}.")
    return ending


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([(name, _ARROW[kind]) for name, kind in columns.items()])


def _write_csv(file: IO, columns: Mapping[str, str], batches: Batches) -> None:
    formats = [(name, _FORMATS[kind]) for name, kind in columns.items()]
    lines = csv.writer(_Utf8(file), lineterminator="\n")
    lines.writerow(columns)
    for rows in batches:
        lines.writerows(
            ["" if row.get(name) is None else text(row[name]) for name, text in formats]
            for row in rows
        )


_FORMATS: Mapping[str, Callable[[Any], str]] = {
    score_columns.TEXT: str,
    score_columns.INTEGER: str,
    score_columns.FLAG: lambda value: str(int(value)),
    **{kind: f"{{:{digits}}}".format for kind, digits in score_columns.DIGITS.items()},
}


class _Utf8:
    """What csv writes text to, over a binary file."""

    def __init__(self, file: IO):
        self._file = file

    def write(self, text: str) -> int:
        """Writes text."""
        return self._file.write(text.encode("utf-8"))


def _write_json_lines(file: IO, columns: Mapping[str, str], batches: Batches) -> None:
    for rows in batches:
        for row in rows:
            line = json.dumps({name: row.get(name) for name in columns}, ensure_ascii=False)
            file.write(f"{line}\n".encode())


def _write_parquet(file: IO, columns: Mapping[str, str], batches: Batches) -> None:
    schema = _schema(columns)
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for rows in batches:
            writer.write_table(pa.Table.from_pylist(list(rows), schema))


def _read_csv(path: str, schema: pa.Schema) -> pa.Table:
    options = pa_csv.ConvertOptions(
        column_types=schema,
        include_columns=schema.names,
        true_values=["1"],
        false_values=["0"],
        strings_can_be_null=True,
    )
    lines = pa_csv.ParseOptions(newlines_in_values=True)
    return pa_csv.read_csv(path, parse_options=lines, convert_options=options)


def _read_json_lines(path: str, schema: pa.Schema) -> pa.Table:
    if not os.path.getsize(path):
        return schema.empty_table()
    options = pa_json.ParseOptions(explicit_schema=schema)
    return pa_json.read_json(path, parse_options=options)


def _read_parquet(path: str, schema: pa.Schema) -> pa.Table:
    return parquet.read_table(path, columns=schema.names)


_WRITERS = {".csv": _write_csv, ".parquet": _write_parquet, ".jsonl": _write_json_lines}
_READERS = {".csv": _read_csv, ".parquet": _read_parquet, ".jsonl": _read_json_lines}
ENDINGS = tuple(_WRITERS)
