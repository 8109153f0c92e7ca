"""The one reader and writer of DICOM images."""

import collections
import dataclasses
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pydicom
import pydicom.pixels
import pydicom.uid

from data_prep import dicom_header, rejection, series_geometry
from spine_tf import geometry, volume


@dataclasses.dataclass(frozen=True)
class FolderScan:
    """What lies below a folder, read from headers only.

    Attributes:
        series: Every MR series, sorted by study and series UID.
        rejections: Files that should have been usable and are not.
        num_files: All files, DICOM or not.
        not_needed: Reason -> number of files that are no MR image.
    """

    series: list[dicom_header.SeriesFiles]
    rejections: list[rejection.Rejection]
    num_files: int
    not_needed: Mapping[str, int]


def list_files(folder: str) -> list[str]:
    """Returns every file below `folder`, sorted.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: there is no such folder.")
    return sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)


def scan_folder(
    folder: str,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
    facts: Sequence[str] = (),
) -> FolderScan:
    """Reads the header of every file below a folder and groups them into series.

    Args:
        folder: Where to look, at any depth; file names and extensions do not matter.
        progress: Wraps the list of paths, for example in a progress bar.
        facts: Which of `spine_tf.header_facts.FACTS` to read.

    Returns:
        The series and what was not used. Nothing is raised for a single broken file.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    slices, rejections, not_needed = [], [], collections.Counter()
    paths = list_files(folder)
    for path in progress(paths):
        try:
            slices.extend(dicom_header.read_headers(path, facts))
        except dicom_header.NotNeeded as reason:
            not_needed[str(reason)] += 1
        except rejection.RejectedInput as error:
            rejections.append(error.rejection)
    return FolderScan(_group(slices), rejections, len(paths), dict(not_needed))


def _group(slices: Iterable[dicom_header.SliceHeader]) -> list[dicom_header.SeriesFiles]:
    """One SeriesFiles per series; several echoes of one series are told apart by echo time."""
    by_series = collections.defaultdict(list)
    for item in slices:
        by_series[item.study_instance_uid, item.series_instance_uid].append(item)
    grouped = []
    for uids in sorted(by_series):
        found = by_series[uids]
        positions = {(item.position_mm, item.orientation) for item in found}
        echoes = sorted({item.echo_time_ms or 0.0 for item in found})
        if len(positions) * len(echoes) == len(found):
            for echo in echoes:
                same = tuple(item for item in found if (item.echo_time_ms or 0.0) == echo)
                grouped.append(dicom_header.SeriesFiles(same))
        else:
            grouped.append(dicom_header.SeriesFiles(tuple(found)))
    return grouped


def read_volume(series: dicom_header.SeriesFiles) -> volume.Volume:
    """Reads the pixels of a series into canonical orientation.

    Args:
        series: Slices in any order.

    Returns:
        The volume, after RescaleSlope and RescaleIntercept, low values dark.

    Raises:
        rejection.RejectedInput: If the slices are not one even, complete stack, or a file
            cannot be decoded.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """
    affine = series_geometry.series_affine(series)
    pixels = {path: read_pixels(path) for path in series.paths}
    array = np.stack([pixels[item.path][item.frame] for item in series.slices])
    return volume.Volume.from_array(array, affine)


def read_pixels(path: str) -> np.ndarray:
    """Reads the pixels of one file.

    Args:
        path: A DICOM file in any transfer syntax that an installed decoder reads.

    Returns:
        [frames, rows, columns] float32, after rescaling, low values dark (MONOCHROME1 inverted).

    Raises:
        rejection.RejectedInput: If the file cannot be decoded, or has more than one channel.
    """
    return _decoded(path, _decode)


def read_image(path: str) -> np.ndarray:
    """Reads the pixels of one file with one image, of any modality.

    Args:
        path: A DICOM file in any transfer syntax that an installed decoder reads.

    Returns:
        [rows, columns] float32 as `read_pixels`, or [rows, columns, 3] of a colour image (red,
        green, blue).

    Raises:
        rejection.RejectedInput: If the file cannot be decoded, or holds several frames.
    """
    return _decoded(path, _decode_image)


def _decoded(path: str, decode: Callable[[pydicom.Dataset], np.ndarray]) -> np.ndarray:
    uid = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset = pydicom.dcmread(path, force=True)
            uid = str(dataset.get("SOPInstanceUID", ""))
            return decode(dataset)
    except Exception as error:  # Decoders raise nearly anything for a broken file.
        raise rejection.RejectedInput(path, uid or _uid(path), _why(error, uid)) from error


def _why(error: Exception, uid: str) -> str:
    if not uid:  # pydicom gives up on a compressed file that ends early
        return "its pixels cannot be read, the file is cut off; export the file again"
    return (
        f"its pixels cannot be read ({type(error).__name__}: {_first_line(error)}); export the"
        " file again"
    )


def _uid(path: str) -> str:
    """SOPInstanceUID by the header alone, which a file that is cut off still has."""
    try:
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        return str(header.get("SOPInstanceUID", ""))
    except Exception:  # the file is reported anyway
        return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _decode(dataset: pydicom.Dataset) -> np.ndarray:
    """[frames, rows, columns] float32 of a whole data set."""
    if dataset.SamplesPerPixel != 1:
        raise ValueError(f"SamplesPerPixel is {dataset.SamplesPerPixel}, a grey image has 1")
    if not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"):
        raise ValueError("PhotometricInterpretation is not MONOCHROME1 or MONOCHROME2")
    stored = _stored_values(dataset)
    stored = stored.reshape((-1, *stored.shape[-2:]))
    count = int(dataset.get("NumberOfFrames", None) or 1)
    if len(stored) != count:
        raise ValueError(f"{len(stored)} frames of pixels, and the header tells of {count}")
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        signed = dataset.PixelRepresentation == 1
        stored = (-1 if signed else 2**dataset.BitsStored - 1) - stored
    return np.stack(
        [
            _rescale(frame, dicom_header.frame_dataset(dataset, index))
            for index, frame in enumerate(stored)
        ]
    )


def _decode_image(dataset: pydicom.Dataset) -> np.ndarray:
    count = int(dataset.get("NumberOfFrames", None) or 1)
    if count > 1:
        raise ValueError(f"it holds {count} frames; give one file for each image")
    if dataset.SamplesPerPixel == 3:
        return pydicom.pixels.pixel_array(dataset).astype(np.float32)  # YBR becomes RGB
    return _decode(dataset)[0]


def _stored_values(dataset: pydicom.Dataset) -> np.ndarray:
    """The stored values as int64, without what else lies in their bits (old overlays)."""
    stored = dataset.pixel_array.astype(np.int64)
    shift = 64 - dataset.BitsStored
    if dataset.PixelRepresentation == 1:
        return (stored << shift) >> shift
    return stored & (2**dataset.BitsStored - 1)


def _rescale(frame: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    slope = float(dataset.get("RescaleSlope", None) or 1)
    intercept = float(dataset.get("RescaleIntercept", None) or 0)
    return (frame * slope + intercept).astype(np.float32)


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
