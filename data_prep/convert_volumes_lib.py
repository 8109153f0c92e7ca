"""Volumes with label maps to scan requests, and one of them to the records of its slices.

A case is the files of one prefix in one folder, of which each channel and the label map has an
ending of its own: BraTS' CASE/CASE_t1.nii.gz, or CASE/ct.nii.gz. SPIDER's folder is read as it is.
"""

import collections
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data_prep import (
    annotations,
    convert_spider_lib,
    dataset_lib,
    label_names,
    listed,
    rejection,
    settings,
    volume_file,
    volume_slices,
)
from spine_tf.data import schema

CHANNELS = {settings.BRATS: ("t1", "t1ce", "t2", "flair"), settings.SPIDER: ("t2",)}
_SEPARATORS = "_-."
_OTHER_FILES = "files that are no channel and no label map"


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        layout: settings.BRATS, SPIDER or VOLUMES.
        input_dir: The folder.
        channels: Endings of the names of a case's images; not of SPIDER.
        label_ending: That of its label map; "" if there are none.
        series: SPIDER's series to use, the preferred first.
        cases_csv: Table that says whose a case is, with the columns case, subject and, if wanted,
            family and days; None is every case of another subject.
    """

    layout: str
    input_dir: str
    channels: tuple[str, ...]
    label_ending: str = "seg"
    series: tuple[str, ...] = convert_spider_lib.DEFAULT_SERIES
    cases_csv: str | None = None


@dataclasses.dataclass(frozen=True)
class Payload:
    """The files of one case: of each channel, and of the label map, or None."""

    channels: tuple[str, ...]
    label_map: str | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be converted."""

    requests: Sequence[dataset_lib.ScanRequest]
    rejections: Sequence[rejection.Rejection]
    not_needed: Mapping[str, int]


Loaded = tuple[list[volume_file.VolumeFile], volume_file.VolumeFile | None]


def load(request: dataset_lib.ScanRequest) -> Loaded:
    """Reads the files of one case, in a worker.

    Returns:
        A VolumeFile per channel, on one grid, and that of the label map, or None.

    Raises:
        rejection.RejectedInput: If one cannot be read or lies on another grid.
    """
    payload = request.payload
    channels = [volume_file.read(path) for path in payload.channels]
    for channel in channels[1:]:
        if not volume_file.on_one_grid(channels[0], channel):
            raise _other_grid(channel, channels[0], "another channel of its case")
    return channels, volume_file.read(payload.label_map) if payload.label_map else None


def _other_grid(
    one: volume_file.VolumeFile, image: volume_file.VolumeFile, what: str
) -> rejection.RejectedInput:
    return rejection.RejectedInput(
        one.path,
        "",
        f"lies on another grid than {what} ({os.path.basename(image.path)};"
        f" {volume_file.grid_text(one)}, and {volume_file.grid_text(image)}); resample one of them"
        " to the other",
    )


def encode(
    loaded: Loaded,
    request: dataset_lib.ScanRequest,
    chosen: settings.VolumeSettings,
) -> dataset_lib.Examples:
    """Makes the records of one case, in a worker.

    Raises:
        rejection.RejectedInput: If a file has no foreground, the label map has labels that are not
            listed or lies on another grid than the image.
        ValueError: If no slice is kept.
    """
    channels, label_map = loaded
    if label_map is not None:
        label_map = volume_file.shifted(label_map, chosen.label_map_shift_mm or (0, 0, 0))
        channels = _on_grid_of(label_map, channels, chosen.cut_to_label_map)
    arrays = [_windowed(channel, chosen.window_hu) for channel in channels]
    labels = None if label_map is None else _stored(label_map, chosen)
    first = channels[0]
    case = volume_slices.Case(np.stack(arrays, -1), labels, first.affine, first.view)
    return {schema.SLICE: volume_slices.examples(case, request.whose, chosen)}


def _on_grid_of(label_map: volume_file.VolumeFile, channels: list, may_cut: bool) -> list:
    if volume_file.on_one_grid(channels[0], label_map):
        return channels
    parts = [volume_file.cut(channel, label_map) for channel in channels]
    if None in parts or not may_cut:
        hint = "" if None in parts else "; it covers a part: give --cut_to_label_map to take that"
        error = _other_grid(label_map, channels[0], "its image").rejection
        raise rejection.RejectedInput(error.path, error.uid, error.reason + hint)
    return parts


def _windowed(channel: volume_file.VolumeFile, window_hu: Sequence[float]) -> np.ndarray:
    array = channel.array.astype(np.float32)
    if window_hu:
        low, high = window_hu
        array = np.clip(array, low, high)
    if array.min() == array.max():
        raise rejection.RejectedInput(
            channel.path,
            "",
            f"has no foreground: every voxel is {array.flat[0]:g}; leave the case out",
        )
    return array


def _stored(label_map: volume_file.VolumeFile, chosen: settings.VolumeSettings) -> np.ndarray:
    rejects_others = chosen.unlisted_labels == "reject"
    try:
        return label_names.stored(label_map.array, chosen.labels, reject_others=rejects_others)
    except ValueError as error:
        raise rejection.RejectedInput(label_map.path, "", str(error)) from None


def plan(inputs: Inputs, key: bytes) -> Plan:
    """Lists the cases of a folder.

    Args:
        inputs: Where they are.
        key: Of the pseudonyms.

    Returns:
        The plan; cases that lack a file and rows that match nothing are in its rejections.

    Raises:
        FileNotFoundError: If the folder or the table does not exist, or SPIDER's is none.
        ValueError: If no file has the name of a volume of a case, or the table has not its
            columns.
    """
    listed.check_exist(inputs.input_dir, *filter(None, [inputs.cases_csv]))
    is_spider = inputs.layout == settings.SPIDER
    items, rejections, not_needed = (_spider if is_spider else _cases)(inputs)
    if inputs.cases_csv:
        items, bad_rows = _with_subjects(items, inputs.cases_csv)
        rejections += bad_rows
    return Plan(listed.requests(items, key), rejections, not_needed)


_Found = tuple[list[listed.Listed], list[rejection.Rejection], Mapping[str, int]]


def _cases(inputs: Inputs) -> _Found:
    """Cases by the endings of their files' names."""
    files, not_needed = collections.defaultdict(dict), collections.Counter()
    rejections = []
    endings = (*inputs.channels, *filter(None, [inputs.label_ending]))
    for folder, path in _walk(inputs.input_dir):
        prefix, ending = _split(os.path.basename(path), endings)
        if ending is None:
            not_needed[_OTHER_FILES] += 1
        elif files[folder, prefix].setdefault(ending, path) != path:
            reason = f"is a second file of {ending!r} of its case; the first one is used"
            rejections.append(rejection.Rejection(path, "", reason))
    if not files:
        names = ", ".join(f"*{ending}" for ending in endings)
        raise ValueError(
            f"`input_dir` must hold volumes ({', '.join(volume_file.ENDINGS)}) that are named"
            f" {names}, got {inputs.input_dir}. --channels and --label_ending say the endings."
        )
    items = []
    for (folder, prefix), found in files.items():
        missing = [ending for ending in endings if ending not in found]
        if missing:
            reason = f"has no file that ends in {', '.join(missing)}; complete the case"
            rejections.append(rejection.Rejection(os.path.join(folder, prefix), "", reason))
            continue
        channels = tuple(found[ending] for ending in inputs.channels)
        payload = Payload(channels, found.get(inputs.label_ending))
        name = os.path.relpath(os.path.join(folder, prefix), inputs.input_dir)
        items.append(_item(name, name, channels[0], payload))
    return items, rejections, dict(not_needed)


def _walk(input_dir: str) -> Iterable[tuple[str, str]]:
    """(folder, path) of every file, in a fixed order."""
    for folder, folders, names in os.walk(input_dir):
        folders.sort()
        for name in sorted(names):
            yield folder, os.path.join(folder, name)


def _split(name: str, endings: Sequence[str]) -> tuple[str, str | None]:
    """Prefix and ending of the name of a file; None if it is none of a case."""
    stem = next((name[: -len(e)] for e in volume_file.ENDINGS if name.lower().endswith(e)), None)
    for ending in sorted(endings, key=len, reverse=True):
        if stem == ending:
            return "", ending
        if stem and stem.endswith(ending) and stem[-len(ending) - 1] in _SEPARATORS:
            return stem[: -len(ending) - 1], ending
    return "", None


def _item(name: str, subject: str, path: str, payload: Payload) -> listed.Listed:
    return listed.Listed(
        name=name, path=path, subject=subject, family=subject, days=0, payload=payload
    )


def _spider(inputs: Inputs) -> _Found:
    """One image of every patient of SPIDER, and its mask."""
    images, not_needed = convert_spider_lib.list_images(inputs.input_dir)
    masks = convert_spider_lib.list_masks(inputs.input_dir)
    chosen = convert_spider_lib.choose(images, inputs.series)
    not_needed["further series of a patient"] += len(images) - len(chosen)
    items, rejections = [], []
    for image in chosen:
        if image.stem in masks:
            payload = Payload((image.path,), masks[image.stem])
            items.append(_item(image.stem, image.patient, image.path, payload))
        else:
            rejections.append(convert_spider_lib.no_mask(image))
    return items, rejections, {what: count for what, count in not_needed.items() if count}


def _with_subjects(items: Iterable[listed.Listed], path: str) -> tuple[list, list]:
    """The items of the cases of a table, with whose they are, and what cannot be used."""
    report, found, families = annotations.RowReport(), {}, listed.Families()
    items = list(items)
    count = collections.Counter(os.path.basename(item.name) for item in items)
    by_name = {os.path.basename(item.name): item for item in items}
    by_name = {name: item for name, item in by_name.items() if count[name] == 1}
    by_name |= {item.name: item for item in items}
    for row in annotations.read_rows(path, ("case", "subject"), ("family", "days")):
        values = row.values
        item = by_name.get(os.path.normpath(values["case"]))
        family = values["family"] or values["subject"]
        problems = (
            listed.problem(values, ("case", "subject")),
            "" if item else "no case here has this name",
            "another row names this case; the first one is used"
            if item and item.name in found
            else "",
            families.problem(values["subject"], family),
        )
        if not listed.report_problem(report, row, *problems) and item is not None:
            subject, days = values["subject"], int(values["days"] or 0)
            found[item.name] = dataclasses.replace(item, subject=subject, family=family, days=days)
    lost = [
        rejection.Rejection(item.path, "", "its case is not in --cases_csv; add a row")
        for item in items
        if item.name not in found
    ]
    return list(found.values()), [*report.rejections(), *lost]
