"""Writes a phantom cohort as DICOM studies, or straight as records."""

import csv
import dataclasses
import datetime
import json
import os
import typing
from collections.abc import Iterator

import numpy as np
import pydicom.uid

from data_prep import annotations, cohort_folder, deidentify, dicom_writer, settings
from spine_tf import files, vertebrae, volume
from spine_tf.phantom import cohort

if typing.TYPE_CHECKING:  # it loads TensorFlow, which the workers that write DICOM do not need
    from data_prep import dataset_lib

STUDIES = "studies"
SETTINGS = "phantom.json"
_FIRST_DATE = datetime.date(1996, 1, 1)


@dataclasses.dataclass(frozen=True)
class Payload:
    """Which visit a worker renders."""

    config: cohort.CohortConfig
    index: int
    visit: int


@dataclasses.dataclass(frozen=True)
class Study:
    """One visit as a DICOM study, without its pixels."""

    payload: Payload
    patient_id: str
    family: str
    date: datetime.date
    days: int
    field_strength_t: float
    gradings: dict[str, dict[str, int]]

    def uid(self, *names: str) -> str:
        """Returns a UID that is the same whenever this cohort is made."""
        keys = [self.patient_id, str(self.payload.visit), *names]
        return str(pydicom.uid.generate_uid(entropy_srcs=[_signature(self.payload.config), *keys]))

    @property
    def series_uid(self) -> str:
        """UID of the sagittal T2 series."""
        return self.uid("T2")

    @property
    def folder(self) -> str:
        """Where it lies below the cohort."""
        return os.path.join(STUDIES, self.patient_id, f"visit-{self.payload.visit}")


def _signature(config: cohort.CohortConfig) -> str:
    """Two cohorts of another seed or other settings share no UID."""
    content = dataclasses.asdict(config)
    content.pop("num_subjects")
    return json.dumps(content, sort_keys=True)


def studies(config: cohort.CohortConfig) -> Iterator[Study]:
    """Yields every visit of every subject, without rendering it."""
    for index in range(config.num_subjects):
        plan = cohort.make_plan(config, index)
        random = np.random.default_rng([config.seed, index])
        first = _FIRST_DATE + datetime.timedelta(days=int(random.integers(0, 2500)))
        for visit, days in enumerate(plan.days):
            yield Study(
                payload=Payload(config, index, visit),
                patient_id=plan.subject_id,
                family=plan.family_id,
                date=first + datetime.timedelta(days=days),
                days=days,
                field_strength_t=plan.field_strengths_t[visit],
                gradings={disc.value: g for disc, g in plan.gradings[visit].items()},
            )


# === DICOM ===


def write_cohort(config: cohort.CohortConfig, output_dir: str, num_processes: int = 1) -> int:
    """Writes studies, vertebrae.json, gradings.csv and families.csv.

    Studies that are there already are kept, so a run that was stopped goes on where it was.

    Args:
        config: The cohort.
        output_dir: Made if missing.
        num_processes: Worker processes.

    Returns:
        The number of studies.

    Raises:
        ValueError: If `num_processes` is not positive or `output_dir` holds another cohort.
    """
    cohort_folder.claim(output_dir, SETTINGS, dataclasses.asdict(config))
    planned = list(studies(config))
    cohort_folder.write_missing(
        write_study,
        {os.path.join(output_dir, study.folder): study for study in planned},
        num_processes,
        unit="study",
        title="studies",
    )
    _write_tables(planned, output_dir)
    return len(planned)


def write_study(study: Study, folder: str) -> None:
    """Renders one visit and writes its series into a folder."""
    payload = study.payload
    visit = cohort.make_visit(payload.config, payload.index, payload.visit)
    for name, scan in (("T2", visit.sagittal_t2), ("T1", visit.sagittal_t1)):
        dicom_writer.write_series(
            os.path.join(folder, name), scan.as_uint16(), scan.affine, _header(study, name)
        )
    localizer = cohort.make_localizer(payload.config, payload.index, payload.visit)
    for plane, (array, affine) in localizer.items():
        dicom_writer.write_series(
            os.path.join(folder, "LOC", plane),
            array.astype(np.uint16),
            affine,
            _header(study, f"LOC {plane}"),
        )


# Series -> number, description, repetition time, echo time in ms, slice thickness in mm.
_SERIES = {
    "LOC SAG": (1, "3-plane localizer", 1500.0, 90.0, 8.0),
    "LOC COR": (2, "3-plane localizer", 1500.0, 90.0, 8.0),
    "LOC AX": (3, "3-plane localizer", 1500.0, 90.0, 8.0),
    "T2": (4, "T2 TSE SAG", 3500.0, 100.0, 4.0),
    "T1": (5, "T1 TSE SAG", 550.0, 12.0, 4.0),
}


def _header(study: Study, name: str) -> dicom_writer.SeriesHeader:
    number, description, repetition_ms, echo_ms, thickness_mm = _SERIES[name]
    is_localizer = name.startswith("LOC")
    return dicom_writer.SeriesHeader(
        patient_id=study.patient_id,
        study_instance_uid=study.uid("study"),
        series_instance_uid=study.uid(name),
        frame_of_reference_uid=study.uid("frame"),
        study_date=study.date.strftime("%Y%m%d"),
        series_number=number,
        series_description=description,
        repetition_time_ms=repetition_ms,
        echo_time_ms=echo_ms,
        inversion_time_ms=None,
        field_strength_t=study.field_strength_t,
        slice_thickness_mm=thickness_mm,
        image_type=("ORIGINAL", "PRIMARY", "LOCALIZER" if is_localizer else "OTHER"),
    )


def _write_tables(planned: list[Study], output_dir: str) -> None:
    """Writes what lies beside the studies."""
    found = [vertebrae.to_json(_annotation(study)) for study in planned]
    files.write_json(os.path.join(output_dir, annotations.VERTEBRAE), found)
    graded = [
        (study.uid("study"), disc, grading, value)
        for study in planned
        for disc, grades in study.gradings.items()
        for grading, value in grades.items()
    ]
    header = ("study_instance_uid", "disc", "grading", "value")
    _write_csv(os.path.join(output_dir, annotations.GRADINGS), header, graded)
    families = sorted({(study.patient_id, study.family) for study in planned})
    _write_csv(os.path.join(output_dir, annotations.FAMILIES), ("patient_id", "family"), families)


def _annotation(study: Study) -> vertebrae.Annotation:
    payload = study.payload
    found = cohort.annotate(payload.config, payload.index, payload.visit)
    return dataclasses.replace(found, series_instance_uid=study.series_uid)


def _write_csv(path: str, header: tuple[str, ...], rows) -> None:
    with files.atomic_write(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


# === Straight to records ===


def scan_requests(config: cohort.CohortConfig, key: bytes) -> list["dataset_lib.ScanRequest"]:
    """Makes the requests that `convert-dicom` would make of the written cohort.

    Args:
        config: The cohort.
        key: Key of the pseudonyms.

    Returns:
        One `dataset_lib.ScanRequest` per visit; it differs only in payload and path.
    """
    from data_prep import dataset_lib

    return [
        dataset_lib.ScanRequest(
            subject_key=deidentify.pseudonym(key, "subject", study.patient_id),
            family_key=deidentify.pseudonym(key, "family", study.family),
            scan_key=deidentify.pseudonym(key, "scan", study.series_uid),
            visit=study.payload.visit,
            days=study.days,
            field_strength_t=study.field_strength_t,
            gradings=study.gradings,
            path=study.folder,
            uid=study.series_uid,
            payload=study.payload,
        )
        for study in studies(config)
    ]


def load(request: "dataset_lib.ScanRequest") -> tuple[volume.Volume, vertebrae.Annotation]:
    """Renders the sagittal T2 volume of one request, in a worker."""
    payload = request.payload
    scan, found = cohort.make_sagittal_t2(payload.config, payload.index, payload.visit)
    return scan, dataclasses.replace(found, series_instance_uid=request.uid)


def write_records(
    config: cohort.CohortConfig, output_dir: str, settings: settings.Settings, key_file: str
) -> "dataset_lib.Report":
    """Writes the records of a cohort without DICOM.

    Args:
        config: The cohort.
        output_dir: Folder of the data set.
        settings: `settings.Settings`.
        key_file: Key of the pseudonyms, made on first use.

    Returns:
        The `dataset_lib.Report`.
    """
    from data_prep import dataset_lib

    key = deidentify.load_or_make_key(key_file, keep=not settings.dry_run)
    requests = scan_requests(config, key)
    return dataset_lib.convert(requests, load, settings, output_dir, source="phantom")


def write_paper_records(
    seed: int, output_dir: str, settings: settings.Settings, key_file: str
) -> "dataset_lib.Report":
    """Writes the records of the paper's cohort with its protocols, see `paper_cohort`.

    Args:
        seed: Seed of the cohort.
        output_dir: Folder of the data set.
        settings: `settings.Settings`.
        key_file: Key of the pseudonyms, made on first use.

    Returns:
        The `dataset_lib.Report`.
    """
    from data_prep import dataset_lib, paper_cohort

    key = deidentify.load_or_make_key(key_file, keep=not settings.dry_run)
    requests = [r for config in paper_cohort.configs(seed) for r in scan_requests(config, key)]
    protocols = paper_cohort.make_protocols(
        ((r.family_key, r.subject_key, r.visit) for r in requests), settings.split_seed
    )
    return dataset_lib.convert(
        requests, load, settings, output_dir, source="phantom", protocols=protocols
    )
