"""Reads plain 2-D images: PNG, TIFF and JPEG with Pillow, single-frame DICOM with `dicom`.

Source of the weights of red, green and blue: ITU-R BT.601.
"""

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin

from data_prep import dicom, dicom_file, dicom_header, rejection

_FORMATS = ("PNG", "TIFF", "JPEG")
_GREY_MODES = ("L", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")  # read as they are
_GREY_AFTER_CONVERSION = ("1", "LA", "La")
_RED_GREEN_BLUE = (0.299, 0.587, 0.114)


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """What a header tells of an image.

    Attributes:
        uid: SOPInstanceUID of a DICOM image, or "".
        is_colour: Whether it is stored in colour.
        header_facts: Name -> class index of the facts that were asked for; of DICOM only.
    """

    uid: str
    is_colour: bool
    header_facts: Mapping[str, int] = dataclasses.field(repr=False)


def inspect(path: str, facts: Sequence[str] = ()) -> ImageInfo:
    """Reads the header of an image, without its pixels.

    Args:
        path: A PNG, TIFF, JPEG or DICOM file, whatever it is called.
        facts: Which of `spine_tf.header_facts.FACTS` to read.

    Raises:
        rejection.RejectedInput: If there is no such file, or it is no single image.
    """
    if not os.path.isfile(path):
        raise rejection.RejectedInput(path, "", "there is no such file; correct `image`")
    if dicom_file.looks_like_dicom(path):
        header = dicom_header.read_image_header(path, facts)
        return ImageInfo(header.sop_instance_uid, header.is_colour, header.header_facts)
    with _opened(path) as image:
        is_grey = image.mode in (*_GREY_MODES, *_GREY_AFTER_CONVERSION)
        return ImageInfo("", not is_grey, {})


def read(path: str) -> np.ndarray:
    """Reads an image as grey.

    Args:
        path: A file that `inspect` accepts.

    Returns:
        [rows, columns] float32, low values dark; colour is weighted to luminance.

    Raises:
        rejection.RejectedInput: If it cannot be decoded, or holds values that are no numbers.
    """
    pixels = dicom.read_image(path) if dicom_file.looks_like_dicom(path) else _read_pixels(path)
    if pixels.ndim == 3:
        pixels = pixels @ np.array(_RED_GREEN_BLUE, np.float32)
    if not np.isfinite(pixels).all():
        raise rejection.RejectedInput(path, "", "has pixels that are no finite numbers")
    return pixels


def _read_pixels(path: str) -> np.ndarray:
    """[rows, columns] or [rows, columns, 3] float32."""
    try:
        with _opened(path) as image:
            top = _inverted_top(image)
            upright = ImageOps.exif_transpose(image)
            if upright.mode not in _GREY_MODES:
                upright = upright.convert("L" if upright.mode in _GREY_AFTER_CONVERSION else "RGB")
            pixels = np.asarray(upright).astype(np.float32)
            return pixels if top is None else top - pixels
    except rejection.RejectedInput:
        raise
    except Exception as error:  # Decoders raise nearly anything for a broken file.
        raise _unreadable(path, error) from None


def _inverted_top(image: Image.Image) -> int | None:
    """The highest value of a TIFF of 16 bits whose low values are bright; Pillow leaves it so."""
    tags = getattr(image, "tag_v2", {})
    is_inverted = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    if not is_inverted or not image.mode.startswith("I;16"):
        return None
    return 2 ** tags[TiffImagePlugin.BITSPERSAMPLE][0] - 1


def _opened(path: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(path, formats=_FORMATS)
            count = getattr(image, "n_frames", 1)
    except Exception as error:
        raise _unreadable(path, error) from None
    if count != 1:
        image.close()
        raise rejection.RejectedInput(path, "", f"holds {count} images; give one file for each")
    if image.mode not in _GREY_MODES and any(";16" in str(tile[3]) for tile in image.tile):
        image.close()
        raise rejection.RejectedInput(
            path,
            "",
            "holds 16 bits in colour or with transparency, of which 8 would be lost; save it as"
            " 16-bit grey",
        )
    return image


def _unreadable(path: str, error: Exception) -> rejection.RejectedInput:
    return rejection.RejectedInput(
        path,
        "",
        f"cannot be read as PNG, TIFF, JPEG or DICOM ({type(error).__name__}); export it again",
    )
