"""DICOM studies to scan requests: who is who, which series, which visit, which grades."""

import collections
import dataclasses
import datetime
import functools
import os
from collections.abc import Mapping, Sequence, Set

import tqdm

from data_prep import (
    accounts,
    annotations,
    archive,
    beam_runner,
    dataset_lib,
    deidentify,
    detectors,
    dicom,
    dicom_header,
    header_scan,
    identity,
    rejection,
    tfio_pixels,
)
from data_prep import study as study_lib
from spine_tf import vertebrae, volume

_HEADERS_PER_PROCESS = 1000  # a process that reads fewer is not worth starting
_MANY_STUDIES = 5  # with more, only the chosen series of each is shown


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What is read. Paths; None looks beside the studies.

    Attributes:
        input_dir: Folder with DICOM studies, at any depth, or what else `archive.open_input` takes.
        vertebrae: `vertebrae/1` file or folder.
        gradings: CSV file or folder.
        families: CSV file or folder.
        header_facts: Which of `spine_tf.header_facts.FACTS` to take from the headers.
        max_visits: Most studies of one PatientID; with more it cannot be one patient's.
        num_processes: That read headers; 0 is as many as are worth starting.
        detector: That finds the vertebrae of studies without annotation, see `detectors.weights`;
            `detectors.NONE` rejects them.
    """

    input_dir: str
    vertebrae: str | None = None
    gradings: str | None = None
    families: str | None = None
    header_facts: tuple[str, ...] = ()
    max_visits: int = 20
    num_processes: int = 0
    detector: str = detectors.NONE


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be converted, from headers only.

    Attributes:
        requests: One per study.
        rejections: What cannot be used.
        not_needed: What is not used, and nobody expects it to be -> count.
        lines: What a person should read.
        files: Every file below the folder.
    """

    requests: Sequence[dataset_lib.ScanRequest]
    rejections: Sequence[rejection.Rejection]
    not_needed: Mapping[str, int]
    lines: Sequence[str]
    files: accounts.Files

    def remarks(self) -> list[str]:
        """What a person should know of what was given: whose vertebrae, whether grades."""
        found = sum(request.payload.annotation is None for request in self.requests)
        total = rejection.counted(len(self.requests), "scan")
        lines = [f"vertebrae of {found} of {total}: left to the detector."] if found else []
        if not any(request.gradings for request in self.requests):
            lines.append("No disc is graded, because no gradings of these studies were given.")
        return lines


@dataclasses.dataclass(frozen=True)
class Payload:
    """What a worker needs to read one scan; no attribute of the patient.

    Attributes:
        series: The files.
        annotation: The vertebrae, or None: then the detector finds them.
        detector: Its name.
        weights: Its source; a part that was made with others is made anew.
    """

    series: dicom_header.SeriesFiles
    annotation: vertebrae.Annotation | None
    detector: str = detectors.NONE
    weights: str = ""


@dataclasses.dataclass(frozen=True)
class _Usable:
    """A study that can be converted."""

    study: study_lib.StudyFiles
    match: study_lib.Match
    subject: str = dataclasses.field(repr=False)  # PatientID; the study itself where that is empty


def load(
    request: dataset_lib.ScanRequest,
    output_dir: str | None = None,
    decoder: str = tfio_pixels.PYDICOM,
) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Reads the pixels of one request, in a worker, and finds its vertebrae if need be.

    Args:
        request: What to read.
        output_dir: Data set in whose `local/` what the detector found is kept.
        decoder: One of `tfio_pixels.DECODERS`.

    Raises:
        rejection.RejectedInput: If they cannot be read, or the levels are unknown.
    """
    payload = request.payload
    scan = archive.read_volume(payload.series, decoder)
    if payload.annotation is not None:
        return scan, payload.annotation
    found = detectors.load(payload.detector).find(scan, payload.series.uid)
    if output_dir:
        detectors.keep(output_dir, request.scan_key, found)
    return scan, detectors.check_named(found, request.path, request.uid)


def plan(inputs: Inputs, key: bytes) -> Plan:
    """Reads the headers of every file below a folder and decides what to convert.

    Args:
        inputs: Where the studies and their annotations are.
        key: Of the pseudonyms.

    Returns:
        The plan. Single studies that cannot be used are in its rejections.

    Raises:
        FileNotFoundError: If a folder or file does not exist.
        ValueError: If there is no study, or no annotation belongs to any of them.
    """
    listing = archive.open_input(inputs.input_dir)
    num_processes = inputs.num_processes or beam_runner.worthwhile_processes(
        len(listing.names), _HEADERS_PER_PROCESS
    )
    progress = _progress("headers", len(listing.names))
    scan = header_scan.scan(listing, num_processes, progress, inputs.header_facts)
    studies = study_lib.group(scan.series)
    if not studies:
        raise ValueError(study_lib.no_dicom_message(inputs.input_dir, scan))
    _check_any_sagittal_t2(inputs.input_dir, studies)
    paths = listing.beside
    by_series, unused = _read_vertebrae(inputs, paths, scan.series)
    quarantined = identity.quarantined(studies, inputs.max_visits)
    refused = {item.uid for item in unused} - set(by_series)
    usable, rejected = _match_all(studies, by_series, refused, quarantined, inputs.detector)
    grades, bad_grades = annotations.read_gradings(
        annotations.find(inputs.gradings, annotations.GRADINGS, paths),
        [item.uid for item in studies],
    )
    families, bad_families = annotations.read_families(
        annotations.find(inputs.families, annotations.FAMILIES, paths),
        {patient_id for item in studies for patient_id in item.patient_ids} - {""},
    )
    people = identity.people([_scan(item, grades) for item in usable])
    dated, undated = _with_dates(_by_person(usable, people))
    requests = _requests(dated, grades, people.families(families), key)
    requests = _with_detector(requests, inputs.detector)
    rejections = [*scan.rejections, *rejected, *undated, *unused, *bad_grades, *bad_families]
    return Plan(
        requests=requests,
        rejections=rejections,
        not_needed=_not_needed(scan, usable, people),
        lines=[*_lines(usable), *people.lines()],
        files=accounts.of_studies(
            scan, studies, _scans_of_files(requests), rejections, people.copies
        ),
    )


def _scan(item: _Usable, grades: Mapping) -> identity.Scan:
    is_graded = bool(grades.get(item.study.uid))
    return identity.Scan(item.study.uid, item.subject, item.match.series, is_graded)


def _by_person(usable: Sequence[_Usable], people: identity.People) -> list[_Usable]:
    """The studies that are no copies, all ids of a person as one subject."""
    return [
        dataclasses.replace(item, subject=people.subject_of[item.subject])
        for item in usable
        if item.study.uid not in people.copies
    ]


def _scans_of_files(requests: Sequence[dataset_lib.ScanRequest]) -> dict[str, str]:
    return {path: item.scan_key for item in requests for path in item.payload.series.paths}


def _progress(what: str, total: int):
    """A progress bar; none where the output is no terminal."""
    return functools.partial(tqdm.tqdm, desc=what, unit="file", total=total, disable=None)


def _check_any_sagittal_t2(input_dir: str, studies: Sequence[study_lib.StudyFiles]) -> None:
    reasons = []
    for item in studies:
        try:
            study_lib.choose(item)
            return
        except rejection.RejectedInput as error:
            reasons.append(str(error))
    shown = "\n".join(reasons[:_MANY_STUDIES])
    raise ValueError(f"{input_dir}: no study has a sagittal T2 series.\n{shown}")


def _read_vertebrae(inputs: Inputs, paths: Sequence[str], series) -> tuple[dict, list]:
    """SeriesInstanceUID -> annotation, and what cannot be used."""
    found = annotations.find(inputs.vertebrae, annotations.VERTEBRAE, paths)
    if not found and inputs.detector != detectors.NONE:
        return {}, []
    if not found:
        raise ValueError(
            f"{inputs.input_dir}: there is no {annotations.VERTEBRAE} beside the studies; give"
            " --vertebrae, a file or folder that names the corners of the vertebrae, or --detector."
        )
    by_series, unused = annotations.read_vertebrae(found, [item.uid for item in series])
    if not by_series:
        reasons = "\n".join(map(str, unused[:5])) or f"{found[0]}: holds no annotation"
        raise ValueError(f"no annotation belongs to a series below {inputs.input_dir}: {reasons}")
    return by_series, unused


def _match_all(
    studies: Sequence[study_lib.StudyFiles],
    by_series: Mapping[str, vertebrae.Annotation],
    refused: Set[str],
    quarantined: Mapping[str, str],
    detector: str,
) -> tuple[list[_Usable], list[rejection.Rejection]]:
    """The studies that can be used, and why the others cannot."""
    usable, rejected = [], []
    for item in studies:
        try:
            study_lib.check_one_patient(item)
            found = _match(item, by_series, refused, detector)
            if item.uid in quarantined:
                raise rejection.RejectedInput(item.folder, item.uid, quarantined[item.uid])
            subject = max(item.patient_ids) or f"study:{item.uid}"
            usable.append(_Usable(item, found, subject))
        except rejection.RejectedInput as error:
            rejected.append(error.rejection)
    return usable, rejected


def _match(
    item: study_lib.StudyFiles, by_series: Mapping, refused: Set[str], detector: str
) -> study_lib.Match:
    """The series with its annotation; without one if there is none and a detector."""
    if detector == detectors.NONE or any(series.uid in by_series for series in item.series):
        return study_lib.match(item, by_series)
    if any(series.uid in refused for series in item.series):
        raise rejection.RejectedInput(
            item.folder,
            item.uid,
            "the annotation of its vertebrae cannot be used; mend it, or take it out and the"
            " detector finds them",
        )
    choice = study_lib.choose(item)
    return study_lib.Match(
        choice.candidates[0], None, choice, "its vertebrae are left to the detector"
    )


def _with_detector(
    requests: Sequence[dataset_lib.ScanRequest], detector: str
) -> list[dataset_lib.ScanRequest]:
    """The requests; those without annotation name the detector."""
    if all(request.payload.annotation is not None for request in requests):
        return list(requests)
    made = {"detector": detector, "weights": detectors.source(detector)}
    return [
        request
        if request.payload.annotation is not None
        else dataclasses.replace(request, payload=dataclasses.replace(request.payload, **made))
        for request in requests
    ]


def _with_dates(
    usable: Sequence[_Usable],
) -> tuple[list[_Usable], list[rejection.Rejection]]:
    """Drops studies without a date of subjects with several: their order is not known."""
    counts = collections.Counter(item.subject for item in usable)
    reason = "has no StudyDate, and the subject has other studies; give it a date"
    dated, undated = [], []
    for item in usable:
        if item.study.date or counts[item.subject] == 1:
            dated.append(item)
        else:
            undated.append(rejection.Rejection(item.study.folder, item.study.uid, reason))
    return dated, undated


def _requests(
    usable: Sequence[_Usable],
    grades: Mapping[str, annotations.GradingsOfDiscs],
    families: Mapping[str, str],
    key: bytes,
) -> list[dataset_lib.ScanRequest]:
    by_subject = collections.defaultdict(list)
    for item in usable:
        by_subject[item.subject].append(item)
    requests = []
    for subject, found in by_subject.items():
        found.sort(key=lambda item: (item.study.date, item.study.uid))
        for visit, item in enumerate(found):
            days = _days(found[0].study.date, item.study.date)
            graded = grades.get(item.study.uid, {})
            requests.append(_request(item, families[subject], visit, days, graded, key))
    return requests


def _request(
    item: _Usable, family: str, visit: int, days: int, graded, key: bytes
) -> dataset_lib.ScanRequest:
    series = item.match.series
    return dataset_lib.ScanRequest(
        subject_key=deidentify.pseudonym(key, "subject", item.subject),
        family_key=deidentify.pseudonym(key, "family", family),
        scan_key=deidentify.pseudonym(key, "scan", series.uid),
        visit=visit,
        days=days,
        field_strength_t=series.first.field_strength_t,
        gradings=graded,
        path=os.path.dirname(series.paths[0]),
        uid=series.uid,
        payload=Payload(_without_patient(series), item.match.annotation),
        header_facts=series.first.header_facts,
    )


def _without_patient(series: dicom_header.SeriesFiles) -> dicom_header.SeriesFiles:
    return dicom_header.SeriesFiles(tuple(_without_person(item) for item in series.slices))


def _without_person(item: dicom_header.SliceHeader) -> dicom_header.SliceHeader:
    return dataclasses.replace(
        item, patient_id="", study_date="", header_facts={}, person_marks=("", "")
    )


def _days(first: str, date: str) -> int:
    """Days from one YYYYMMDD to another; 0 without dates."""
    if not first or not date:
        return 0
    parsed = [datetime.datetime.strptime(text, "%Y%m%d") for text in (first, date)]
    return (parsed[1] - parsed[0]).days


def _not_needed(
    scan: dicom.FolderScan, usable: Sequence[_Usable], people: identity.People
) -> dict[str, int]:
    counts = collections.Counter({f"files: {k}": n for k, n in scan.not_needed.items()})
    if people.copies:
        counts["studies: a copy of another one, under another PatientID"] = len(people.copies)
    for item in usable:
        for verdict in item.match.choice.verdicts:
            if verdict.reason:
                counts[f"series: {verdict.reason.split(' (')[0]}"] += 1
            elif verdict.series is not item.match.series:
                counts["series: another sagittal T2"] += 1
    return dict(counts)


def _lines(usable: Sequence[_Usable]) -> list[str]:
    lines = []
    for item in usable:
        choice = item.match.choice.lines()
        if len(usable) > _MANY_STUDIES:
            choice = [line for line in choice if line.startswith("chosen")]
        lines += [f"study {item.study.uid}:", *(f"  {line}" for line in choice)]
        lines += [f"  {item.match.note}"] if item.match.note else []
    if any(item.study.patient_ids == {""} for item in usable):  # several are quarantined
        lines.append("One study has no PatientID; it is taken for a subject of its own.")
    return lines
