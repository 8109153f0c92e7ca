"""What lies in `local/` of a data set, readable by its owner only and never to be shared."""

import contextlib
import csv
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from data_prep import rejection
from spine_tf import files

LOCAL = "local"
REJECTS = "rejects.jsonl"
SCANS = "scans.csv"


def write_scans(output_dir: str, scans: Iterable[tuple[str, str, str]]) -> None:
    """Writes which scan a pseudonym, and so a picture in `qc/`, is of.

    Args:
        output_dir: Folder of the data set.
        scans: (pseudonym, UID, path) of each scan.
    """
    with opened(output_dir, SCANS) as file:
        write_scan_table(file, scans)


def write_scan_table(file: IO, scans: Iterable[tuple[str, str, str]]) -> None:
    """Writes the rows of `write_scans` as CSV."""
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(("scan", "uid", "path"))
    rows.writerows(sorted(scans))


def write_rejects(output_dir: str, rejected: Sequence[rejection.Rejection]) -> None:
    """Writes a line of JSON per rejection."""
    with opened(output_dir, REJECTS) as file:
        for item in rejected:
            file.write(json.dumps(dataclasses.asdict(item), sort_keys=True) + "\n")


def read_rejects(output_dir: str) -> list[rejection.Rejection]:
    """Reads what `write_rejects` wrote."""
    with open(_path(output_dir, REJECTS), encoding="utf-8") as file:
        return [rejection.Rejection(**json.loads(line)) for line in file]


@contextlib.contextmanager
def opened(output_dir: str, name: str) -> Iterator[IO]:
    """Opens a file in `local/` that is there when the block ends well, for its owner only."""
    with files.atomic_write(_path(output_dir, name), permissions=0o600) as file:
        yield file


def _path(output_dir: str, name: str) -> str:
    folder = os.path.join(output_dir, LOCAL)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return os.path.join(folder, name)
