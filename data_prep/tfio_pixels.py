"""tensorflow-io as a second decoder of DICOM pixels, on the addons stack.

Its DCMTK applies the rescaling and the window of an image as it sees fit, and gives unsigned values
only. So it is handed a data set of its own that holds the pixels and how they are stored, and
nothing of the patient; what it gives are the stored values.
"""

import importlib.util
import io

import numpy as np
import pydicom
import pydicom.uid

TFIO, PYDICOM = "tfio", "pydicom"
DECODERS = (PYDICOM, TFIO)
_OF_PIXELS = (
    "Rows Columns SamplesPerPixel BitsAllocated BitsStored HighBit PixelRepresentation"
    " NumberOfFrames PixelData"
).split()


def check(decoder: str) -> None:
    """Checks the name of a decoder before it is needed.

    Raises:
        ValueError: If there is no decoder of this name, or its package is not installed.
    """
    if decoder not in DECODERS:
        raise ValueError(f"`decoder` must be one of {', '.join(DECODERS)}, got {decoder!r}.")
    if decoder == TFIO and not importlib.util.find_spec("tensorflow_io"):
        raise ValueError(
            f"`decoder` must be {PYDICOM} without tensorflow-io, got {TFIO!r}. It is in the extra"
            " addons, of TensorFlow 2.15.1."
        )


def stored_values(dataset: pydicom.Dataset) -> np.ndarray:
    """Decodes the pixels of a grey image.

    Args:
        dataset: A whole DICOM data set, in any transfer syntax that DCMTK reads.

    Returns:
        [frames, rows, columns] int64, as stored: before rescaling, MONOCHROME1 not inverted.

    Raises:
        ValueError: If it cannot be decoded.
    """
    import tensorflow as tf
    import tensorflow_io as tfio

    try:
        decoded = tfio.image.decode_dicom_image(
            _pixels_alone(dataset),
            color_dim=False,
            on_error="strict",
            scale="preserve",
            dtype=tf.uint32,
        )
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"tensorflow-io: {error.message.splitlines()[0]}") from error
    stored = decoded.numpy().reshape(-1, dataset.Rows, dataset.Columns).astype(np.int64)
    # The lowest signed value comes as 0.
    return stored - (2 ** (dataset.BitsStored - 1) if dataset.PixelRepresentation == 1 else 0)


def _pixels_alone(dataset: pydicom.Dataset) -> bytes:
    """A DICOM file with the pixels of a data set, in its transfer syntax."""
    made = pydicom.Dataset()
    for keyword in _OF_PIXELS:
        if keyword in dataset:
            made[keyword] = dataset[keyword]
    made.PhotometricInterpretation = "MONOCHROME2"
    made.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    made.SOPInstanceUID = "1.2.3"
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()
