"""The one writer of DICOM images: a series of MR slices."""

import dataclasses
import os

import numpy as np
import pydicom
import pydicom.uid

from spine_tf import geometry


@dataclasses.dataclass(frozen=True)
class SeriesHeader:
    """What `write_series` puts into every file of one series, in DICOM's own words and units."""

    patient_id: str
    study_instance_uid: str
    series_instance_uid: str
    frame_of_reference_uid: str
    study_date: str
    series_number: int
    series_description: str
    repetition_time_ms: float
    echo_time_ms: float
    inversion_time_ms: float | None
    field_strength_t: float
    slice_thickness_mm: float
    manufacturer: str = "Phantom"
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "OTHER")


def write_series(
    folder: str, array: np.ndarray, affine: np.ndarray, header: SeriesHeader
) -> list[str]:
    """Writes one MR series, one uncompressed file per slice, `IM-0001.dcm` and so on.

    Args:
        folder: Where the files go; made if absent.
        array: [slices, rows, columns] uint16 voxels.
        affine: [4, 4] from the index of exactly that array to DICOM patient mm (LPS).
        header: What all files share.

    Returns:
        The paths, in the order of the slices.

    Raises:
        ValueError: If the voxels are not uint16 [slices, rows, columns].

    Source: DICOM PS3.3 A.4 (MR Image IOD).
    """
    if np.ndim(array) != 3 or array.dtype != np.uint16:
        raise ValueError(
            "`array` must be uint16 [slices, rows, columns], got"
            f" {array.dtype} of shape {np.shape(array)}."
        )
    os.makedirs(folder, exist_ok=True)
    paths = []
    for index, pixels in enumerate(array):
        dataset = _slice_dataset(pixels, np.asarray(affine, np.float64), index, header)
        paths.append(os.path.join(folder, f"IM-{index + 1:04d}.dcm"))
        _save(dataset, paths[-1])
    return paths


def _save(dataset: pydicom.Dataset, path: str) -> None:
    temporary = f"{path}.tmp-{os.getpid()}"
    dataset.save_as(temporary, enforce_file_format=True)
    os.replace(temporary, path)


def _decimals(values) -> list[str]:
    """Decimal strings of at most the 16 characters that DICOM allows."""
    return [f"{value:.9g}" for value in np.ravel(values)]


def _slice_dataset(
    pixels: np.ndarray, affine: np.ndarray, index: int, header: SeriesHeader
) -> pydicom.Dataset:
    """The whole data set of one slice."""
    dataset = pydicom.Dataset()
    _add_identity(dataset, index, header)
    _add_acquisition(dataset, header)
    _add_plane(dataset, affine, index)
    _add_pixels(dataset, pixels)
    return dataset


def _add_identity(dataset: pydicom.Dataset, index: int, header: SeriesHeader) -> None:
    """Patient, study, series and instance."""
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = pydicom.uid.MRImageStorage
    dataset.SOPInstanceUID = pydicom.uid.generate_uid(
        entropy_srcs=[header.series_instance_uid, str(index)]
    )
    dataset.PatientName = ""
    dataset.PatientID = header.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = ""
    dataset.StudyInstanceUID = header.study_instance_uid
    dataset.StudyDate = header.study_date
    dataset.StudyTime = ""
    dataset.StudyID = ""
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.SeriesInstanceUID = header.series_instance_uid
    dataset.SeriesNumber = header.series_number
    dataset.SeriesDescription = header.series_description
    dataset.FrameOfReferenceUID = header.frame_of_reference_uid
    dataset.PositionReferenceIndicator = ""
    dataset.InstanceNumber = index + 1


def _add_acquisition(dataset: pydicom.Dataset, header: SeriesHeader) -> None:
    """How the scanner made it."""
    dataset.Modality = "MR"
    dataset.Manufacturer = header.manufacturer
    dataset.ImageType = list(header.image_type)
    inverted = header.inversion_time_ms is not None
    dataset.ScanningSequence = ["SE", "IR"] if inverted else "SE"
    dataset.SequenceVariant = "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = _decimals(header.repetition_time_ms)[0]
    dataset.EchoTime = _decimals(header.echo_time_ms)[0]
    dataset.EchoTrainLength = "1"
    if inverted:
        dataset.InversionTime = _decimals(header.inversion_time_ms)[0]
    dataset.MagneticFieldStrength = _decimals(header.field_strength_t)[0]
    dataset.SliceThickness = _decimals(header.slice_thickness_mm)[0]


def _add_plane(dataset: pydicom.Dataset, affine: np.ndarray, index: int) -> None:
    """Where the slice lies: DICOM PS3.3 C.7.6.2."""
    slice_mm, row_mm, column_mm = geometry.spacing_mm(affine)
    row_direction = affine[:3, 2] / column_mm
    column_direction = affine[:3, 1] / row_mm
    dataset.ImagePositionPatient = _decimals(geometry.to_patient(affine, [index, 0, 0]))
    dataset.ImageOrientationPatient = _decimals([row_direction, column_direction])
    dataset.PixelSpacing = _decimals([row_mm, column_mm])
    dataset.SpacingBetweenSlices = _decimals(slice_mm)[0]


def _add_pixels(dataset: pydicom.Dataset, pixels: np.ndarray) -> None:
    """16 unsigned bits, dark is low."""
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.PixelData = np.ascontiguousarray(pixels, "<u2").tobytes()
