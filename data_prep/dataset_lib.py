"""From scans to a data set: the Beam pipeline that every converter ends in.

Splits are made first, from families alone. Then each scan is cropped by one worker, which writes
its records to a part of its own; a part that is whole and made from the same input is kept, so a
run that was stopped goes on where it was. Last, the parts are grouped by a stable hash of their
keys and sorted, so the shards are the same bytes for any number of processes.
"""

import collections
import dataclasses
import hashlib
import json
import os
import pickle
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import apache_beam as beam
import tensorflow as tf

import spine_tf
from data_prep import beam_runner, finished, local_files, qc, rejection, scan_crops
from data_prep import settings as settings_lib
from spine_tf import files, vertebrae, volume
from spine_tf.data import records, schema, splits

PARTS = "parts"
QC = "qc"


@dataclasses.dataclass(frozen=True)
class ScanRequest:
    """One scan to convert, made from headers only.

    Attributes:
        subject_key: Pseudonym of the subject.
        family_key: Pseudonym of the family.
        scan_key: Pseudonym of the scan.
        visit: 0-based visit of the subject.
        days: Days since the subject's first study.
        field_strength_t: Tesla; 0 is unknown.
        gradings: Disc name -> grading -> published grade.
        path: Where the scan came from; for rejections only.
        uid: Its UID; for rejections only.
        payload: What `load` needs; it must pickle.
        header_facts: Name of a fact -> class index, of the facts that were asked for.
    """

    subject_key: str
    family_key: str
    scan_key: str
    visit: int
    days: int
    field_strength_t: float
    gradings: Mapping[str, Mapping[str, int]]
    path: str
    uid: str
    payload: Any
    header_facts: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def whose(self) -> dict[str, Any]:
        """Those fields of `slice_schema.Slice` that all slices of the scan share."""
        found = {"subject": self.subject_key, "family": self.family_key, "scan": self.scan_key}
        return found | {"visit": self.visit, "days": self.days}

    @property
    def identity(self) -> dict[str, Any]:
        """Those fields of `schema.Crop` that all crops of the scan share."""
        names = ("field_strength_t", "header_facts")
        return self.whose | {name: getattr(self, name) for name in names}


Examples = dict[str, list[tf.train.Example]]  # kind of record -> records of one scan
Load = Callable[[ScanRequest], Any]
Encode = Callable[[Any, ScanRequest, settings_lib.Settings], Examples]


def encode_scan(
    loaded: tuple[volume.Volume, vertebrae.Annotation],
    request: ScanRequest,
    settings: settings_lib.Settings,
) -> Examples:
    """Crops and encodes one annotated scan; see `scan_crops.encode_scan`."""
    return scan_crops.encode_scan(
        *loaded,
        request.identity,
        request.gradings,
        settings.crop_scale,
        disc_pairs=settings.disc_pairs,
    )


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did."""

    output_dir: str
    num_scans: int
    num_records: Mapping[str, int]
    rejections: Sequence[rejection.Rejection]
    not_needed: Mapping[str, int]

    @property
    def exit_status(self) -> int:
        """3 if something was rejected, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.num_records.items())
        lines = [f"{self.output_dir}: {self.num_scans} scans, records: {counts}."]
        lines += [f"not needed: {count} {what}" for what, count in sorted(self.not_needed.items())]
        lines += [f"rejected: {rejected}" for rejected in self.rejections]
        return "\n".join(lines)


def convert(
    requests: Sequence[ScanRequest],
    load: Load,
    settings: settings_lib.Settings,
    output_dir: str,
    *,
    source: str,
    encode: Encode = encode_scan,
    rejections: Sequence[rejection.Rejection] = (),
    not_needed: Mapping[str, int] | None = None,
    protocols: Mapping[str, Mapping[str, str]] | None = None,
) -> Report:
    """Writes a data set.

    Args:
        requests: The scans.
        load: Reads one scan in a worker: a module-level function that raises `RejectedInput`. By
            default it returns a Volume and its Annotation.
        settings: How it is made.
        output_dir: Folder of the data set; made if missing.
        source: What the scans are, for the manifest.
        encode: Makes the records of what `load` returned, in a worker: a module-level function. A
            scan has every kind of record that its settings ask for, if without any record.
        rejections: What was rejected before.
        not_needed: What was found and is not needed -> count.
        protocols: Protocol -> family key -> split, in place of or besides those of
            `splits.make_splits`; a protocol may leave families out.

    Returns:
        What was done.

    Raises:
        ValueError: If there is no scan, or none could be converted, or a protocol names a family
            or a split that there is not.
    """
    _check_can_begin(requests, output_dir, rejections)
    for folder in (PARTS, QC):
        os.makedirs(os.path.join(output_dir, folder), exist_ok=True)
    made = _make_splits(requests, settings, protocols or {})
    files.write_json(os.path.join(output_dir, records.SPLITS), made)
    local_files.write_scans(output_dir, ((r.scan_key, r.uid, r.path) for r in requests))
    _run(requests, _Making(load, encode, settings, output_dir))
    results = [_read_part(output_dir, request.scan_key) for request in requests]
    rejected = [*rejections]
    rejected += [rejection.Rejection(**r["rejection"]) for r in results if "rejection" in r]
    local_files.write_rejects(output_dir, rejected)
    num_scans = sum("rejection" not in result for result in results)
    if not num_scans:
        raise ValueError(_nothing("no scan could be converted", rejected))
    written = sorted({kind for result in results for kind in result.get("kinds", {})})
    parts_dir = os.path.join(output_dir, PARTS)
    kinds = {
        kind: finished.finish_kind(output_dir, parts_dir, kind, settings.num_shards)
        for kind in written
    }
    _write_manifest(output_dir, requests, results, kinds, settings, source)
    shutil.rmtree(parts_dir)
    num_records = {kind: found["num_records"] for kind, found in kinds.items()}
    return Report(output_dir, num_scans, num_records, rejected, dict(not_needed or {}))


def _check_can_begin(requests, output_dir: str, rejections) -> None:
    if not requests:
        local_files.write_rejects(output_dir, rejections)
        raise ValueError(_nothing("no scan to convert", rejections))
    if os.path.exists(os.path.join(output_dir, records.MANIFEST)):
        raise ValueError(
            f"`output_dir` must be a new folder or an unfinished conversion, got {output_dir},"
            " which holds a whole data set. Choose another folder or delete this one."
        )


def _make_splits(requests, settings: settings_lib.Settings, protocols: Mapping) -> dict:
    """The content of splits.json, with the protocols that the caller gives."""
    families = splits.families_of((r.family_key, r.subject_key, r.visit) for r in requests)
    made = splits.make_splits(
        families,
        seed=settings.split_seed,
        held_out_fraction=settings.held_out_fraction,
        num_folds=settings.folds,
    )
    keys = {family.key for family in families}
    for name, split_of in protocols.items():
        for what, found, allowed in (
            ("families of the scans", set(split_of) - keys, "their keys"),
            ("splits", set(split_of.values()) - set(splits.SPLITS), ", ".join(splits.SPLITS)),
        ):
            if found:
                raise ValueError(
                    f"`protocols` must hold {what} ({allowed}), got {min(found)!r} in {name!r}."
                )
        made["protocols"][name] = dict(split_of)
    made["protocols"] |= _parts(made["protocols"], requests, settings)
    return made


def _parts(protocols: Mapping, requests, settings: settings_lib.Settings) -> dict:
    """Protocols that train on a part of the subjects."""
    members = collections.defaultdict(set)
    for request in requests:
        members[request.family_key].add(request.subject_key)
    return splits.parts(
        protocols,
        {key: len(subjects) for key, subjects in members.items()},
        seed=settings.split_seed,
        percents=settings.train_percents,
        counts=settings.train_subjects,
    )


def _nothing(what: str, rejected: Sequence[rejection.Rejection]) -> str:
    return "\n".join([f"{what}.", *(f"rejected: {item}" for item in rejected)])


@dataclasses.dataclass(frozen=True)
class _Making:
    """What every worker knows."""

    load: Load
    encode: Encode
    settings: settings_lib.Settings
    output_dir: str


def _run(requests, making: _Making) -> None:
    settings, output_dir = making.settings, making.output_dir
    for name in os.listdir(os.path.join(output_dir, PARTS)):
        if name.endswith(".jsonl"):  # of shards, which are always written anew
            os.remove(os.path.join(output_dir, PARTS, name))
    done = [os.path.join(output_dir, PARTS, f"{request.scan_key}.json") for request in requests]
    origins = {request.scan_key: _origin(request, settings) for request in requests}
    with beam_runner.pipeline(settings.num_processes, done, "scans") as pipeline:
        (
            pipeline
            | "Requests" >> beam.Create(list(requests), reshuffle=True)
            | "Convert" >> beam.ParDo(_ConvertScan(making, origins))
            | "Group" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write_shard, output_dir, settings)
        )


def shard_of(key: str, num_shards: int) -> int:
    """Returns the shard of a record: a hash of its key that no version of Python changes."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % num_shards


class _ConvertScan(beam.DoFn):
    """Writes the part of one scan and says which of its records belong to which shard."""

    def __init__(self, making: _Making, origins: Mapping[str, str]):
        self._making, self._origins = making, origins

    def process(self, request: ScanRequest):
        result = _read_part(self._making.output_dir, request.scan_key)
        origin = self._origins[request.scan_key]
        if result is None or result["origin"] != origin or "rejection" in result:
            result = _convert_scan(request, self._making, origin)
        for kind, spans in result.get("kinds", {}).items():
            for key, offset, length in spans:
                shard = shard_of(key, self._making.settings.num_shards)
                yield (kind, shard), (key, request.visit, request.scan_key, offset, length)


def _origin(request: ScanRequest, settings: settings_lib.Settings) -> str:
    """A hash of everything a part is made from: headers, annotation, grades, family, settings."""
    made_from = (request, settings.of_records, schema.SCHEMA_VERSION)
    return hashlib.sha256(pickle.dumps(made_from)).hexdigest()


def _part_path(output_dir: str, scan_key: str, ending: str) -> str:
    return os.path.join(output_dir, PARTS, f"{scan_key}{ending}")


def _read_part(output_dir: str, scan_key: str) -> dict | None:
    path = _part_path(output_dir, scan_key, ".json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _convert_scan(request: ScanRequest, making: _Making, origin: str) -> dict:
    result = {"origin": origin}
    output_dir = making.output_dir
    try:
        examples = making.encode(making.load(request), request, making.settings)
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
        picture = qc.crop_sheet(examples, dataclasses.asdict(making.settings))
        path = os.path.join(output_dir, QC, f"{request.scan_key}.png")
        with files.atomic_write(path, "wb") as file:
            file.write(picture)
    files.write_json(_part_path(output_dir, request.scan_key, ".json"), result)
    return result


def _write_part(output_dir: str, scan_key: str, kind: str, examples) -> list[list]:
    serialized = [example.SerializeToString(deterministic=True) for example in examples]
    spans = records.write_shard(_part_path(output_dir, scan_key, f"-{kind}.tfrecord"), serialized)
    keys = [example.features.feature["key"].bytes_list.value[0].decode() for example in examples]
    return [[key, *span] for key, span in zip(keys, spans, strict=True)]


def _write_shard(group, output_dir: str, settings: settings_lib.Settings) -> None:
    """Writes one shard and its lines of the index, sorted by key."""
    (kind, shard), rows = group
    by_key = collections.defaultdict(list)
    for key, visit, scan_key, offset, length in rows:
        by_key[key].append((visit, scan_key, offset, length))
    facts = []

    def merged():
        for key in sorted(by_key):
            visits = [_read_example(output_dir, kind, row) for row in sorted(by_key[key])]
            example = schema.merge_visits(visits)
            facts.append(schema.facts(example))
            yield example.SerializeToString(deterministic=True)

    name = records.shard_name(kind, shard, settings.num_shards)
    spans = records.write_shard(os.path.join(output_dir, name), merged())
    with files.atomic_write(_part_path(output_dir, finished.lines_name(kind, shard), "")) as file:
        for row, (offset, length) in zip(facts, spans, strict=True):
            row |= {"file": name, "offset": offset, "length": length}
            file.write(json.dumps(row, sort_keys=True) + "\n")


def _read_example(output_dir: str, kind: str, row) -> tf.train.Example:
    _, scan_key, offset, length = row
    with open(_part_path(output_dir, scan_key, f"-{kind}.tfrecord"), "rb") as file:
        file.seek(offset)
        return tf.train.Example.FromString(file.read(length))


def _write_manifest(
    output_dir, requests, results, kinds, settings: settings_lib.Settings, source: str
) -> None:
    converted = [
        request
        for request, result in zip(requests, results, strict=True)
        if "rejection" not in result
    ]
    manifest = {
        "schema_version": schema.SCHEMA_VERSION,
        "source": source,
        "settings": {
            name: value
            for name, value in dataclasses.asdict(settings).items()
            if name != "num_processes"
        },
        "counts": {
            "scans": len(converted),
            "subjects": len({request.subject_key for request in converted}),
            "families": len({request.family_key for request in converted}),
        },
        "kinds": kinds,
        "splits_sha256": files.sha256(os.path.join(output_dir, records.SPLITS)),
        "versions": {
            "spine_tf": spine_tf.__version__,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
        },
    }
    files.write_json(os.path.join(output_dir, records.MANIFEST), manifest)
