"""One study: which of its series is used, and which annotation belongs to it."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from data_prep import (
    annotations,
    archive,
    dicom,
    dicom_header,
    header_scan,
    rejection,
    series_choice,
    series_geometry,
)
from spine_tf import geometry, vertebrae, volume

_OUTSIDE = 1.5  # voxels or slices; marks are rough


@dataclasses.dataclass(frozen=True)
class StudyFiles:
    """The series of one study, from headers only."""

    uid: str
    series: tuple[dicom_header.SeriesFiles, ...]

    @property
    def folder(self) -> str:
        """The folder that all its files lie in."""
        found = os.path.commonpath([os.path.dirname(p) for s in self.series for p in s.paths])
        is_address = "://" in self.series[0].paths[0]
        return found.replace(":/", "://", 1) if is_address else found

    @property
    def patient_ids(self) -> set[str]:
        """Every PatientID in it; one, in a sound study. Never shown."""
        return {item.patient_id for series in self.series for item in series.slices}

    @property
    def date(self) -> str:
        """YYYYMMDD of the earliest image, or "" if no image has a date."""
        dates = {item.study_date for series in self.series for item in series.slices}
        return min(dates - {""}, default="")


@dataclasses.dataclass(frozen=True)
class Match:
    """The series of a study that is used, its annotation if any, and the choice behind it."""

    series: dicom_header.SeriesFiles
    annotation: vertebrae.Annotation | None
    choice: series_choice.Choice
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Study:
    """One study, read.

    Attributes:
        volume: The sagittal T2 series.
        annotation: Its vertebrae.
        series: Where the volume came from.
        study_instance_uid: The study.
        choice: Why this series.
        note: What a reader should know of the choice, or "".
        rejections: Files of the study that could not be used.
    """

    volume: volume.Volume
    annotation: vertebrae.Annotation
    series: dicom_header.SeriesFiles
    study_instance_uid: str
    choice: series_choice.Choice
    note: str
    rejections: tuple[rejection.Rejection, ...]


def group(series: Sequence[dicom_header.SeriesFiles]) -> list[StudyFiles]:
    """Groups series by StudyInstanceUID, sorted by it."""
    by_uid = {}
    for item in series:
        by_uid.setdefault(item.first.study_instance_uid, []).append(item)
    return [StudyFiles(uid, tuple(by_uid[uid])) for uid in sorted(by_uid)]


def check_one_patient(study: StudyFiles) -> None:
    """Raises RejectedInput if a study has files of several patients."""
    if len(study.patient_ids) > 1:
        raise rejection.RejectedInput(
            study.folder, study.uid, "has files of more than one patient; take them apart"
        )


def choose(study: StudyFiles) -> series_choice.Choice:
    """Chooses the sagittal T2 series of a study.

    Raises:
        rejection.RejectedInput: If it has none; the message tells of every series.
    """
    choice = series_choice.choose_sagittal_t2(study.series)
    if choice.series is None:
        seen = "; ".join(map(str, choice.verdicts))
        raise rejection.RejectedInput(
            study.folder,
            study.uid,
            f"has no sagittal T2 series; give a study with one. Seen: {seen}",
        )
    return choice


def match(study: StudyFiles, by_series: Mapping[str, vertebrae.Annotation]) -> Match:
    """Chooses the sagittal T2 series of a study and finds its annotation.

    Args:
        study: The study.
        by_series: SeriesInstanceUID -> annotation.

    Returns:
        The best annotated series. If the best of all is not annotated, a note says so.

    Raises:
        rejection.RejectedInput: If the study has no sagittal T2 series, or none that is annotated,
            or its slices are no even stack, or its annotation lies elsewhere.
    """
    choice = choose(study)
    annotated = [item for item in choice.candidates if item.uid in by_series]
    if not annotated:
        raise rejection.RejectedInput(study.folder, study.uid, _not_annotated(choice, by_series))
    best = annotated[0]
    candidate = stack_of(best.uid, annotated, by_series[best.uid])
    note = ""
    if best is not choice.candidates[0]:
        note = f"{best.uid} is used, because {choice.candidates[0].uid} is not annotated"
    elif candidate is not best:
        note = f"another stack of {best.uid} is used: the annotation or the slices fit this one"
    return Match(candidate, by_series[best.uid], choice, note)


def stack_of(
    uid: str, candidates: Sequence[dicom_header.SeriesFiles], annotation: vertebrae.Annotation
) -> dicom_header.SeriesFiles:
    """Returns the first stack of a series that its annotation lies in.

    Args:
        uid: SeriesInstanceUID.
        candidates: Stacks of this and of other series.
        annotation: Of the series.

    Raises:
        rejection.RejectedInput: If it lies in none; why not in the first.
    """
    errors = []
    for candidate in candidates:
        if candidate.uid == uid:
            try:
                check_inside(candidate, annotation)
            except rejection.RejectedInput as error:
                errors.append(error)
            else:
                return candidate
    raise errors[0]


def check_inside(series: dicom_header.SeriesFiles, annotation: vertebrae.Annotation) -> None:
    """Checks that the vertebrae lie in a series, as those in another frame (RAS, voxels) do not.

    Raises:
        rejection.RejectedInput: If the centre of a vertebra is outside, or the slices are no even
            stack.
    """
    affine = series_geometry.series_affine(series)
    size = np.array([len(series.slices), series.first.rows, series.first.columns])
    for vertebra in annotation.vertebrae:
        index = geometry.to_index(affine, vertebra.corners_mm.mean(axis=0))
        if np.any(index < -_OUTSIDE) or np.any(index > size - 1 + _OUTSIDE):
            raise rejection.RejectedInput(
                os.path.dirname(series.paths[0]),
                series.uid,
                f"its annotation puts {vertebra.known_level.value} outside the images, at slice,"
                f" row and column {np.round(index).astype(int).tolist()}; `corners_mm` must be"
                " DICOM patient coordinates (LPS) in mm",
            )


def _not_annotated(
    choice: series_choice.Choice, by_series: Mapping[str, vertebrae.Annotation]
) -> str:
    reason = (
        f"its sagittal T2 series {choice.candidates[0].uid} has no annotation; add it to"
        f" {annotations.VERTEBRAE} under this series_instance_uid"
    )
    others = [str(v) for v in choice.verdicts if v.reason and v.series.uid in by_series]
    return f"{reason}. Annotated, but not usable: {'; '.join(others)}" if others else reason


def load_study(study_dir: str, vertebrae_path: str | None = None) -> Study:
    """Reads the sagittal T2 series of an input with one study, and its vertebrae.

    Args:
        study_dir: A folder, or what else `archive.open_input` takes.
        vertebrae_path: A `vertebrae/1` file or a folder of them; None looks for vertebrae.json
            in the study and beside it.

    Returns:
        The study.

    Raises:
        FileNotFoundError: If there is no such folder, or no annotation.
        ValueError: If it is not one study with one usable, annotated sagittal T2 series; the
            message names the file or UID and what to do.
    """
    listing = archive.open_input(study_dir)
    scan = header_scan.scan(listing)
    found = only_study(study_dir, scan)
    choose(found)
    by_series = _read_annotations(study_dir, vertebrae_path, listing, found)
    matched = match(found, by_series)
    return Study(
        volume=archive.read_volume(matched.series),
        annotation=by_series[matched.series.uid],
        series=matched.series,
        study_instance_uid=found.uid,
        choice=matched.choice,
        note=matched.note,
        rejections=tuple(scan.rejections),
    )


def no_dicom_message(folder: str, scan: dicom.FolderScan) -> str:
    """Says that a folder holds no MR image, and what it holds."""
    seen = [f"{count} {what}" for what, count in sorted(scan.not_needed.items())]
    seen += [str(item) for item in scan.rejections[:3]]
    return (
        f"{folder}: holds no DICOM MR image ({scan.num_files} files"
        f"{': ' if seen else ''}{'; '.join(seen)}); give a folder with DICOM studies."
    )


def only_study(study_dir: str, scan: dicom.FolderScan) -> StudyFiles:
    """Returns the one study of a folder.

    Raises:
        ValueError: If it holds none, or several.
    """
    studies = group(scan.series)
    if not studies:
        raise ValueError(no_dicom_message(study_dir, scan))
    if len(studies) > 1:
        folders = ", ".join(f"{item.folder} ({item.uid})" for item in studies[:3])
        folders += ", ..." if len(studies) > 3 else ""
        raise ValueError(f"{study_dir}: holds {len(studies)} studies; give one of {folders}.")
    return studies[0]


def annotation_paths(
    study_dir: str, vertebrae_path: str | None, listing: archive.Listing
) -> list[str]:
    """Returns the `vertebrae/1` files that were given, or lie in a study or beside it.

    Args:
        study_dir: The study.
        vertebrae_path: What was given, or None.
        listing: What the study holds.

    Raises:
        FileNotFoundError: If there is no such folder, or what was given is not there.
    """
    beside = os.path.join(os.path.dirname(os.path.abspath(study_dir)), annotations.VERTEBRAE)
    inside = annotations.find(vertebrae_path, annotations.VERTEBRAE, listing.beside)
    return inside or [path for path in [beside] if os.path.isfile(path)]


def _read_annotations(
    study_dir: str, vertebrae_path: str | None, listing: archive.Listing, found: StudyFiles
) -> dict[str, vertebrae.Annotation]:
    paths = annotation_paths(study_dir, vertebrae_path, listing)
    if not paths:
        raise FileNotFoundError(
            f"{study_dir}: there is no {annotations.VERTEBRAE} in it or beside it; give"
            " --vertebrae, a file that names the corners of the vertebrae."
        )
    uids = [series.uid for series in found.series]
    by_series, rejections = annotations.read_vertebrae(paths, uids)
    if not by_series and rejections:
        raise ValueError(str(rejections[0]))
    return by_series
