"""The one reader of DICOM images."""

import collections
import dataclasses
import filecmp
import functools
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pydicom
import pydicom.encaps
import pydicom.pixels
import pydicom.uid

from data_prep import (
    codestream,
    dicom_file,
    dicom_header,
    rejection,
    series_geometry,
    series_stacks,
    tfio_pixels,
)
from spine_tf import volume

MAX_PIXELS = 2**27  # of one file, 256 MiB at 16 bits
_SAFE_DECODERS = {  # where pydicom's first choice does not bear broken pixels
    pydicom.uid.RLELossless: "pydicom",  # pylibjpeg-rle panics, which is no Exception
    pydicom.uid.JPEGLSLossless: "gdcm",  # pyjpegls takes minutes
    pydicom.uid.JPEGLSNearLossless: "gdcm",
}


@dataclasses.dataclass(frozen=True)
class FolderScan:
    """What lies below a folder, read from headers only.

    Attributes:
        series: Every MR series, sorted by study and series UID; several stacks of one series
            (echoes, acquisitions) are told apart.
        rejections: Files that should have been usable and are not; of a whole series, one.
        num_files: All files, DICOM or not.
        unused: Path of each file that is no MR image or a copy of one -> why.
        rejected: Path of each file of `rejections` -> why.
    """

    series: list[dicom_header.SeriesFiles]
    rejections: list[rejection.Rejection]
    num_files: int
    unused: Mapping[str, str]
    rejected: Mapping[str, str]

    @property
    def not_needed(self) -> dict[str, int]:
        """Reason -> number of files in `unused`."""
        return dict(collections.Counter(self.unused.values()))


def list_files(folder: str) -> list[str]:
    """Returns every file below `folder`, sorted; links to folders are not followed.

    Raises:
        FileNotFoundError: If there is no such folder.
        OSError: If a folder cannot be listed: nobody would know what is missing.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{folder}: there is no such folder.")
    walk = os.walk(folder, onerror=_not_listed)
    return sorted(os.path.join(root, name) for root, _, names in walk for name in names)


def _not_listed(error: OSError) -> None:
    raise error


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
    slices, rejections, unused = [], [], {}
    paths = list_files(folder)
    for path in progress(paths):
        try:
            slices.extend(dicom_header.read_headers(path, facts))
        except dicom_header.NotNeeded as reason:
            unused[path] = str(reason)
        except rejection.RejectedInput as error:
            rejections.append(error.rejection)
    rejected = {item.path: item.reason for item in rejections}
    found = series_stacks.group(slices, is_same_image)
    return FolderScan(
        found.series,
        rejections + found.rejections,
        len(paths),
        {**unused, **found.unused},
        {**rejected, **found.rejected},
    )


def is_same_image(path: str, other: str) -> bool:
    """Says whether two files hold the same pixels; how they are encoded does not matter.

    Raises:
        rejection.RejectedInput: If they differ, and one of them cannot be decoded.
    """
    if filecmp.cmp(path, other, shallow=False):
        return True
    return np.array_equal(read_pixels(path), read_pixels(other))


def read_volume(
    series: dicom_header.SeriesFiles, decoder: str = tfio_pixels.PYDICOM
) -> volume.Volume:
    """Reads the pixels of a series into canonical orientation.

    Args:
        series: Slices in any order.
        decoder: One of `tfio_pixels.DECODERS`.

    Returns:
        The volume, after RescaleSlope and RescaleIntercept, low values dark.

    Raises:
        rejection.RejectedInput: If the slices are not one even, complete stack, or a file
            cannot be decoded.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """
    affine = series_geometry.series_affine(series)
    pixels = {path: read_pixels(path, decoder) for path in series.paths}
    array = np.stack([pixels[item.path][item.frame] for item in series.slices])
    return volume.Volume.from_array(array, affine)


def read_pixels(path: str, decoder: str = tfio_pixels.PYDICOM) -> np.ndarray:
    """Reads the pixels of one file.

    Args:
        path: A DICOM file in any transfer syntax that an installed decoder reads.
        decoder: One of `tfio_pixels.DECODERS`; both give the same.

    Returns:
        [frames, rows, columns] float32, after rescaling, low values dark (MONOCHROME1 inverted).

    Raises:
        rejection.RejectedInput: If the file cannot be decoded, or has more than one channel.
    """
    return _decoded(path, functools.partial(_decode, decoder=decoder))


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = dicom_file.read(path)
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
        header = dicom_file.read(path, stop_before_pixels=True)
        return str(header.get("SOPInstanceUID", ""))
    except Exception:  # the file is reported anyway
        return ""


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _decode(dataset: pydicom.Dataset, decoder: str = tfio_pixels.PYDICOM) -> np.ndarray:
    """[frames, rows, columns] float32 of a whole data set."""
    if dataset.SamplesPerPixel != 1:
        raise ValueError(f"SamplesPerPixel is {dataset.SamplesPerPixel}, a grey image has 1")
    if not str(dataset.PhotometricInterpretation).startswith("MONOCHROME"):
        raise ValueError("PhotometricInterpretation is not MONOCHROME1 or MONOCHROME2")
    _check_layout(dataset)
    read = tfio_pixels.stored_values if decoder == tfio_pixels.TFIO else _stored_values
    stored = read(dataset)
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
    is_palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
    if not is_palette and dataset.SamplesPerPixel != 3:
        return _decode(dataset)[0]
    _check_size(dataset)
    pixels = _pixels(dataset)  # YBR becomes RGB
    if is_palette:
        pixels = pydicom.pixels.apply_color_lut(pixels, dataset)
    return pixels.astype(np.float32)


def _stored_values(dataset: pydicom.Dataset) -> np.ndarray:
    """The stored values as int32 or int64, without what else lies in their bits (old overlays)."""
    stored_bits = dataset.BitsStored
    # Twice the room: an unsigned value has no sign bit.
    room = 32 if dataset.BitsAllocated <= 16 else 64
    stored = _pixels(dataset).astype(f"int{room}") >> _low_bit(dataset)
    if dataset.PixelRepresentation == 1:
        return (stored << (room - stored_bits)) >> (room - stored_bits)
    return stored & (2**stored_bits - 1)


def _low_bit(dataset: pydicom.Dataset) -> int:
    return int(dataset.get("HighBit", dataset.BitsStored - 1)) + 1 - dataset.BitsStored


def _check_layout(dataset: pydicom.Dataset) -> None:
    """Raises before a decoder makes anything of a header that cannot be."""
    allocated, stored, low_bit = dataset.BitsAllocated, dataset.BitsStored, _low_bit(dataset)
    if not (0 < stored and 0 <= low_bit and low_bit + stored <= allocated):
        high_bit = dataset.get("HighBit")
        raise ValueError(
            f"BitsAllocated, BitsStored, HighBit are {allocated}, {stored}, {high_bit}"
        )
    _check_size(dataset)


def _pixels(dataset: pydicom.Dataset) -> np.ndarray:
    """What pydicom's decoders give."""
    plugin = _SAFE_DECODERS.get(dataset.file_meta.TransferSyntaxUID, "")
    # `_stored_values` takes the bits that HighBit tells of; pydicom would keep the lowest ones.
    return pydicom.pixels.pixel_array(dataset, decoding_plugin=plugin, correct_unused_bits=False)


def _check_size(dataset: pydicom.Dataset) -> None:
    """Raises before a decoder makes room for what a broken header tells of."""
    count = int(dataset.get("NumberOfFrames", None) or 1)
    rows, columns = dataset.Rows, dataset.Columns
    if not 0 < count * rows * columns * dataset.SamplesPerPixel <= MAX_PIXELS:
        raise ValueError(f"{count} frames of {rows}x{columns} pixels; at most {MAX_PIXELS} pixels")
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    frames = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=count)
    for frame in itertools.islice(frames, count):
        size = codestream.size(frame)
        if size not in (None, (rows, columns)):
            raise ValueError(f"{rows}x{columns} pixels, and the compressed image has {size}")


def _rescale(frame: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
    slope = float(dataset.get("RescaleSlope", None) or 1)
    intercept = float(dataset.get("RescaleIntercept", None) or 0)
    return (frame * slope + intercept).astype(np.float32)
