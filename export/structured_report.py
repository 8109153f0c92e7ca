"""The grades of a study as a DICOM Structured Report, the one output that names the patient.

It belongs to the study: same StudyInstanceUID, same patient and study modules. Template TID 1500
(Measurement Report) with one measurement group (TID 1501) per disc. Each run makes a new instance;
a disc keeps its tracking UID.

Source: DICOM PS3.16 TID 1500, 1501, 4019; PS3.3 A.35.3 (Comprehensive SR IOD).
"""

import warnings
from collections.abc import Sequence

import pydicom
import pydicom.uid

import spine_tf
from data_prep import archive, dicom_file, dicom_header
from export import report, structured_report_codes, table
from spine_tf import files, levels

_OWNER_ONLY = 0o600
_SERIES_NUMBER = 9900  # of the report; unlike those of scanners
_NAME, _MANUFACTURER = "spine_tf grade", "spine_tf"
# Attributes of the patient and the study that the report shares: those that must be there, empty
# if unknown (type 2), and those that may.
_TYPE_2 = (
    "PatientID PatientName PatientBirthDate PatientSex AccessionNumber StudyID StudyDate StudyTime"
    " ReferringPhysicianName"
).split()
_OPTIONAL = (
    "SpecificCharacterSet IssuerOfPatientID IssuerOfPatientIDQualifiersSequence OtherPatientIDs"
    " OtherPatientIDsSequence PatientBirthTime PatientAge PatientSize PatientWeight EthnicGroup"
    " PatientSpeciesDescription PatientIdentityRemoved DeidentificationMethod"
    " DeidentificationMethodCodeSequence StudyDescription ProcedureCodeSequence"
    " IssuerOfAccessionNumberSequence ReferencedStudySequence"
).split()
_REMEDY = "pip install 'spine-tf[report]'"


def check_installed() -> None:
    """Checks that highdicom is there.

    Raises:
        ImportError: If it is not; the message says how to install it.
    """
    _highdicom()


def _highdicom():
    try:
        import highdicom
    except ImportError:
        raise ImportError(
            f"a structured report is written with highdicom, which is not installed; {_REMEDY}."
        ) from None
    return highdicom


def write(content: report.Content, path: str) -> None:
    """Writes the report of a graded study, readable by its owner only.

    Args:
        content: What was found; with at least one disc.
        path: The DICOM file; written whole or not at all.

    Raises:
        ImportError: If highdicom is not installed.
        ValueError: If the headers of the series do not allow one; the message names the series.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they, and errors, may show a value of the patient
        try:
            made = _document(content, _headers(content.series))
            with files.atomic_write(path, "wb", permissions=_OWNER_ONLY) as file:
                made.save_as(file, enforce_file_format=True)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(
                f"{content.series.uid}: its headers do not allow a structured report"
                f" ({type(error).__name__}); export the study again, or leave it out."
            ) from None


def _headers(series: dicom_header.SeriesFiles) -> list[pydicom.Dataset]:
    """The headers of the files of the graded series."""
    with archive.local_series(series) as local:
        paths = dict.fromkeys(local.paths)
        return [dicom_file.read(path, stop_before_pixels=True) for path in paths]


def _without_patient(header: pydicom.Dataset) -> pydicom.Dataset:
    """A copy without what highdicom would check: a report is due also of odd values."""
    bare = pydicom.Dataset()
    bare.update(header)
    for keyword in (*_TYPE_2, *_OPTIONAL):
        if keyword in bare:
            del bare[keyword]
    for keyword in _TYPE_2:
        setattr(bare, keyword, "")
    return bare


def _take_patient(made: pydicom.Dataset, header: pydicom.Dataset) -> None:
    """Copies patient and study as they are in the study."""
    for keyword in (*_TYPE_2, *_OPTIONAL):
        if keyword in header:
            made[keyword] = header[keyword]


def _document(content: report.Content, headers: Sequence[pydicom.Dataset]) -> pydicom.Dataset:
    hd = _highdicom()
    evidence = [_without_patient(header) for header in headers]
    found = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=_observer(content)),
        procedure_reported=_concept(structured_report_codes.PROCEDURE),
        imaging_measurements=[_group(content, disc, evidence) for disc in content.discs],
    )
    made = hd.sr.ComprehensiveSR(
        evidence=evidence,
        content=found[0],
        series_instance_uid=hd.UID(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=_MANUFACTURER,
        manufacturer_model_name=_NAME,
        software_versions=spine_tf.__version__,
        series_description="Graded lumbar discs, research only",
        is_complete=True,
        is_verified=False,
    )
    made.CodingSchemeIdentificationSequence = [_private_scheme()]
    _take_patient(made, headers[0])
    return made


def _private_scheme() -> pydicom.Dataset:
    scheme = pydicom.Dataset()
    scheme.CodingSchemeDesignator = structured_report_codes.PRIVATE
    scheme.CodingSchemeName = structured_report_codes.PRIVATE_NAME
    scheme.CodingSchemeVersion = spine_tf.__version__
    return scheme


def _observer(content: report.Content):
    """The model as a device; its UID is that of its weights."""
    hd = _highdicom()
    weights = content.info["weights_sha256"]
    attributes = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=pydicom.uid.generate_uid(entropy_srcs=["spine_tf model", weights]),
        name=_NAME,
        manufacturer_name=_MANUFACTURER,
        model_name=f"{content.info['task']['name']} {content.model_version}",
    )
    return hd.sr.ObserverContext(
        observer_type=_concept(structured_report_codes.DEVICE),
        observer_identifying_attributes=attributes,
    )


def _group(content: report.Content, disc: report.Disc, evidence: Sequence[pydicom.Dataset]):
    """One disc: where it is, what its grades are, by which model and from which images."""
    hd = _highdicom()
    entropy = ["spine_tf disc", content.study_instance_uid, disc.level]
    return hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=pydicom.uid.generate_uid(entropy_srcs=entropy), identifier=f"disc {disc.level}"
        ),
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=_NAME,
            version=content.model_version,
            family=_concept(structured_report_codes.FAMILY),
            manufacturer=_MANUFACTURER,
            parameters=[f"spine_tf {spine_tf.__version__}", report.NOTICE],
        ),
        finding_sites=[
            hd.sr.FindingSite(_concept(structured_report_codes.disc(levels.DiscLevel(disc.level))))
        ],
        measurements=_measurements(disc),
        qualitative_evaluations=_evaluations(disc),
        source_images=[
            hd.sr.SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID)
            for image in evidence
        ],
    )


def _measurements(disc: report.Disc) -> list:
    found = []
    for grade in disc.grades:
        name = grade.grading.name
        best = grade.probabilities[grade.grade]
        found.append(_measurement(structured_report_codes.expected(name), grade.expected_grade))
        found.append(_measurement(structured_report_codes.probability(name), best))
    if disc.distance is not None:
        found.append(_measurement(structured_report_codes.DISTANCE, disc.distance))
    return found


def _measurement(code: structured_report_codes.Code, value: float):
    unit = _concept(structured_report_codes.NO_UNITS)
    return _highdicom().sr.Measurement(name=_concept(code), value=round(value, 6), unit=unit)


def _evaluations(disc: report.Disc) -> list:
    found = [item for grade in disc.grades for item in _of_grade(grade)]
    calibrated = all(grade.uncertain is not None for grade in disc.grades)
    found.append(_yes_no(structured_report_codes.CALIBRATED, calibrated))
    if disc.is_outlier is not None:
        found.append(_yes_no(structured_report_codes.OUTLIER, disc.is_outlier))
    return found


def _of_grade(grade: table.Grade) -> list:
    name = grade.grading.name
    found = [
        _evaluation(
            structured_report_codes.grading(name), structured_report_codes.grade(name, grade.grade)
        ),
        _yes_no(structured_report_codes.was_graded(name), grade.was_graded),
    ]
    if grade.uncertain is not None:
        found.append(_yes_no(structured_report_codes.uncertain(name), grade.uncertain))
    return found


def _yes_no(name: structured_report_codes.Code, value: bool):
    return _evaluation(name, structured_report_codes.YES if value else structured_report_codes.NO)


def _evaluation(name: structured_report_codes.Code, value: structured_report_codes.Code):
    return _highdicom().sr.QualitativeEvaluation(name=_concept(name), value=_concept(value))


def _concept(code: structured_report_codes.Code):
    return _highdicom().sr.CodedConcept(code.value, code.scheme, code.meaning)
