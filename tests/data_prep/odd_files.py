"""What real archives hold: small studies that are odd in one way each."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pydicom
import pydicom.filebase
import pydicom.filewriter
import pydicom.tag
import pydicom.uid

from spine_tf import geometry, levels, vertebrae
from tests.data_prep import dicom_samples

T2 = "1.2.3.4"  # UID of the sagittal T2 series
_RAW_VALUE = pydicom.dataelem.RawDataElement


def annotation(affine=None, series_uid=T2) -> vertebrae.Annotation:
    """L4 in the middle of the slices."""
    affine = dicom_samples.make_affine() if affine is None else affine
    corners_mm = geometry.to_patient(affine, [[1, 1, 1], [1, 1, 3], [1, 4, 3], [1, 4, 1]])
    found = vertebrae.Vertebra(levels.VertebraLevel.L4, corners_mm)
    return vertebrae.Annotation((found,), series_instance_uid=series_uid)


def change(paths, **values) -> None:
    """Sets attributes of several files."""
    for path in paths:
        dicom_samples.edit(path, **values)


def raw(path, tag, vr, value: bytes) -> None:
    """Puts bytes into an element, which no writer would write."""
    dataset = pydicom.dcmread(path)
    dataset[tag] = _RAW_VALUE(pydicom.tag.Tag(tag), vr, len(value), value, 0, False, True)
    dataset.save_as(path)


def encode(path, syntax, with_meta=True) -> None:
    """Writes a file anew in another uncompressed transfer syntax, or without preamble and meta."""
    found = pydicom.dcmread(path)
    is_little = syntax != pydicom.uid.ExplicitVRBigEndian
    if not is_little:
        found.PixelData = np.frombuffer(found.PixelData, "<u2").astype(">u2").tobytes()
    dataset = pydicom.Dataset()  # without the memory of its encoding
    for element in found:
        dataset.add(element)
    is_implicit = syntax == pydicom.uid.ImplicitVRLittleEndian
    if with_meta:
        dataset.file_meta = found.file_meta
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path, implicit_vr=is_implicit, little_endian=is_little)
        return
    buffer = pydicom.filebase.DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = is_implicit, is_little
    pydicom.filewriter.write_dataset(buffer, dataset)
    pathlib.Path(path).write_bytes(buffer.getvalue())


def write_enhanced(path, array, affine) -> None:
    """Writes one enhanced multi-frame MR file with the slices of `array`, last frame first."""
    folder = os.path.join(os.path.dirname(path), "single")
    dataset = pydicom.dcmread(dicom_samples.write_series(folder)[0])
    shutil.rmtree(folder)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = (
        pydicom.uid.EnhancedMRImageStorage
    )
    shared, measures, orientation, echo = (pydicom.Dataset() for _ in range(4))
    measures.PixelSpacing = dataset.PixelSpacing
    orientation.ImageOrientationPatient = dataset.ImageOrientationPatient
    echo.EffectiveEchoTime = 100.0
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    shared.MREchoSequence = [echo]
    frames = []
    for index in reversed(range(len(array))):
        frame, position, values = (pydicom.Dataset() for _ in range(3))
        position.ImagePositionPatient = list(affine[:3, 3] + index * affine[:3, 0])
        values.RescaleSlope, values.RescaleIntercept = 1, index
        frame.PlanePositionSequence = [position]
        frame.PixelValueTransformationSequence = [values]
        frames.append(frame)
    for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "EchoTime"):
        del dataset[keyword]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.NumberOfFrames = len(array)
    dataset.PixelData = np.ascontiguousarray(array[::-1]).tobytes()
    dataset.save_as(path)


def _another_stack(folder, name, number, affine=None, array=None) -> list[str]:
    """A further stack of the same series, of acquisition `number`."""
    paths = dicom_samples.write_series(folder / name, affine, array)
    for path in paths:
        uid = pydicom.dcmread(path).SOPInstanceUID
        dicom_samples.edit(path, SOPInstanceUID=f"{uid}.{number}", AcquisitionNumber=number)
    return paths


def _enhanced(folder, paths):
    for path in paths:
        os.remove(path)
    array = dicom_samples.make_array() - np.arange(4, dtype=np.uint16)[:, None, None]
    write_enhanced(str(folder / "all"), array, dicom_samples.make_affine())


def _mosaic(folder, paths):
    others = dicom_samples.write_series(folder / "m", series_instance_uid="1.2.3.5")
    change(others, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])


def _acquisitions(folder, paths):
    change(paths, AcquisitionNumber=1)
    _another_stack(folder, "again", 2, array=dicom_samples.make_array() + np.uint16(500))


def _interleaved(folder, paths):
    change(paths[::2], AcquisitionNumber=1)
    change(paths[1::2], AcquisitionNumber=2)


def _stations(folder, paths):
    """The one that is not annotated lies 200 mm above and comes first."""
    change(paths, AcquisitionNumber=2)
    above = dicom_samples.make_affine()
    above[2, 3] += 200
    _another_stack(folder, "above", 1, above)


def _echoes_one_incomplete(folder, paths):
    proton = dicom_samples.write_series(folder / "pd", echo_time_ms=20.0)
    for path in proton:
        dicom_samples.edit(path, SOPInstanceUID=f"{pydicom.dcmread(path).SOPInstanceUID}.2")
    os.remove(proton[1])


def _two_series(folder, paths):
    for path in dicom_samples.write_series(
        folder / "t1", series_instance_uid="1.2.3.5", echo_time_ms=10.0
    ):
        os.rename(path, folder / f"t1-{os.path.basename(path)}")


def _copies(folder, paths):
    shutil.copytree(os.path.dirname(paths[0]), folder / "z" / "copy")


def _encoded_copies(folder, paths):
    _copies(folder, paths)
    for path in (folder / "z").rglob("*.dcm"):
        encode(str(path), pydicom.uid.DeflatedExplicitVRLittleEndian)


def _cut_copy(folder, paths):
    pathlib.Path(folder / "z.dcm").write_bytes(pathlib.Path(paths[1]).read_bytes()[:-20])


def _same_uid_other_pixels(folder, paths):
    shutil.copy(paths[1], folder / "z.dcm")
    dicom_samples.edit(folder / "z.dcm", PixelData=bytes(60))


def _one_uid_for_all(folder, paths):
    change(paths, SOPInstanceUID="1.2.3.4.1")


def _missing(folder, paths):
    os.remove(paths[1])


def _variable(folder, paths):
    change(paths[3:], ImagePositionPatient=[6.8, -20, 30])


def _shifted(folder, paths):
    change(paths[1:2], ImagePositionPatient=[-5, -17, 30])


def _tilted(tilt_deg):
    def make(folder, paths):
        dicom_samples.write_series(
            os.path.dirname(paths[0]), dicom_samples.make_affine(tilt_deg=tilt_deg)
        )

    return make


def _monochrome1(folder, paths):
    for path in paths:
        pixels = 255 - pydicom.dcmread(path).pixel_array
        change([path], BitsStored=8, HighBit=7, PhotometricInterpretation="MONOCHROME1")
        change([path], PixelData=pixels.astype("<u2").tobytes())


def _signed(folder, paths):
    for path in paths:
        pixels = pydicom.dcmread(path).pixel_array.astype(np.int16) - 60
        change([path], PixelRepresentation=1, PixelData=pixels.tobytes(), RescaleIntercept="60")


def _high_bits(folder, paths):
    for path in paths:
        pixels = pydicom.dcmread(path).pixel_array << 4
        change([path], BitsStored=12, HighBit=15, PixelData=pixels.astype("<u2").tobytes())


def _odd_numbers(folder, paths):
    for path in paths:
        raw(path, 0x00280030, "DS", b"009.000000E-01\\ +.6\0")
        raw(path, 0x00180081, "DS", b"0100.0000000000000000 ")
        raw(path, 0x00180088, "DS", b"000...")
        raw(path, 0x00101010, "AS", b"000Y")
        raw(path, 0x00101030, "DS", b"0,0")


def _characters(term, text):
    def make(folder, paths):
        change(paths, SpecificCharacterSet=term, PatientID=text, SeriesDescription=text)

    return make


def _wrong_characters(folder, paths):
    for path in paths:
        change([path], SpecificCharacterSet="GB18030")
        raw(path, 0x00100020, "LO", b"\x81\xff\xff\xff")


def _encoded(syntax, with_meta=True):
    def make(folder, paths):
        for path in paths:
            encode(path, syntax, with_meta)

    return make


def _private(folder, paths):
    for path in paths:
        dataset = pydicom.dcmread(path)
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x10, "OB", bytes(range(256)))
        item = pydicom.Dataset()
        item.PixelSpacing = [9, 9]
        block.add_new(0x20, "SQ", [item])
        dataset.add_new(0x00190010 + 0x1000, "UN", b"without its creator")
        dataset.save_as(path)


def _huge(folder, paths):
    change(paths, Rows=65535, Columns=65535, PixelSpacing=[0.005, 0.005])


@dataclasses.dataclass(frozen=True)
class Case:
    """One oddity.

    Attributes:
        make: Changes a folder with a sound T2 series of 4 slices.
        outcome: Of the T2 series: converted or rejected.
        why: Part of the reason of every rejected row.
        slices: Files that share this outcome.
        not_needed: Further files that are not needed.
        rejected: Further files that are rejected.
        tilt_deg: Of the T2 series.
    """

    make: Callable
    outcome: str = "converted"
    why: str = ""
    slices: int = 4
    not_needed: int = 0
    rejected: int = 0
    tilt_deg: float = 0.0


_UID = pydicom.uid
CASES = {
    "enhanced multi-frame": Case(_enhanced, slices=1),
    "mosaic": Case(_mosaic, why="is a mosaic", rejected=4),
    "two acquisitions of one stack": Case(_acquisitions, not_needed=4),
    "one stack of two acquisitions": Case(_interleaved),
    "two stations": Case(_stations, not_needed=4),
    "two echoes, one incomplete": Case(_echoes_one_incomplete, not_needed=3),
    "two series in one folder": Case(_two_series, not_needed=4),
    "copies": Case(_copies, not_needed=4),
    "copies in another encoding": Case(_encoded_copies, not_needed=4),
    "a copy that is cut off": Case(_cut_copy, rejected=1, why="cannot be read"),
    "one UID, other pixels": Case(_same_uid_other_pixels, "rejected", "other content", slices=5),
    "one UID for all slices": Case(_one_uid_for_all, "rejected", "other content"),
    "missing slice": Case(_missing, "rejected", "slices missing", slices=3),
    "variable spacing": Case(_variable, "rejected", "unevenly spaced"),
    "slice shifted in its plane": Case(_shifted, "rejected", "shifted by 3.0 mm"),
    "oblique, 20 degrees": Case(_tilted(20), tilt_deg=20),
    "oblique, -20 degrees": Case(_tilted(-20), tilt_deg=-20),
    "oblique, 21 degrees": Case(_tilted(21), "rejected", "no sagittal T2", tilt_deg=21),
    "MONOCHROME1": Case(_monochrome1),
    "signed pixels": Case(_signed),
    "high bits": Case(_high_bits),
    "odd number strings": Case(_odd_numbers),
    "Latin 1": Case(_characters("ISO_IR 100", "M\u00fcller")),
    "Cyrillic": Case(_characters("ISO_IR 144", "\u0418\u0432\u0430\u043d")),
    "Greek": Case(_characters("ISO_IR 126", "\u039d\u03af\u03ba\u03bf\u03c2")),
    "Japanese, two sets": Case(_characters(["", "ISO 2022 IR 87"], "\u5c71\u7530")),
    "Korean, two sets": Case(_characters(["", "ISO 2022 IR 149"], "\uae40")),
    "Chinese": Case(_characters("GB18030", "\u738b")),
    "UTF-8": Case(_characters("ISO_IR 192", "\u5c71\u7530")),
    "unknown character set": Case(_characters("ISO_IR 999", "abc")),
    "PatientID in a wrong character set": Case(_wrong_characters, "rejected", "PatientID cannot"),
    "no file meta, implicit": Case(_encoded(_UID.ImplicitVRLittleEndian, with_meta=False)),
    "no file meta, explicit": Case(_encoded(_UID.ExplicitVRLittleEndian, with_meta=False)),
    "no file meta, big-endian": Case(_encoded(_UID.ExplicitVRBigEndian, with_meta=False)),
    "big-endian": Case(_encoded(_UID.ExplicitVRBigEndian)),
    "implicit": Case(_encoded(_UID.ImplicitVRLittleEndian)),
    "deflated": Case(_encoded(_UID.DeflatedExplicitVRLittleEndian)),
    "private tags": Case(_private),
    "a header that lies of its size": Case(_huge, "rejected", "at most"),
}


def write_case(folder: pathlib.Path, name: str) -> Case:
    """Writes the study of one case."""
    paths = dicom_samples.write_series(folder / "t2")
    CASES[name].make(folder, paths)
    return CASES[name]


def renumber(folder: pathlib.Path, number: int) -> str:
    """Makes a case another study of another patient, in place; returns the UID of its T2 series.

    UIDs are replaced as bytes, so that the oddities stay as they are; not in deflated files.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes().replace(b"1.2.3", b"1.%d.3" % number)
            path.write_bytes(content.replace(b"someone", b"some%03d" % number))
    return T2.replace("1.2.3", f"1.{number}.3")
