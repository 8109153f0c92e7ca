"""Folders of studies and volumes to `vertebrae/1` files and pictures."""

import collections
import dataclasses
import functools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import tqdm

from data_prep import (
    detected_study,
    detectors,
    dicom,
    local_files,
    overlay,
    rejection,
    study,
    volume_file,
)
from spine_tf import files, vertebrae, volume
from spine_tf.detection import finder

ENDING, PICTURE = ".vertebrae.json", ".png"


@dataclasses.dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        output_dir: Where it lies.
        lines: One per scan that was looked at.
        rejections: What is unknown or could not be used.
        num_answered: Scans whose vertebrae are named.
    """

    output_dir: str
    lines: Sequence[str]
    rejections: Sequence[rejection.Rejection]
    num_answered: int

    @property
    def exit_status(self) -> int:
        """3 if something is unknown or could not be used, else 0."""
        return 3 if self.rejections else 0

    def __str__(self) -> str:
        lines = [*self.lines, *(f"rejected: {item}" for item in self.rejections)]
        counts = f"{self.num_answered} answered, {len(self.rejections)} rejected"
        return "\n".join([*lines, f"{self.output_dir}: {counts}."])


@dataclasses.dataclass(frozen=True)
class _Looked:
    """One scan that was looked at."""

    name: str
    path: str
    uid: str
    scan: volume.Volume
    found: finder.Found
    note: str = ""


def detect(input_dir: str, output_dir: str, detector: str = detectors.BUILTIN) -> Report:
    """Finds the vertebrae of everything below a folder.

    Args:
        input_dir: Folder with DICOM studies, volumes, or both; or one volume.
        output_dir: Where the files go; made if missing. Each is written whole or not at all.
        detector: See `detectors.weights`.

    Returns:
        What was found.

    Raises:
        FileNotFoundError: If a folder or the detector does not exist.
        ValueError: If there is no study and no volume, or the detector is none.
    """
    made = detectors.load(detector)
    studies, volumes, rejected = _inputs(input_dir)
    folder = os.path.dirname(input_dir) if os.path.isfile(input_dir) else input_dir
    os.makedirs(output_dir, exist_ok=True)
    report = _write_all(_looked(folder, studies, volumes, made, rejected), output_dir, rejected)
    local_files.write_rejects(output_dir, report.rejections)
    return report


def planned(input_dir: str, output_dir: str) -> str:
    """Returns what `detect` would do, as far as headers tell.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If there is no study and no volume.
    """
    studies, volumes, rejected = _inputs(input_dir)
    lines = [f"rejected: {item}" for item in rejected]
    lines.append(
        f"{output_dir} would hold what is found in {len(studies)}"
        f" {'study' if len(studies) == 1 else 'studies'} and"
        f" {rejection.counted(len(volumes), 'volume')}. Nothing was written."
    )
    return "\n".join(lines)


def _inputs(
    input_dir: str,
) -> tuple[list[study.StudyFiles], list[str], list[rejection.Rejection]]:
    """The studies, the volumes, and the files that cannot be used."""
    is_file = os.path.isfile(input_dir)
    paths = [input_dir] if is_file else dicom.list_files(input_dir)
    volumes = [path for path in paths if path.lower().endswith(volume_file.ENDINGS)]
    studies, rejected = [], []
    if is_file and not volumes:
        endings = ", ".join(volume_file.ENDINGS)
        raise ValueError(
            f"{input_dir}: is a file and no volume ({endings}). Give the folder of a DICOM study."
        )
    if len(volumes) < len(paths):
        scan = dicom.scan_folder(input_dir, _progress("headers", "file"))
        studies = study.group(scan.series)
        volume_paths = set(volumes)
        rejected = [item for item in scan.rejections if item.path not in volume_paths]
    if not studies and not volumes:
        reasons = "\n".join(map(str, rejected[:5]))
        raise ValueError(f"{input_dir}: holds no DICOM MR image and no volume. {reasons}".rstrip())
    return studies, volumes, rejected


def _progress(what: str, unit: str):
    """A progress bar; none where the output is no terminal."""
    return functools.partial(tqdm.tqdm, desc=what, unit=unit, disable=None)


def _looked(
    input_dir: str,
    studies: Sequence[study.StudyFiles],
    volumes: Sequence[str],
    made: finder.Finder,
    rejected: list,
) -> Iterator[_Looked]:
    """Looks at one scan after the other; adds to `rejected` what cannot be looked at."""
    for item in _progress("scans", "scan")([*studies, *volumes]):
        try:
            if isinstance(item, str):
                yield _look_at_volume(input_dir, item, made)
            else:
                yield _look_at_study(item, made)
        except rejection.RejectedInput as error:
            rejected.append(error.rejection)


def _look_at_study(item: study.StudyFiles, made: finder.Finder) -> _Looked:
    study.check_one_patient(item)
    seen = detected_study.find(item, made)
    uid = seen.series.uid
    return _Looked(uid, detected_study.folder(seen.series), uid, seen.scan, seen.found, seen.note)


def _look_at_volume(input_dir: str, path: str, made: finder.Finder) -> _Looked:
    read = volume_file.read(path)
    scan = volume.Volume(np.ascontiguousarray(read.array, np.float32), read.affine)
    return _Looked(_name(input_dir, path), path, "", scan, made.find(scan))


def _name(input_dir: str, path: str) -> str:
    """The path below the folder, with dashes and without the ending."""
    name = os.path.relpath(path, input_dir).replace(os.sep, "-")
    ending = next(one for one in volume_file.ENDINGS if name.lower().endswith(one))
    return name[: -len(ending)]


def _write_all(looked: Iterator[_Looked], output_dir: str, rejected: list) -> Report:
    lines, counts = [], collections.Counter()
    for one in looked:
        counts[one.name] += 1
        again = f"-{counts[one.name]}" if counts[one.name] > 1 else ""
        _write(one, os.path.join(output_dir, one.name + again))
        if one.found.is_answered:
            counts["", "answered"] += 1
            lines.append(_line(one, one.name + again))
        else:
            reason = f"unknown: {one.found.annotation.reason}"
            rejected.append(rejection.Rejection(one.path, one.uid, reason))
    return Report(output_dir, lines, tuple(rejected), counts["", "answered"])


def _write(one: _Looked, path: str) -> None:
    files.write_json(path + ENDING, one.found.to_json())
    with files.atomic_write(path + PICTURE, "wb") as file:
        file.write(overlay.draw(one.scan, one.found.annotation))


def _line(one: _Looked, name: str) -> str:
    bodies = one.found.annotation.vertebrae
    least, probability = vertebrae.least_sure(bodies)
    note = f"; {one.note}" if one.note else ""
    return rejection.printable(
        f"{name}: {bodies[0].known_level.value} to {bodies[-1].known_level.value}, least sure of"
        f" {least.known_level.value} ({probability:.2f}){note}"
    )
