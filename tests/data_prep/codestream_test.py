"""Tests of data_prep.codestream."""

import pathlib

import pydicom
import pydicom.encaps
import pytest

from data_prep import codestream

_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def test_jpeg_2000_size_is_that_of_the_image_on_its_grid():
    sizes = [70, 50, 10, 20]  # the image ends at column 70, row 50 and starts at 10, 20
    stream = b"\xff\x4f\xff\x51\0\x29\0\0" + b"".join(n.to_bytes(4, "big") for n in sizes)
    assert codestream.size(stream) == (30, 60)
    assert codestream.size(b"\0\0\0\x0cjP  " + stream) == (30, 60)


@pytest.mark.parametrize("marker", [0xC0, 0xC3, 0xF7])
def test_jpeg_size_is_in_the_start_of_frame(marker):
    table = b"\xff\xc4\0\x05abc"
    frame = bytes([0xFF, marker, 0, 11, 8, 1, 2, 0, 64, 1])
    assert codestream.size(b"\xff\xd8" + table + b"\xff" + frame) == (258, 64)


@pytest.mark.parametrize("stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc4\0", bytes(64)])
def test_of_anything_else_there_is_no_size(stream):
    assert codestream.size(stream) is None


@pytest.mark.real_data
def test_real_codestreams_have_the_size_of_their_header():
    seen = set()
    for path in sorted((_DATA / "transfer_syntaxes").glob("*.dcm")):
        found = pydicom.dcmread(path)
        syntax = found.file_meta.TransferSyntaxUID
        if syntax.is_encapsulated and "RLE" not in syntax.name:
            (frame,) = pydicom.encaps.generate_frames(found.PixelData, number_of_frames=1)
            assert codestream.size(frame) == (found.Rows, found.Columns)
            seen.add(syntax)
    assert len(seen) == 3  # JPEG, JPEG-LS, JPEG 2000, all lossless
