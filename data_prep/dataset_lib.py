"""From scans to a data set: the Beam pipeline that every converter ends in.

Splits are made first, from families alone. Then each scan is cropped by one worker, which writes
its records to a part of its own; a part that is whole and made from the same input is kept, so a
run that was stopped goes on where it was. Last, the parts are grouped by a stable hash of their
keys and sorted, so the shards are the same bytes for any number of processes.
"""

import collections
import dataclasses
import json
import os
import platform
import shutil
from collections.abc import Mapping, Sequence

import apache_beam as beam
import tensorflow as tf

import spine_tf
from data_prep import (
    accounts,
    beam_runner,
    deidentify,
    finished,
    local_files,
    qc_report,
    rejection,
    restart,
    scan_crops,
    scan_parts,
    scan_request,
    split_plan,
)
from data_prep import settings as settings_lib
from spine_tf import files, vertebrae, volume
from spine_tf.data import records, schema

PARTS = scan_parts.PARTS
QC = scan_parts.QC
shard_of = scan_parts.shard_of
_FOLDERS = (PARTS, QC, local_files.LOCAL)  # that a run writes to, besides the folder itself


# The names that converters use.
ScanRequest = scan_request.ScanRequest
Examples = scan_request.Examples
Load = scan_request.Load


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
    files: str = ""  # what became of all files, on a line
    planned: Sequence[str] = ()  # what a dry run says
    lost: Sequence[str] = ()  # protocols that rejected scans make smaller
    page: str = ""  # of quality control

    @property
    def exit_status(self) -> int:
        """3 if something was rejected, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.num_records.items())
        told = rejection.counted(self.num_scans, "scan")
        lines = [f"{self.output_dir}: {told}; records by kind: {counts}."]
        lines = [*self.planned] or lines
        lines += [self.files] if self.files else []
        lines += [f"not needed: {count} {what}" for what, count in sorted(self.not_needed.items())]
        lines += [f"rejected: {rejected}" for rejected in self.rejections]
        lines += self.lost
        lines += [f"Look at {self.page} before training."] if self.page else []
        return "\n".join(lines)


def convert(
    requests: Sequence[ScanRequest],
    load: Load,
    settings: scan_request.ScanSettings,
    output_dir: str,
    *,
    source: str,
    key: bytes | None = None,
    encode: scan_request.Encode[scan_request.ScanSettings] = encode_scan,
    rejections: Sequence[rejection.Rejection] = (),
    not_needed: Mapping[str, int] | None = None,
    protocols: Mapping[str, Mapping[str, str]] | None = None,
    runner: beam_runner.Runner = beam_runner.LOCAL,
    found: accounts.Files | None = None,
) -> Report:
    """Writes a data set.

    Args:
        requests: The scans.
        load: Reads one scan in a worker: a module-level function that raises `RejectedInput`. By
            default it returns a Volume and its Annotation.
        settings: How it is made.
        output_dir: Folder of the data set; made if missing.
        source: What the scans are, for the manifest.
        key: Of the pseudonyms; the manifest tells its `deidentify.key_id`. None if the subjects are
            phantoms.
        encode: Makes the records of what `load` returned, in a worker: a module-level function. A
            scan has every kind of record that its settings ask for, if without any record.
        rejections: What was rejected before.
        not_needed: What was found and is not needed -> count.
        protocols: Protocol -> family key -> split, in place of or besides those of
            `splits.make_splits`; a protocol may leave families out.
        runner: Where the pipeline runs.
        found: Every file of the input; what became of it is written to `local/files.csv`.

    Returns:
        What was done.

    Raises:
        ValueError: If there is no scan, or none could be converted, or a protocol names a family
            or a split that there is not, or another conversion is writing to `output_dir`.
    """
    check_is_not_whole(output_dir, settings)
    if not requests:
        if not settings.dry_run:
            local_files.write_rejects(output_dir, rejections)
            accounts.write(output_dir, found, {})
        raise ValueError(_nothing("no scan to convert", rejections))
    made = split_plan.plan(requests, settings, protocols or {})
    if settings.dry_run:
        planned = _planned(requests, made, output_dir)
        return Report(output_dir, len(requests), {}, rejections, not_needed or {}, planned=planned)
    origin = {"source": source} | ({"key_id": deidentify.key_id(key)} if key else {})
    parts_dir = os.path.join(output_dir, PARTS)
    with restart.claimed(parts_dir) as run:
        restart.clear_temporaries([output_dir, *(os.path.join(output_dir, f) for f in _FOLDERS)])
        if os.path.exists(os.path.join(output_dir, records.MANIFEST)):
            rejected, lost = local_files.read_rejects(output_dir), []
        else:
            files.write_json(os.path.join(output_dir, records.SPLITS), made)
            local_files.write_scans(output_dir, ((r.scan_key, r.uid, r.path) for r in requests))
            main_pid = os.getpid() if runner.is_direct else 0
            making = scan_parts.Making(load, encode, settings, output_dir, run, main_pid)
            rejected, lost = _convert(
                requests, rejections, making, origin, runner, found, not_needed, made
            )
        shutil.rmtree(parts_dir)
    return _report(output_dir, rejected, lost, not_needed or {})


def _planned(requests: Sequence[ScanRequest], made: Mapping, output_dir: str) -> list[str]:
    """What a dry run says: what is known from headers, before any pixel is read."""
    subjects = len({request.subject_key for request in requests})
    families = len({request.family_key for request in requests})
    told = rejection.counted(len(requests), "scan"), rejection.counted(subjects, "subject")
    lines = [
        f"{output_dir} would hold {' of '.join(told)} in {families}"
        f" {'family' if families == 1 else 'families'}, as far as headers tell. Nothing was"
        " written."
    ]
    return [*lines, *split_plan.planned(made)]


def _convert(
    requests,
    rejections,
    making: scan_parts.Making,
    origin: Mapping[str, str],
    runner,
    found,
    not_needed: Mapping[str, int] | None,
    made: Mapping,
) -> tuple[list[rejection.Rejection], list[str]]:
    """Writes all but the splits as planned; returns what was rejected, and what splits lost."""
    output_dir, settings = making.output_dir, making.settings
    os.makedirs(os.path.join(output_dir, QC), exist_ok=True)
    _run(requests, making, runner)
    results = [scan_parts.read_whole_note(output_dir, request.scan_key) for request in requests]
    rejected = [*rejections]
    rejected += [rejection.Rejection(**r["rejection"]) for r in results if "rejection" in r]
    local_files.write_rejects(output_dir, rejected)
    bad_scans = {
        request.scan_key: str(rejection.Rejection(**result["rejection"]))
        for request, result in zip(requests, results, strict=True)
        if "rejection" in result
    }
    accounts.write(output_dir, found, bad_scans)
    if all("rejection" in result for result in results):
        raise ValueError(_nothing("no scan could be converted", rejected))
    written = sorted({kind for result in results for kind in result.get("kinds", {})})
    parts_dir = os.path.join(output_dir, PARTS)
    kinds = {
        kind: finished.finish_kind(output_dir, parts_dir, kind, settings.num_shards)
        for kind in written
    }
    qc_report.write(output_dir, kinds, rejected, not_needed)
    lost = _cut_parts_again(requests, results, settings, output_dir, made)
    _write_manifest(output_dir, requests, results, kinds, settings, origin)
    return rejected, lost


def _cut_parts_again(requests, results, settings, output_dir: str, made: Mapping) -> list[str]:
    """Writes the splits by the scans that have records; returns what they lost."""
    left = [
        request
        for request, result in zip(requests, results, strict=True)
        if any(result.get("kinds", {}).values())
    ]
    after = split_plan.cut_again(made, left, settings)
    files.write_json(os.path.join(output_dir, records.SPLITS), after)
    return split_plan.lost(made, after, left)


def _report(output_dir: str, rejected, lost, not_needed: Mapping[str, int]) -> Report:
    """What was done, as the manifest tells."""
    manifest = _read_manifest(output_dir)
    num_records = {kind: found["num_records"] for kind, found in manifest["kinds"].items()}
    num_scans = manifest["counts"]["scans"]
    told = accounts.read_summary(output_dir)
    page = os.path.join(output_dir, qc_report.QC, qc_report.INDEX)
    return Report(
        output_dir,
        num_scans,
        num_records,
        rejected,
        dict(not_needed),
        told,
        lost=lost,
        page=page if os.path.exists(page) else "",
    )


def _read_manifest(output_dir: str) -> dict:
    with open(os.path.join(output_dir, records.MANIFEST), encoding="utf-8") as file:
        return json.load(file)


def check_is_not_whole(output_dir: str, settings: settings_lib.Settings) -> None:
    """Checks that no whole data set is written over.

    One that was killed while it tidied up is tidied up.

    Args:
        output_dir: Folder of the data set.
        settings: How it would be made.

    Raises:
        ValueError: If the folder holds a whole data set.
    """
    if not os.path.exists(os.path.join(output_dir, records.MANIFEST)):
        return
    same = _read_manifest(output_dir)["settings"] == _settings_in_manifest(settings)
    if not same or not os.path.exists(os.path.join(output_dir, PARTS)):
        raise ValueError(
            f"`output_dir` must be a new folder or an unfinished conversion, got {output_dir},"
            " which holds a whole data set. Choose another folder or delete this one."
        )


def _settings_in_manifest(settings: settings_lib.Settings) -> dict:
    """As JSON gives them back; how it is run changes nothing."""
    found = dataclasses.asdict(settings)
    del found["num_processes"], found["dry_run"]
    return json.loads(json.dumps(found))


def _nothing(what: str, rejected: Sequence[rejection.Rejection]) -> str:
    return "\n".join([f"{what}.", *(f"rejected: {item}" for item in rejected)])


def _run(requests, making: scan_parts.Making, runner: beam_runner.Runner) -> None:
    settings, output_dir = making.settings, making.output_dir
    for name in os.listdir(os.path.join(output_dir, PARTS)):
        if name.endswith(".jsonl"):  # of shards, which are always written anew
            os.remove(os.path.join(output_dir, PARTS, name))
    done = [scan_parts.part_path(output_dir, request.scan_key, ".json") for request in requests]
    origins = {request.scan_key: scan_parts.origin(request, settings) for request in requests}
    with beam_runner.pipeline(settings.num_processes, done, "scans", runner) as pipeline:
        (
            pipeline
            | "Requests" >> beam.Create(list(requests), reshuffle=True)
            | "Convert" >> beam.ParDo(scan_parts.ConvertScan(making, origins))
            | "Group" >> beam.GroupByKey()
            | "Write" >> beam.Map(_write_shard, output_dir, settings)
        )


def _write_shard(group, output_dir: str, settings: settings_lib.Settings) -> None:
    """Writes one shard and its lines of the index, sorted by key."""
    (kind, shard), rows = group
    by_key = collections.defaultdict(list)
    for key, visit, scan_key, offset, length in rows:
        by_key[key].append((visit, scan_key, offset, length))
    facts = []

    def merged():
        for key in sorted(by_key):
            visits = [scan_parts.read_record(output_dir, kind, row) for row in sorted(by_key[key])]
            examples = [tf.train.Example.FromString(visit) for visit in visits]
            if len(examples) > 1:
                examples = [schema.merge_visits(examples)]
                visits = [examples[0].SerializeToString(deterministic=True)]
            facts.append(schema.facts(examples[0]))
            yield visits[0]

    name = records.shard_name(kind, shard, settings.num_shards)
    spans = records.write_shard(os.path.join(output_dir, name), merged())
    with files.atomic_write(
        scan_parts.part_path(output_dir, finished.lines_name(kind, shard), "")
    ) as file:
        for row, (offset, length) in zip(facts, spans, strict=True):
            row |= {"file": name, "offset": offset, "length": length}
            file.write(json.dumps(row, sort_keys=True) + "\n")


def _write_manifest(
    output_dir, requests, results, kinds, settings: settings_lib.Settings, origin: Mapping[str, str]
) -> None:
    converted = [
        request
        for request, result in zip(requests, results, strict=True)
        if "rejection" not in result
    ]
    manifest = {
        "schema_version": schema.SCHEMA_VERSION,
        **origin,
        "settings": _settings_in_manifest(settings),
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
