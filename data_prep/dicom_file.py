"""Opens one DICOM file, also one without file meta, and none that would fill the memory."""

import os
import stat
import zlib
from collections.abc import Iterator

import pydicom
import pydicom.filereader
import pydicom.uid

MAX_INFLATED_BYTES = 2**29
_START_BYTES = 1024
_CHUNK_BYTES = 2**20
_MOST_INFLATION = 1032  # of deflate, RFC 1951


def looks_like_dicom(path: str) -> bool:
    """Says whether a file starts as DICOM does, with or without the preamble.

    Raises:
        OSError: If it cannot be opened.
    """
    start = _start(path)
    if start[128:132] == b"DICM":
        return True
    # Without the preamble the first element is of group 2 or 8 and has a small number.
    if start[:2] in (b"\x02\0", b"\x08\0"):
        return start[3:4] == b"\0"
    return start[:3] == b"\0\x08\0" and start[4:6].isalpha() and start[4:6].isupper()


def is_regular(path: str) -> bool:
    """Says whether a path is a file with content: reading from a pipe or a device may never end.

    Raises:
        OSError: If it is a link to nothing.
    """
    return stat.S_ISREG(os.stat(path).st_mode)


def read(path: str, **options) -> pydicom.Dataset:
    """Reads a file with or without file meta.

    Args:
        path: A file that starts as DICOM does.
        **options: Of `pydicom.dcmread`.

    Returns:
        The data set. Without file meta, its transfer syntax is the one it was found to have.

    Raises:
        ValueError: If it would inflate to more than `MAX_INFLATED_BYTES`.
        Exception: Nearly any, if it is broken.

    Source: DICOM PS3.10 section 7.1, PS3.5 A.5 (Deflated Explicit VR Little Endian).
    """
    if os.path.getsize(path) * _MOST_INFLATION > MAX_INFLATED_BYTES:
        _check_inflated_size(path)
    dataset = pydicom.dcmread(path, force=True, **options)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = _found_syntax(dataset)
    return dataset


def _start(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_START_BYTES)


def _found_syntax(dataset: pydicom.Dataset) -> pydicom.uid.UID:
    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return pydicom.uid.ImplicitVRLittleEndian
    if is_little_endian is False:
        return pydicom.uid.ExplicitVRBigEndian
    return pydicom.uid.ExplicitVRLittleEndian


def _check_inflated_size(path: str) -> None:
    if pydicom.uid.DeflatedExplicitVRLittleEndian.encode() not in _start(path):
        return
    size = 0
    for part in _inflated(path):
        size += len(part)
        if size > MAX_INFLATED_BYTES:
            raise ValueError(f"inflates to more than {MAX_INFLATED_BYTES} bytes")


def _inflated(path: str) -> Iterator[bytes]:
    """The deflated part of a file, a piece at a time."""
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    with open(path, "rb") as file:
        file.seek(132)
        pydicom.filereader.read_dataset(
            file, False, True, stop_when=lambda tag, vr, length: tag.group != 2
        )
        while deflated := inflate.unconsumed_tail or file.read(_CHUNK_BYTES):
            yield inflate.decompress(deflated, _CHUNK_BYTES)
