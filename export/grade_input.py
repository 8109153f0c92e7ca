"""What is graded: a study, and its vertebrae from an annotation or from the detector."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep import (
    annotations,
    archive,
    detected_study,
    detectors,
    header_scan,
    rejection,
    study,
)
from spine_tf import vertebrae
from spine_tf.detection import finder


@dataclasses.dataclass(frozen=True)
class Input:
    """A study that was read.

    Attributes:
        study: Its sagittal T2 series and vertebrae.
        vertebrae_from: Where its vertebrae come from, in words; no folder.
        is_answered: Whether the vertebrae have levels; without them no disc can be graded.
        notes: What a reader should know.
        rejections: What could not be used.
        detected: `vertebrae/1` with its scores, if a detector found the vertebrae.
    """

    study: study.Study
    vertebrae_from: str
    is_answered: bool
    notes: Sequence[str]
    rejections: Sequence[rejection.Rejection]
    detected: Mapping[str, Any] | None = None


def read(study_dir: str, vertebrae_path: str | None, detector: str) -> Input:
    """Reads a study.

    Args:
        study_dir: A folder with one study, or what else `archive.open_input` takes.
        vertebrae_path: A `vertebrae/1` file or folder; None looks in the study and beside it.
        detector: That finds the vertebrae where there is no annotation, see `detectors.weights`.

    Raises:
        FileNotFoundError: If the study or its annotation is not there.
        ValueError: If one of them cannot be used; the message names it and says what to do.
    """
    listing = archive.open_input(study_dir)
    paths = study.annotation_paths(study_dir, vertebrae_path, listing)
    if detector == detectors.NONE or paths:
        found = study.load_study(study_dir, vertebrae_path)
        place = "of --vertebrae" if vertebrae_path else "beside the study"
        if not vertebrae_path and paths[0] in listing.beside:
            place = "in the study"
        return Input(found, _say_file(found, paths, place), True, _notes(found), found.rejections)
    scan = header_scan.scan(listing)
    item = study.only_study(study_dir, scan)
    seen = detected_study.find(item, detectors.load(detector))
    found = _as_study(item, seen, scan.rejections)
    notes = [*_notes(found), _say_detected(seen.found)]
    rejections = list(found.rejections)
    if not seen.found.is_answered:
        rejections.append(rejection.Rejection(item.folder, seen.series.uid, notes[-1]))
    said = f"found by the detector ({seen.found.annotation.source})"
    return Input(found, said, seen.found.is_answered, notes, rejections, seen.found.to_json())


def _say_file(found: study.Study, paths: Sequence[str], place: str) -> str:
    """Which file names the vertebrae of the series, and who made them."""
    uid = found.series.uid
    path = next(path for path in paths if uid in annotations.read_vertebrae([path], [uid])[0])
    source = found.annotation.source or "not named"
    return f"from {os.path.basename(path)} {place} (source: {source})"


def _notes(found: study.Study) -> list[str]:
    return [found.note] if found.note else []


def _as_study(
    item: study.StudyFiles,
    seen: detected_study.Detected,
    rejections: Sequence[rejection.Rejection],
) -> study.Study:
    return study.Study(
        volume=seen.scan,
        annotation=seen.found.annotation,
        series=seen.series,
        study_instance_uid=item.uid,
        choice=seen.choice,
        note=seen.note,
        rejections=tuple(rejections),
    )


def _say_detected(found: finder.Found) -> str:
    """What a reader should know of vertebrae that nobody annotated."""
    made = found.annotation
    if not found.is_answered:
        return f"not graded: the levels of the vertebrae are unknown: {made.reason}"
    least, probability = vertebrae.least_sure(made.vertebrae)
    return (
        f"The vertebrae were found by {made.source}, not by a person; least sure is"
        f" {least.known_level.value}, probability {probability:.2f}. Check the levels."
    )
