"""A data set on disk: shards of records, an index, splits and a manifest.

    FOLDER/disc-00000-of-00008.tfrecord ...   the records
    FOLDER/index-disc.jsonl ...               a line per record: where it is and all but its pixels
    FOLDER/splits.json                        protocol -> family -> split
    FOLDER/manifest.json                      schema version, settings, counts, sha256 per file
    FOLDER/qc/, FOLDER/local/                 pictures; what must never be shared

The index lets a run plan every batch as a function of seed, epoch and step, and read just the
records it needs.
"""

import collections
import dataclasses
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf import gradings
from spine_tf.data import crops, schema, slice_schema, splits

MANIFEST = "manifest.json"
SPLITS = "splits.json"
# A TFRecord: 8 bytes of length, 4 of its checksum, the content, 4 of its checksum.
_HEADER_BYTES, _FOOTER_BYTES = 12, 4


def index_name(kind: str) -> str:
    """Returns the file name of the index of one kind of record."""
    return f"index-{kind}.jsonl"


def shard_name(kind: str, shard: int, num_shards: int) -> str:
    """Returns the file name of one shard."""
    return f"{kind}-{shard:05d}-of-{num_shards:05d}.tfrecord"


def write_shard(path: str, serialized: Iterable[bytes]) -> list[tuple[int, int]]:
    """Writes one TFRecord file, whole or not at all.

    Returns:
        (offset, length) of the content of every record in the file.
    """
    temporary = f"{path}.tmp-{os.getpid()}"
    spans, offset = [], 0
    try:
        with tf.io.TFRecordWriter(temporary) as writer:
            for content in serialized:
                writer.write(content)
                spans.append((offset + _HEADER_BYTES, len(content)))
                offset += _HEADER_BYTES + len(content) + _FOOTER_BYTES
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
    return spans


@dataclasses.dataclass(frozen=True)
class Index:
    """The records of one kind that a run uses, in a fixed order.

    Attributes:
        folder: The data set's folder.
        kind: Kind of record.
        crop_scale: Scale of the stored crops.
        rows: One dictionary per record, see `schema.facts`, with file, offset and length.
        crop_kind: How they were cropped; None is `schema.CROP_KINDS[kind]`. Of slices what they
            have in common.
    """

    folder: str
    kind: str
    crop_scale: float
    rows: tuple[Mapping[str, Any], ...]
    crop_kind: crops.CropKind | slice_schema.SliceKind | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def num_channels(self) -> int:
        """Channels of slices; crops have one."""
        found = self.crop_kind
        return found.num_channels if isinstance(found, slice_schema.SliceKind) else 1

    @property
    def known_crop_kind(self) -> crops.CropKind:
        """How the crops were cut.

        Raises:
            ValueError: If the records are slices.
        """
        found = self.crop_kind or schema.CROP_KINDS[self.kind]
        if isinstance(found, slice_schema.SliceKind):
            raise ValueError(f"`kind` must be one of crops, got {self.kind!r}.")
        return found

    def column(self, name: str) -> list:
        """Returns one fact of every record."""
        return [row[name] for row in self.rows]

    def read(self, number: int) -> bytes:
        """Returns the serialized record at a position of the index."""
        row = self.rows[number]
        with tf.io.gfile.GFile(os.path.join(self.folder, row["file"]), "rb") as file:
            file.seek(row["offset"])
            return file.read(row["length"])


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """A data set that was checked when it was opened.

    Attributes:
        path: The folder.
        manifest: Content of manifest.json.
        splits: Content of splits.json.
    """

    path: str
    manifest: Mapping[str, Any]
    splits: Mapping[str, Any]

    @property
    def crop_scale(self) -> float:
        """Scale of the stored crops."""
        return self.manifest["settings"]["crop_scale"]

    @property
    def label_names(self) -> dict[int, str]:
        """Label of the label maps of slices -> its name; empty where there are none."""
        labels = self.manifest["settings"].get("labels") or {}
        return dict(sorted((min(values), name) for name, values in labels.items()))

    def labels_of(self, names: Sequence[str]) -> tuple[int, ...]:
        """Returns the label that has each name here.

        Raises:
            ValueError: If a name is of no label.
        """
        labels = {name: label for label, name in self.label_names.items()}
        missing = [name for name in names if name not in labels]
        if missing:
            raise ValueError(
                f"{self.path}: `--label_names` must name the labels of the model,"
                f" {', '.join(names)}, got {', '.join(labels) or 'none'}. Convert again with these"
                " names; a label that no volume shows may be named, too."
            )
        return tuple(labels[name] for name in names)

    @property
    def protocols(self) -> list[str]:
        """Names of the protocols that have a split."""
        return list(self.splits["protocols"])

    def index(self, kind: str, protocol: str | None = None, split: str | None = None) -> Index:
        """Returns the index of the records of one kind, of one split of one protocol or all.

        The records of a joined kind (`schema.JOINED`) are those of its parts, one after the other.

        Raises:
            ValueError: If there is no such kind, protocol or split.
        """
        rows = [row for part in schema.JOINED.get(kind, (kind,)) for row in self._rows(part)]
        if protocol is not None:
            if split is not None and split not in splits.SPLITS:
                raise ValueError(
                    f"`split` must be one of {', '.join(splits.SPLITS)}, got {split!r}."
                )
            split_of = self.families(protocol)
            keep = {key for key, name in split_of.items() if split in (None, name)}
            rows = [row for row in rows if row["family"] in keep]
        crop_kind = schema.crop_kind(kind, self.manifest["settings"])
        return Index(self.path, kind, self.crop_scale, tuple(rows), crop_kind)

    def _rows(self, kind: str) -> list[dict[str, Any]]:
        if kind not in self.manifest["kinds"]:
            hint = f" Convert with --{kind}." if kind == schema.DISC_PAIRS else ""
            if schema.SLICE in self.manifest["kinds"]:
                hint = """ A pretext takes slices with --task_options='{"anatomy": "slice"}'."""
            raise ValueError(
                f"{self.path}: holds {', '.join(self.manifest['kinds']) or 'no records'}, not"
                f" {kind!r} records.{hint}"
            )
        with tf.io.gfile.GFile(os.path.join(self.path, index_name(kind))) as file:
            return [json.loads(line) for line in file]

    def families(self, protocol: str) -> Mapping[str, str]:
        """Returns family -> split of one protocol.

        Raises:
            ValueError: If there is no such protocol.
        """
        if protocol not in self.splits["protocols"]:
            raise ValueError(
                f"`protocol` must be one of {', '.join(self.protocols)}, got {protocol!r}. Convert"
                " with --folds to get folds."
            )
        return self.splits["protocols"][protocol]


def open_folder(path: str) -> DataFolder:
    """Opens a data set and checks that it is whole.

    Raises:
        FileNotFoundError: If the folder or its manifest is missing.
        ValueError: If it has another schema version, or a shard is missing or cut short.
    """
    manifest_path = os.path.join(path, MANIFEST)
    if not tf.io.gfile.exists(manifest_path):
        raise FileNotFoundError(
            f"{path}: is not a data set, it has no {MANIFEST}. Make one with spine-tf"
            " convert-dicom, convert-spider, convert-images, convert-detection or make-phantom"
            " --direct_records."
        )
    manifest = _load_json(manifest_path)
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != schema.SCHEMA_VERSION:
        raise ValueError(
            f"{manifest_path}: `schema_version` must be {schema.SCHEMA_VERSION}, got {version!r}."
            " Convert the scans again with this version of spine_tf."
        )
    for kind in manifest["kinds"].values():
        for file in kind["files"]:
            _check_size(os.path.join(path, file["name"]), file["size"])
    return DataFolder(path, manifest, _load_json(os.path.join(path, SPLITS)))


def check_protocol(folder: DataFolder, protocol: str) -> None:
    """Checks the splits of a protocol, which may have been edited, against the records.

    Args:
        folder: The data set.
        protocol: Name of the protocol.

    Raises:
        ValueError: If there is no such protocol, it names a split that there is not, a subject
            stands in two splits, or a family in none though the protocol is one that holds all.
    """
    listed = folder.families(protocol)
    rows = [row for kind in folder.manifest["kinds"] for row in folder.index(kind).rows]
    where = f"{os.path.join(folder.path, SPLITS)}: `{protocol}`"
    for family, split in listed.items():
        if split not in splits.SPLITS:
            raise ValueError(
                f"{where} must hold {', '.join(splits.SPLITS)}, got {split!r} for family {family}."
            )
    seen: dict[str, str] = {}
    for subject, family in sorted({(row["subject"], row["family"]) for row in rows}):
        split = listed.get(family)
        if split and seen.setdefault(subject, split) != split:
            raise ValueError(
                f"{where} must have every subject in one split, got {subject} in {seen[subject]}"
                f" and in {split}, under two families. Convert again with one family per subject."
            )
    missing = sorted({row["family"] for row in rows} - set(listed))
    if missing and splits.holds_all(protocol):
        raise ValueError(
            f"{where} must hold every family, got {len(missing)} that are missing, such as"
            f" {missing[0]}. Convert again, or give each a split."
        )


def _load_json(path: str):
    with tf.io.gfile.GFile(path) as file:
        try:
            return json.loads(file.read(), object_pairs_hook=_object)
        except _TwiceError as error:
            raise ValueError(f"{path}: {error}") from error
        except ValueError as error:
            raise ValueError(f"{path}: is not valid JSON ({error}).") from error


class _TwiceError(ValueError):
    """A name stands twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON; a name given twice, such as a family in two splits, is an error."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = collections.Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise _TwiceError(
            f"a name must stand once in an object, and a family in one split, got {twice!r} twice."
            " Delete one line."
        )
    return found


def _check_size(path: str, size: int) -> None:
    found = tf.io.gfile.stat(path).length if tf.io.gfile.exists(path) else None
    if found != size:
        raise ValueError(
            f"{path}: must have {size} bytes, got {'no file' if found is None else found}. Copy the"
            " data set again, or convert again."
        )


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What a task may know of the training records; it travels in config.json and the export.

    Attributes:
        class_counts: Name -> count per class index: gradings of discs, or "level".
        graded_levels: Grading -> published names of the levels that were graded.
        slice_means: [15] (plain images: [1]) mean intensity of each stored slice over valid pixels.
    """

    class_counts: Mapping[str, Sequence[int]]
    graded_levels: Mapping[str, Sequence[str]]
    slice_means: Sequence[float]


def statistics(index: Index, class_counts: Mapping[str, Sequence[int]]) -> Statistics:
    """Summarises the training records.

    Args:
        index: The training records.
        class_counts: Name -> count per class, which the task knows how to count.

    Returns:
        The statistics.
    """
    graded = collections.defaultdict(set)
    for row in index.rows:
        for name in row.get("grades", ()):
            graded[name].add(row["level"])
    return Statistics(
        class_counts={name: list(map(int, counts)) for name, counts in class_counts.items()},
        graded_levels={name: sorted(found) for name, found in sorted(graded.items())},
        slice_means=slice_means(index.rows),
    )


def grade_counts(index: Index, names: Iterable[str]) -> dict[str, list[int]]:
    """Returns grading -> number of records per class."""
    counts = {}
    for name in names:
        grades = [row["grades"].get(name, gradings.NOT_GRADED) for row in index.rows]
        counts[name] = [grades.count(grade) for grade in gradings.from_name(name).grades]
    return counts


def check_graded(index: Index, names: Sequence[str]) -> None:
    """Checks that there are gradings, and that a record has each.

    Raises:
        ValueError: If not.
    """
    found = {name for row in index.rows for name in row["grades"]}
    missing = [name for name in names if name not in found]
    if not found:
        raise ValueError(
            "the training records hold no gradings, so grading cannot be trained or measured."
            " Convert again with the grades of their discs, as --gradings of convert-dicom."
        )
    if missing or not names:
        raise ValueError(
            f"`gradings` must be among those of the training records, {sorted(found)}, got"
            f" {missing or 'none'}. Convert with --gradings."
        )


def slice_means(rows: Iterable[Mapping[str, Any]]) -> list[float]:
    """Returns [15] ([1]) the mean intensity of each stored slice of the rows of an index.

    Slices that a scan does not have are left out; a slice that none has is 0. Records of kind
    `slice` hold no such means.
    """
    means = [mean for row in rows for mean in row.get("slice_mean", ())]
    num_slices = len(means[0]) if means else crops.STORED_SLICES
    stacked = np.array(means, np.float64).reshape(-1, num_slices)
    count = np.maximum(np.sum(~np.isnan(stacked), 0), 1)
    return [round(float(mean), 5) for mean in np.nansum(stacked, 0) / count]


def cases(index: Index) -> dict[tuple[str, str], list[int]]:
    """Returns the slices of every whole volume.

    Args:
        index: Records of kind `slice`.

    Returns:
        (case, view) -> positions in the index of its slices, in the order of the volume. Slices
        that were left out at conversion are missing: see `position` and `num_positions` of a row.
    """
    found = collections.defaultdict(list)
    for number, row in enumerate(index.rows):
        found[row["case"], row["view"]].append(number)
    by_position = index.column("position")
    return {key: sorted(found[key], key=by_position.__getitem__) for key in sorted(found)}
