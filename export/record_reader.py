"""Records of a data set by their place in its files, each with its checksum verified."""

import dataclasses
import os
from collections.abc import Sequence

import google_crc32c

_HEADER_BYTES, _FOOTER_BYTES = 12, 4  # of a TFRecord, around its content
_MASK = 0xA282EAD8


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a record is.

    Attributes:
        file: Name in the folder.
        offset: Of its content in the file.
        length: Of its content.
    """

    file: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset - _HEADER_BYTES}"


def read(folder: str, places: Sequence[Place]) -> list[bytes | None]:
    """Returns the contents of records; None of one whose checksum is wrong.

    Args:
        folder: The data set.
        places: Of the records.
    """
    return [_content(_frame(folder, place)) for place in places]


def _frame(folder: str, place: Place) -> bytes:
    with open(os.path.join(folder, place.file), "rb") as file:
        file.seek(place.offset - _HEADER_BYTES)
        return file.read(_HEADER_BYTES + place.length + _FOOTER_BYTES)


def _content(frame: bytes) -> bytes | None:
    """Source: TensorFlow, tsl/lib/io/record_writer.h and tsl/lib/hash/crc32c.h."""
    content = frame[_HEADER_BYTES:-_FOOTER_BYTES]
    checksum = google_crc32c.value(content)
    masked = (((checksum >> 15) | (checksum << 17)) + _MASK) & 0xFFFFFFFF
    return content if masked == int.from_bytes(frame[-_FOOTER_BYTES:], "little") else None
