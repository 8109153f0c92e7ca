"""Which series of a study the detector takes: by headers first, then by what the images show."""

import dataclasses
import os
from collections.abc import Sequence

from data_prep import archive, dicom_header, rejection, series_choice, study
from spine_tf import volume
from spine_tf.detection import finder


@dataclasses.dataclass(frozen=True)
class Detected:
    """A series of a study and what was found in it.

    Attributes:
        series: The series.
        scan: Its volume.
        found: What the detector says, named or not.
        choice: What the headers say of every series of the study.
        note: What a reader should know of the choice, or "".
    """

    series: dicom_header.SeriesFiles
    scan: volume.Volume
    found: finder.Found
    choice: series_choice.Choice
    note: str = ""


def find(item: study.StudyFiles, detector: finder.Finder) -> Detected:
    """Finds the vertebrae in the best series of a study.

    Series that are sagittal T2 by their headers come first, the best first. Where the headers of
    all series have no echo time, those are tried that lack nothing else. The first series whose
    vertebrae are named is taken; if there is none, the first that shows a lumbar T2 at all.

    Args:
        item: The study.
        detector: Looks at the images.

    Raises:
        rejection.RejectedInput: If no series is a sagittal T2 of a lumbar spine; the message tells
            of every series.
    """
    choice = series_choice.choose_sagittal_t2(item.series)
    tried, fallback = [], None
    candidates, note = choice.candidates, ""
    if not candidates:
        candidates = _without_echo_time(item.series)
        note = "no series has an echo time; the contrast was judged by the images alone"
    for series in candidates:
        try:
            scan = archive.read_volume(series)
        except rejection.RejectedInput as error:
            tried.append(f"{series.uid}: {error.rejection.reason}")
            continue
        found = detector.find(scan, series.uid)
        if found.is_answered:
            return Detected(series, scan, found, choice, note)
        tried.append(f"{series.uid}: {found.annotation.reason}")
        if found.is_in_domain and fallback is None:
            fallback = Detected(series, scan, found, choice, note)
    if fallback:
        return fallback
    raise rejection.RejectedInput(item.folder, item.uid, _nothing(choice, tried))


def _nothing(choice: series_choice.Choice, tried: Sequence[str]) -> str:
    seen = "; ".join([*tried, *(str(verdict) for verdict in choice.verdicts if verdict.reason)])
    return f"has no sagittal T2 series of a lumbar spine. Seen: {seen}"


def _without_echo_time(
    series: Sequence[dicom_header.SeriesFiles],
) -> list[dicom_header.SeriesFiles]:
    """Series that would be sagittal T2 if their missing echo time were that of one."""
    unknown = {item.uid: item for item in series if item.first.echo_time_ms is None}
    time_ms = series_choice.MIN_ECHO_TIME_MS
    assumed = [
        dicom_header.SeriesFiles(
            tuple(dataclasses.replace(one, echo_time_ms=time_ms) for one in item.slices)
        )
        for item in unknown.values()
    ]
    chosen = series_choice.choose_sagittal_t2(assumed).candidates
    return [unknown[item.uid] for item in chosen]


def folder(series: dicom_header.SeriesFiles) -> str:
    """Returns the folder of a series."""
    return os.path.dirname(series.paths[0])
