"""What the headers of DICOM files say: one `SliceHeader` per image, one `SeriesFiles` per series.

Nothing here reads pixels.
"""

import dataclasses
import logging
import math
import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pydicom
import pydicom.config
import pydicom.uid

from data_prep import deidentify, dicom_facts, dicom_file, dicom_values, rejection

# pydicom would show values that break the standard, and they may be the patient's.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
logging.getLogger("pydicom").setLevel(logging.ERROR)

_TAGS = (
    "SOPClassUID SOPInstanceUID StudyInstanceUID SeriesInstanceUID FrameOfReferenceUID PatientID"
    " PatientSex PatientBirthDate StudyDate SeriesDate AcquisitionDate Modality ImageType"
    " SeriesDescription ScanningSequence EchoTime RepetitionTime InversionTime"
    " MagneticFieldStrength AcquisitionNumber ImagePositionPatient ImageOrientationPatient"
    " PixelSpacing Rows Columns NumberOfFrames SamplesPerPixel PhotometricInterpretation"
    " SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"
).split()

# Functional groups of enhanced MR whose attributes a single-frame header has at its top.
_GROUPS = (
    "PixelMeasuresSequence PlanePositionSequence PlaneOrientationSequence"
    " FrameContentSequence MREchoSequence MRTimingAndRelatedParametersSequence MRModifierSequence"
    " MRImageFrameTypeSequence PixelValueTransformationSequence"
).split()

_MR_CLASSES = {
    pydicom.uid.MRImageStorage,
    pydicom.uid.EnhancedMRImageStorage,
    pydicom.uid.LegacyConvertedEnhancedMRImageStorage,
}
_DICOM_NAMES = (".dcm", ".dicom", ".ima")


_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")  # a value of type CS


class NotNeeded(Exception):
    """Raised for a file that nobody expects to be a slice of a sagittal T2 series."""


@dataclasses.dataclass(frozen=True)
class SliceHeader:
    """One image: one file, or one frame of a multi-frame file.

    Attributes:
        acquisition: AcquisitionNumber; a series may hold several.
        orientation: Direction cosines of a row, then of a column (ImageOrientationPatient).
        position_mm: Centre of the first voxel, LPS (ImagePositionPatient).
        pixel_spacing_mm: Between rows, between columns.
        has_inversion: Whether the sequence starts with an inversion pulse.
        study_date: YYYYMMDD, or "".
        patient_id: As in the file, never shown; "" if absent.
        header_facts: Name -> class index of the facts that were asked for.
        person_marks: Hashes of sex and birth date, to see whether an id stands for one person;
            never shown, see `deidentify.person_marks`.
    """

    path: str
    frame: int
    sop_instance_uid: str
    series_instance_uid: str
    study_instance_uid: str
    frame_of_reference_uid: str
    patient_id: str = dataclasses.field(repr=False)
    study_date: str = dataclasses.field(repr=False)
    description: str
    image_type: tuple[str, ...]
    echo_time_ms: float | None
    repetition_time_ms: float | None
    inversion_time_ms: float | None
    has_inversion: bool
    field_strength_t: float
    acquisition: int | None
    orientation: tuple[float, ...]
    position_mm: tuple[float, ...]
    pixel_spacing_mm: tuple[float, float]
    rows: int
    columns: int
    header_facts: Mapping[str, int] = dataclasses.field(default_factory=dict, repr=False)
    person_marks: tuple[str, str] = dataclasses.field(default=("", ""), repr=False)

    @property
    def normal(self) -> np.ndarray:
        """[3] unit normal of the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclasses.dataclass(frozen=True)
class ImageHeader:
    """What the header of a single image of any modality tells; see `SliceHeader`."""

    sop_instance_uid: str
    is_colour: bool
    header_facts: Mapping[str, int] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class SeriesFiles:
    """The slices of one series, sorted along their normal whatever the order of the files."""

    slices: tuple[SliceHeader, ...]

    def __post_init__(self):
        normal = self.slices[0].normal
        normal = normal * np.sign(normal[np.argmax(np.abs(normal))])
        by_position = sorted(
            self.slices,
            key=lambda item: (float(np.dot(normal, item.position_mm)), item.sop_instance_uid),
        )
        object.__setattr__(self, "slices", tuple(by_position))

    @property
    def first(self) -> SliceHeader:
        """The first slice; what a whole series shares is read from it."""
        return self.slices[0]

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return self.first.series_instance_uid

    @property
    def paths(self) -> tuple[str, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(item.path for item in self.slices))

    @property
    def is_mixed(self) -> bool:
        """Whether the slices have more than one orientation."""
        first = np.asarray(self.first.orientation)
        return any(
            np.abs(first - item.orientation).max() > dicom_values.SAME_DIRECTION
            for item in self.slices
        )

    @property
    def tilt_deg(self) -> float:
        """Angle between the normal and the patient's x axis; 0 is sagittal, 90 is not."""
        cosine = abs(float(self.first.normal[0]))
        return math.degrees(math.acos(min(cosine, 1.0)))

    @property
    def fov_mm(self) -> tuple[float, float]:
        """In-plane field of view: height, width."""
        row_mm, column_mm = self.first.pixel_spacing_mm
        return self.first.rows * row_mm, self.first.columns * column_mm


def read_headers(path: str, facts: Sequence[str] = ()) -> list[SliceHeader]:
    """Reads the header of a file, without its pixels.

    Args:
        path: Any file.
        facts: Which of `spine_tf.header_facts.FACTS` to read.

    Returns:
        One header per frame; one for a single-frame file.

    Raises:
        NotNeeded: If the file is not DICOM, or is no MR image.
        rejection.RejectedInput: If it is an MR image, or calls itself DICOM, and is broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = _read_dataset(path, facts)
        _check_is_mr_image(dataset, path)
        try:
            headers = _slice_headers(dataset, path)
            known = _header_facts(dataset, facts)
        except Exception as error:  # pydicom reads sequences on access, and raises nearly anything
            # Only our own words: others may show a value of the patient.
            is_ours = isinstance(error, dicom_values.BrokenHeader)
            what = error if is_ours else type(error).__name__
            raise rejection.RejectedInput(
                path,
                dicom_values.text(dataset, "SOPInstanceUID"),
                f"the header of this MR image is broken: {what}; export the file again",
            ) from None
    return [dataclasses.replace(header, header_facts=known) for header in headers]


def read_image_header(path: str, facts: Sequence[str] = ()) -> ImageHeader:
    """Reads the header of a DICOM image of any modality, without its pixels.

    Raises:
        NotNeeded: If the file is not DICOM.
        rejection.RejectedInput: If it is broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = _read_dataset(path, facts)
        return ImageHeader(
            sop_instance_uid=dicom_values.text(dataset, "SOPInstanceUID"),
            is_colour=(dicom_values.number(dataset, "SamplesPerPixel") or 1) > 1
            or dicom_values.text(dataset, "PhotometricInterpretation") == "PALETTE COLOR",
            header_facts=_header_facts(dataset, facts),
        )


def _header_facts(dataset: pydicom.Dataset, facts: Sequence[str]) -> dict[str, int]:
    return dicom_facts.read(
        lambda name: dicom_values.text(dataset, name), dicom_values.study_date(dataset), facts
    )


def frame_dataset(dataset: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """Returns the data set with the functional groups of one frame laid over its top level.

    Source: DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups).
    """
    flat = pydicom.Dataset()
    flat.update(dataset)
    for groups in _frame_groups(dataset, frame):
        for keyword in _GROUPS:
            for item in groups.get(keyword, None) or []:
                flat.update(item)
    return flat


def _frame_groups(dataset: pydicom.Dataset, frame: int) -> list[pydicom.Dataset]:
    """The shared functional groups, then those of the frame."""
    shared = dataset.get("SharedFunctionalGroupsSequence", None) or []
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence", None) or []
    return [*shared[:1], *per_frame[frame : frame + 1]]


def _read_dataset(path: str, facts: Sequence[str]) -> pydicom.Dataset:
    """The header, or NotNeeded, or RejectedInput."""
    _check_starts_as_dicom(path)
    try:
        tags = [*_TAGS, *(tag for name in facts for tag in dicom_facts.TAGS[name])]
        dataset = dicom_file.read(path, stop_before_pixels=True, specific_tags=tags)
        dataset.get("SOPClassUID")
        return dataset
    except Exception as error:  # A broken file makes pydicom raise nearly anything.
        raise rejection.RejectedInput(
            path,
            "",
            f"cannot be read as DICOM ({type(error).__name__}); export the file again",
        ) from None


def _check_starts_as_dicom(path: str) -> None:
    try:
        if not dicom_file.is_regular(path):
            raise NotNeeded("no regular file")
        if dicom_file.looks_like_dicom(path):
            return
    except OSError as error:
        raise rejection.RejectedInput(
            path, "", f"cannot be opened ({type(error).__name__}); let it be read"
        ) from None
    if path.lower().endswith(_DICOM_NAMES):
        raise rejection.RejectedInput(
            path, "", "is named as DICOM and does not start as DICOM; export the file again"
        )
    raise NotNeeded("not DICOM")


def _check_is_mr_image(dataset: pydicom.Dataset, path: str) -> None:
    classes = {
        dicom_values.text(dataset, "SOPClassUID"),
        dicom_values.text(dataset.file_meta, "MediaStorageSOPClassUID"),
    }
    if pydicom.uid.MediaStorageDirectoryStorage in classes:
        raise NotNeeded("DICOMDIR")
    modality = dicom_values.text(dataset, "Modality")
    if classes & _MR_CLASSES and modality in ("", "MR"):
        return
    if not modality:
        raise rejection.RejectedInput(
            path, "", "is DICOM without Modality, perhaps cut off; export the file again"
        )
    raise NotNeeded(f"no MR image ({modality if _CODE.fullmatch(modality) else 'other'})")


def _slice_headers(dataset: pydicom.Dataset, path: str) -> list[SliceHeader]:
    count = int(dicom_values.number(dataset, "NumberOfFrames") or 1)
    described = len(dataset.get("PerFrameFunctionalGroupsSequence", None) or [])
    if count != max(described, 1):
        raise dicom_values.BrokenHeader(
            f"NumberOfFrames is {count} and {described} frames are described"
        )
    if not described:
        return [_slice_header(dataset, path, 0)]
    return [_slice_header(frame_dataset(dataset, i), path, i) for i in range(count)]


def _pixel_spacing_mm(dataset: pydicom.Dataset) -> tuple[float, float]:
    row_mm, column_mm = dicom_values.positive(dataset, "PixelSpacing", 2)
    return row_mm, column_mm


def _slice_header(dataset: pydicom.Dataset, path: str, frame: int) -> SliceHeader:
    inversion_time_ms = dicom_values.number(dataset, "InversionTime") or dicom_values.number(
        dataset, "InversionTimes"
    )
    return SliceHeader(
        path=path,
        frame=frame,
        sop_instance_uid=dicom_values.uid(dataset, "SOPInstanceUID"),
        series_instance_uid=dicom_values.uid(dataset, "SeriesInstanceUID"),
        study_instance_uid=dicom_values.uid(dataset, "StudyInstanceUID"),
        frame_of_reference_uid=dicom_values.text(dataset, "FrameOfReferenceUID"),
        patient_id=dicom_values.patient_id(dataset),
        study_date=dicom_values.study_date(dataset),
        description=dicom_values.text(dataset, "SeriesDescription"),
        image_type=dicom_values.texts(dataset, "ImageType")
        + dicom_values.texts(dataset, "FrameType"),
        echo_time_ms=dicom_values.number(dataset, "EchoTime")
        or dicom_values.number(dataset, "EffectiveEchoTime"),
        repetition_time_ms=dicom_values.number(dataset, "RepetitionTime"),
        inversion_time_ms=inversion_time_ms,
        has_inversion=bool(inversion_time_ms)
        or "IR" in dicom_values.texts(dataset, "ScanningSequence")
        or dicom_values.text(dataset, "InversionRecovery") == "YES",
        field_strength_t=dicom_values.number(dataset, "MagneticFieldStrength") or 0.0,
        acquisition=dicom_values.integer(dataset, "AcquisitionNumber")
        or dicom_values.integer(dataset, "FrameAcquisitionNumber"),
        orientation=dicom_values.orientation(dataset),
        position_mm=dicom_values.numbers(dataset, "ImagePositionPatient", 3),
        pixel_spacing_mm=_pixel_spacing_mm(dataset),
        rows=dicom_values.size(dataset, "Rows"),
        columns=dicom_values.size(dataset, "Columns"),
        person_marks=deidentify.person_marks(
            dicom_values.text(dataset, "PatientSex"), dicom_values.text(dataset, "PatientBirthDate")
        ),
    )
