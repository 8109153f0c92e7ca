"""What size a compressed image itself says that it has, whatever the DICOM header around it says.

A decoder allocates by this size. So a small file with a huge one is found before it is decoded.
"""

_JPEG_2000 = b"\xff\x4f\xff\x51"  # start of codestream, image and tile size
_JPEG = b"\xff\xd8"
_BOX_BYTES = 256  # of a JP2 container, which DICOM does not allow and archives hold
_NO_LENGTH = {0x01, *range(0xD0, 0xDA)}
_START_OF_FRAME = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # F7: JPEG-LS


def size(stream: bytes) -> tuple[int, int] | None:
    """Returns (rows, columns) of a JPEG, JPEG-LS or JPEG 2000 codestream; None of anything else.

    Source: ITU-T T.81 annex B, T.87 annex C, T.800 annex A.5.1.
    """
    at = stream.find(_JPEG_2000, 0, _BOX_BYTES)
    if at >= 0:
        columns, rows, left, top = (_number(stream, at + 8 + 4 * i, 4) for i in range(4))
        return rows - top, columns - left
    return _jpeg_size(stream) if stream.startswith(_JPEG) else None


def _jpeg_size(stream: bytes) -> tuple[int, int] | None:
    at = len(_JPEG)
    while at + 9 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker in _START_OF_FRAME:
            return _number(stream, at + 5, 2), _number(stream, at + 7, 2)
        if marker == 0xFF:
            at += 1
        else:
            at += 2 + (0 if marker in _NO_LENGTH else _number(stream, at + 2, 2))
    return None


def _number(stream: bytes, at: int, count: int) -> int:
    return int.from_bytes(stream[at : at + count], "big")
