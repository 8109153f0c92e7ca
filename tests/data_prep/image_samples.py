"""Tiny plain images and their table, for tests."""

import numpy as np
import pydicom
from PIL import Image

COLUMNS = ("image", "subject", "days", "label", "family")
PATIENT = {
    "PatientName": "Quixotic^Zebulon",
    "PatientID": "QZX-4711",
    "PatientSex": "F",
    "PatientAge": "071Y",
    "PatientWeight": "83.417",
    "PatientBirthDate": "19491231",
}


def write_dicom(path, array, **attributes):
    """A digital radiograph, [rows, columns] uint16 or [rows, columns, 3] uint8; its path."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    dataset.SOPInstanceUID = "1.2.3.4.5"
    dataset.Modality = "DX"
    is_colour = array.ndim == 3
    dataset.SamplesPerPixel = 3 if is_colour else 1
    dataset.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        dataset.PlanarConfiguration = 0
    dataset.Rows, dataset.Columns = array.shape[:2]
    bits = 8 * array.dtype.itemsize
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = 0
    content = array.tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    for name, value in (PATIENT | attributes).items():
        setattr(dataset, name, value)
    dataset.save_as(str(path), enforce_file_format=True)
    return str(path)


def write_image(path, seed=0, size=(40, 30)):
    """A smooth grey PNG without a black pixel."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 230, (size[0] // 10, size[1] // 10)).astype(np.uint8)
    Image.fromarray(np.kron(coarse, np.ones((10, 10), np.uint8))).save(path)


def write_table(path, rows, columns=COLUMNS):
    """A CSV file of rows, each with a value per column."""
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)
