"""What is scored: records, a SPIDER folder or DICOM studies, in pieces of work.

A piece is a fixed list of records or scans, in the order of their keys, so it does not depend on
what was done before or by how many processes. All that is known of it comes from the index of the
records, or from the converters' plans, which read headers only.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import tensorflow as tf

from data_prep import (
    convert_dicom_lib,
    convert_spider_lib,
    deidentify,
    detectors,
    local_files,
    rejection,
    scan_crops,
    scan_parts,
    scan_request,
    settings,
)
from export import record_reader, score_columns
from spine_tf import files, reference
from spine_tf.data import dataset_hash, records, schema

RECORD_PIECE = 32  # batches
SCAN_PIECE = 8  # scans
_READ_TOGETHER = 32  # records

_Item = TypeVar("_Item")


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Where the discs are; one of the three folders is given.

    Attributes:
        data_dir: Data set with records of discs.
        spider_dir: Folder in SPIDER's layout.
        dicom_dir: DICOM studies, or what else `archive.open_input` takes.
        vertebrae: `vertebrae/1` of the DICOM studies; None looks beside them.
        gradings: CSV of the DICOM studies, for the labels; None looks beside them.
        detector: That finds the vertebrae of scans without annotation.
        key_file: Of the pseudonyms of scans, see `deidentify.load_or_make_key`.
        keep_key: Whether a new key is kept.
    """

    data_dir: str | None = None
    spider_dir: str | None = None
    dicom_dir: str | None = None
    vertebrae: str | None = None
    gradings: str | None = None
    detector: str = detectors.BUILTIN
    key_file: str = ""
    keep_key: bool = True


@dataclasses.dataclass(frozen=True)
class Disc:
    """One disc, or a scan of which no disc could be had.

    Attributes:
        facts: Cells of its row, whatever the model.
        examples: Crop scale -> serialized record.
        error: Why there is none, or "".
    """

    facts: Mapping[str, Any]
    examples: Mapping[float, bytes] = dataclasses.field(default_factory=dict, repr=False)
    error: str = ""


class Source(Protocol):
    """Reads pieces in a worker; it must pickle."""

    def discs(self, items: Sequence[Any], scales: Sequence[float]) -> Iterator[Disc]:
        """Yields the discs of a piece in the order of their keys."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be scored.

    Attributes:
        source: Reads the pieces.
        pieces: Lists of records or scans.
        origins: Of each piece a hash of all it is made from.
        unit: What the items of a piece are called.
        is_python: Whether reading a piece keeps a core at work in Python, so that threads would
            wait for each other and processes are worth more.
        failed: What cannot be scored, known before.
        scans: (pseudonym, UID, path) of every scan; none of records.
        lines: What a person should read.
    """

    source: Source
    pieces: Sequence[Sequence[Any]]
    origins: Sequence[str]
    unit: str
    is_python: bool
    failed: Sequence[Disc] = ()
    scans: Sequence[tuple[str, str, str]] = ()
    lines: Sequence[str] = ()


def plan(inputs: Inputs, scales: Sequence[float], batch_size: int) -> Plan:
    """Lists what will be scored, without a look at pixels.

    Args:
        inputs: Where the discs are.
        scales: Crop scales of the records that the models want.
        batch_size: Discs that a model sees at once.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If it is not what it should be, or holds nothing to score, or records have
            another crop scale than a model wants.
    """
    if inputs.data_dir:
        return _plan_records(inputs.data_dir, scales, batch_size)
    key = deidentify.load_or_make_key(inputs.key_file, inputs.keep_key)
    if inputs.spider_dir:
        wanted = convert_spider_lib.Inputs(inputs.spider_dir, detector=inputs.detector)
        found, load = convert_spider_lib.plan(wanted, key), convert_spider_lib.load
    elif inputs.dicom_dir:
        wanted = convert_dicom_lib.Inputs(
            inputs.dicom_dir, inputs.vertebrae, inputs.gradings, detector=inputs.detector
        )
        found, load = convert_dicom_lib.plan(wanted, key), convert_dicom_lib.load
    else:
        raise ValueError("`data_dir`, `spider_dir` or `dicom_dir` must be given, got none of them.")
    return _plan_scans(found, load, key)


# === Records ===


@dataclasses.dataclass(frozen=True)
class _Record:
    """Where one record is, and the cells of its row."""

    place: record_reader.Place
    facts: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class RecordSource:
    """Reads records of a data set.

    Attributes:
        folder: The data set.
        manifest: Hash of its manifest.
    """

    folder: str
    manifest: str

    def discs(self, items: Sequence[int], scales: Sequence[float]) -> Iterator[Disc]:
        """Yields a disc per record, known by its number; all have the one crop scale."""
        (scale,) = scales
        found = _read_index(self.folder, self.manifest)
        for some in batches((found[number] for number in items), _READ_TOGETHER):
            contents = record_reader.read(self.folder, [item.place for item in some])
            for item, content in zip(some, contents, strict=True):
                if content is None:
                    yield Disc(item.facts, error=_damaged(item.place))
                else:
                    yield Disc(item.facts, {scale: content})


def _plan_records(data_dir: str, scales: Sequence[float], batch_size: int) -> Plan:
    folder = records.open_folder(data_dir)
    if set(scales) != {folder.crop_scale}:
        wanted = next(scale for scale in scales if scale != folder.crop_scale)
        raise ValueError(
            f"{data_dir}: must hold crops at scale {wanted}, as the model's training data, got"
            f" {folder.crop_scale}. Convert with that --crop_scale."
        )
    manifest = dataset_hash.manifest(folder.path)
    count, size = len(_read_index(data_dir, manifest)), RECORD_PIECE * batch_size
    pieces = [range(start, min(start + size, count)) for start in range(0, count, size)]
    origins = [_hash([manifest, piece.start, piece.stop]) for piece in pieces]
    return Plan(RecordSource(data_dir, manifest), pieces, origins, "discs", is_python=False)


@functools.lru_cache(maxsize=1)  # pieces are numbers: 20,000 rows take Beam seconds to send
def _read_index(data_dir: str, manifest: str) -> list[_Record]:
    """Every record in the order of the keys; `manifest` tells contents of a folder apart."""
    del manifest
    rows = records.open_folder(data_dir).index(schema.DISC).rows
    return sorted(map(_record, rows), key=lambda record: record.facts["key"])


def _record(row: Mapping[str, Any]) -> _Record:
    strength = row["field_strength_t"][0]
    facts = _facts(row["key"], row["subject"], row["scan"][0], row["visit"][0], strength)
    facts |= {"level": row["level"]} | _labels(row["grades"])
    place = record_reader.Place(row["file"], row["offset"], row["length"])
    return _Record(place, facts)


def _damaged(place: record_reader.Place) -> str:
    return (
        f"{place}: the record is damaged, its checksum is wrong; copy the data set again, or"
        " convert again"
    )


# === Scans ===


@dataclasses.dataclass(frozen=True)
class ScanSource:
    """Cuts the discs out of scans as conversion does.

    Attributes:
        load: The converter's function that reads one scan.
    """

    load: Callable[[scan_request.ScanRequest], Any]

    def discs(
        self, items: Sequence[scan_request.ScanRequest], scales: Sequence[float]
    ) -> Iterator[Disc]:
        """Yields the discs of each scan, or the scan with its error."""
        for request in items:
            try:
                yield from self._discs(request, scales)
            except rejection.RejectedInput as error:
                yield _failed(request, error.rejection.reason)
            except ValueError as error:
                yield _failed(request, str(error))

    def _discs(self, request, scales: Sequence[float]) -> list[Disc]:
        scan, annotation = self.load(request)
        found: dict[tuple[str, str], dict[float, bytes]] = {}
        for scale in scales:
            for example in scan_crops.encode_discs(
                scan, annotation, request.identity, request.gradings, scale
            ):
                key, level = (_text(example, name) for name in ("key", "level"))
                serialized = example.SerializeToString(deterministic=True)
                found.setdefault((key, level), {})[scale] = serialized
        facts = _scan_facts(request)
        return [
            Disc(
                facts | {"key": key, "level": level} | _labels(request.gradings.get(level, {})),
                found[key, level],
            )
            for key, level in sorted(found)
        ]


def _plan_scans(found, load: Callable, key: bytes) -> Plan:
    requests = sorted(found.requests, key=_scan_key)
    pieces = list(batches(requests, SCAN_PIECE))
    any_scale = settings.Settings()
    origins = [_hash([scan_parts.origin(r, any_scale) for r in piece]) for piece in pieces]
    failed, scans = [], [(r.scan_key, r.uid, r.path) for r in requests]
    for item in found.rejections:
        name = deidentify.pseudonym(key, "scan", item.uid or item.path)
        facts = {"key": f"rejected/{name}", "scan": name}
        failed.append(Disc(facts, error=item.reason))
        scans.append((name, item.uid, item.path))
    failed.sort(key=lambda disc: (disc.facts["key"], disc.error))
    lines = [f"not needed: {count} {what}" for what, count in sorted(found.not_needed.items())]
    source = ScanSource(load)
    return Plan(
        source, pieces, origins, "scans", True, failed=failed, scans=sorted(set(scans)), lines=lines
    )


def _scan_key(request: scan_request.ScanRequest) -> str:
    return f"{request.subject_key}/{request.visit}/"


def _scan_facts(request: scan_request.ScanRequest) -> dict[str, Any]:
    facts = _facts(
        _scan_key(request),
        request.subject_key,
        request.scan_key,
        request.visit,
        request.field_strength_t,
    )
    return facts | {"is_detected": request.payload.detector != detectors.NONE}


def _failed(request: scan_request.ScanRequest, reason: str) -> Disc:
    return Disc(_scan_facts(request), error=reason)


def _text(example: tf.train.Example, name: str) -> str:
    return example.features.feature[name].bytes_list.value[0].decode()


# === Both ===


def _facts(key: str, subject: str, scan: str, visit: int, strength_t: float) -> score_columns.Row:
    scanner = reference.scanner_name(strength_t)
    return {"key": key, "subject": subject, "scan": scan, "visit": visit, "scanner": scanner}


def _labels(grades: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}_label": grade for name, grade in grades.items()}


def batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Yields lists of `size` items; the last may be shorter."""
    items = iter(items)
    while some := list(itertools.islice(items, size)):
        yield some


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def write_scans(path: str, found: Plan) -> None:
    """Writes which scan a pseudonym is of, for the file's owner only."""
    with files.atomic_write(path, permissions=0o600) as file:
        local_files.write_scan_table(file, found.scans)
