"""The part of one scan: its records, its picture, and a note that says when they are whole.

A part is written by one worker. Its note, written last, holds a hash of all that the part is made
from, so a run that was stopped keeps the parts that are whole and made from the same input.
"""

import dataclasses
import hashlib
import io
import json
import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic

import apache_beam as beam

from data_prep import local_files, qc, rejection, restart, scan_request
from data_prep import settings as settings_lib
from spine_tf import files
from spine_tf.data import records, schema

PARTS = "parts"
QC = "qc"


@dataclasses.dataclass(frozen=True)
class Making(Generic[scan_request.ScanSettings]):
    """What every worker knows.

    Attributes:
        load: Reads one scan.
        encode: Makes its records.
        settings: How the data set is made.
        output_dir: Folder of the data set.
        run: Name of the run, from `restart.claimed`.
        main_pid: Its main process; 0 where workers run on other machines.
    """

    load: scan_request.Load
    encode: scan_request.Encode[scan_request.ScanSettings]
    settings: scan_request.ScanSettings
    output_dir: str
    run: str
    main_pid: int


class ConvertScan(beam.DoFn):
    """Writes the part of one scan and says which of its records belong to which shard.

    Yields ((kind of record, shard), (key, visit, pseudonym of the scan, offset, length)).
    """

    def __init__(self, making: Making, origins: Mapping[str, str]):
        self._making, self._origins = making, origins

    def setup(self) -> None:
        """Ends this worker when the main process has ended."""
        if self._making.main_pid:
            parts_dir = os.path.join(self._making.output_dir, PARTS)
            restart.follow(parts_dir, self._making.run, self._making.main_pid)

    def process(self, request: scan_request.ScanRequest) -> Iterator[tuple[tuple, tuple]]:
        """Converts one scan unless its part is whole."""
        result = read_note(self._making.output_dir, request.scan_key)
        origin = self._origins[request.scan_key]
        if result is None or result["origin"] != origin or "rejection" in result:
            result = self._convert(request, origin)
        else:
            self._log(request, "kept")
        for kind, spans in result.get("kinds", {}).items():
            for key, offset, length in spans:
                shard = shard_of(key, self._making.settings.num_shards)
                yield (kind, shard), (key, request.visit, request.scan_key, offset, length)

    def _convert(self, request: scan_request.ScanRequest, origin: str) -> dict:
        self._log(request, "begun")
        result = _convert_scan(request, self._making, origin)
        self._log(request, "rejected" if "rejection" in result else "converted")
        return result

    def _log(self, request: scan_request.ScanRequest, event: str) -> None:
        local_dir = os.path.join(self._making.output_dir, local_files.LOCAL)
        restart.log(local_dir, request.scan_key, event)


def shard_of(key: str, num_shards: int) -> int:
    """Returns the shard of a record: a hash of its key that no version of Python changes."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % num_shards


def origin(request: scan_request.ScanRequest, settings: settings_lib.Settings) -> str:
    """Returns a hash of all a part is made from: headers, annotation, grades, family, settings."""
    made_from = (request, settings.of_records, schema.SCHEMA_VERSION)
    content = io.BytesIO()
    pickler = pickle.Pickler(content)
    pickler.fast = True  # equal objects give equal bytes, whichever of them are the same object
    pickler.dump(made_from)
    return hashlib.sha256(content.getvalue()).hexdigest()


def part_path(output_dir: str, scan_key: str, ending: str) -> str:
    """Returns the path of a file of one part."""
    return os.path.join(output_dir, PARTS, f"{scan_key}{ending}")


def read_note(output_dir: str, scan_key: str) -> dict | None:
    """Returns the note of a part: its origin, and its records or its rejection; or None."""
    if not os.path.exists(part_path(output_dir, scan_key, ".json")):
        return None
    return read_whole_note(output_dir, scan_key)


def read_whole_note(output_dir: str, scan_key: str) -> dict:
    """Returns the note of a part that is there.

    Raises:
        FileNotFoundError: If it is not.
    """
    with open(part_path(output_dir, scan_key, ".json"), encoding="utf-8") as file:
        return json.load(file)


def read_record(output_dir: str, kind: str, row: Sequence) -> bytes:
    """Reads one record of a part; `row` is (visit, pseudonym of the scan, offset, length)."""
    _, scan_key, offset, length = row
    with open(part_path(output_dir, scan_key, f"-{kind}.tfrecord"), "rb") as file:
        file.seek(offset)
        return file.read(length)


def _convert_scan(request: scan_request.ScanRequest, making: Making, origin: str) -> dict:
    result: dict[str, Any] = {"origin": origin}
    output_dir = making.output_dir
    try:
        loaded = making.load(request)
        examples = making.encode(loaded, request, making.settings)
    except rejection.RejectedInput as error:
        result["rejection"] = dataclasses.asdict(error.rejection)
    except ValueError as error:
        rejected = rejection.Rejection(request.path, request.uid, str(error))
        result["rejection"] = dataclasses.asdict(rejected)
    else:
        result["kinds"] = {
            kind: _write_part(output_dir, request.scan_key, kind, found)
            for kind, found in examples.items()
        }
        settings = dataclasses.asdict(making.settings)
        for ending, picture in qc.pictures(loaded, examples, settings).items():
            path = os.path.join(output_dir, QC, f"{request.scan_key}{ending}")
            with files.atomic_write(path, "wb") as file:
                file.write(picture)
    files.write_json(part_path(output_dir, request.scan_key, ".json"), result)
    return result


def _write_part(output_dir: str, scan_key: str, kind: str, examples) -> list[list]:
    serialized = (example.SerializeToString(deterministic=True) for example in examples)
    spans = records.write_shard(part_path(output_dir, scan_key, f"-{kind}.tfrecord"), serialized)
    keys = [example.features.feature["key"].bytes_list.value[0].decode() for example in examples]
    return [[key, *span] for key, span in zip(keys, spans, strict=True)]
