"""Tests of data_prep.dicom_values."""

import io
import struct
import warnings

import pydicom
import pydicom.charset
import pydicom.dataelem
import pydicom.tag
import pytest

from data_prep import dicom_values


def read_id(character_set, value: bytes) -> str:
    """PatientID as in a file without file meta, implicit little-endian."""
    elements = [(0x00080005, character_set.encode()), (0x00100020, value)]
    content = b""
    for tag, text in elements:
        text += b" " * (len(text) % 2)
        content += struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(text)) + text
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dicom_values.patient_id(pydicom.dcmread(io.BytesIO(content), force=True))


def make(keyword, vr, value: bytes) -> pydicom.Dataset:
    dataset = pydicom.Dataset()
    tag = pydicom.tag.Tag(keyword)
    dataset[tag] = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
    return dataset


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"007.812500E-01", 0.78125),
        (b" +.5\0", 0.5),
        (b"100\\7", 100.0),
        (b"000Y", None),
        (b"0,5", None),
        (b"1.#QNAN", None),
        (b"inf", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_odd_number_strings(value, expected):
    dataset = make("EchoTime", "DS", value)
    assert dicom_values.number(dataset, "EchoTime") == expected
    assert dicom_values.number(dataset, "RepetitionTime") is None


@pytest.mark.parametrize(("value", "expected"), [(b"12", 12), (b"7.0", 7), (b"x", None)])
def test_whole_numbers(value, expected):
    dataset = make("AcquisitionNumber", "IS", value)
    assert dicom_values.integer(dataset, "AcquisitionNumber") == expected


@pytest.mark.parametrize("value", [b"1", b"1\\2\\3", b"1\\nan", b"1\\x"])
def test_a_wrong_count_of_numbers_is_broken(value):
    with pytest.raises(dicom_values.BrokenHeader, match="PixelSpacing is not 2 numbers"):
        dicom_values.positive(make("PixelSpacing", "DS", value), "PixelSpacing", 2)


@pytest.mark.parametrize("size", [0, 65536, 1e300])
def test_a_size_has_16_bits(size):
    dataset = make("Rows", "DS", b"%g" % size)
    with pytest.raises(dicom_values.BrokenHeader, match="Rows is"):
        dicom_values.size(dataset, "Rows")


@pytest.mark.parametrize("term", sorted(filter(None, pydicom.charset.python_encoding)))
def test_every_character_set_is_read_or_refused(term):
    value = b"A1\xc1\xb1\xd0\xc5"
    try:
        found = read_id(term, value)
    except dicom_values.BrokenHeader as error:
        assert "SpecificCharacterSet" in str(error)
    else:
        assert found.startswith("A1") and "\ufffd" not in found


def test_two_ids_with_lost_characters_do_not_become_one():
    with pytest.raises(dicom_values.BrokenHeader, match="PatientID cannot be read"):
        read_id("GB18030", b"\x81\xff\xff\xff")
