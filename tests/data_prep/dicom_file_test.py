"""Tests of data_prep.dicom_file."""

import datetime
import pathlib

import hypothesis
import pydicom
import pydicom.uid
import pytest
from hypothesis import strategies as st

from data_prep import dicom, dicom_file, dicom_header, rejection, series_geometry, series_stacks
from tests.data_prep import dicom_samples, odd_files

_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def test_a_deflated_file_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = dicom_samples.write_series(tmp_path)[0]
    odd_files.change([path], ImageComments="x" * 5000)
    odd_files.encode(path, pydicom.uid.DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 5000)
    with pytest.raises(ValueError, match="inflates to more than 5000 bytes"):
        dicom_file.read(path)
    with pytest.raises(rejection.RejectedInput, match="cannot be read as DICOM"):
        dicom_header.read_headers(path)
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 50000)
    assert dicom_file.read(path).ImageComments == "x" * 5000


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (bytes(128) + b"DICM", True),
        (b"\x08\0\x05\0CS", True),
        (b"\0\x08\0\x05CS", True),
        (b"\0\x08\0\x05\0\0", False),
        (b"\x08\0\x05\x01CS", False),
        (b"", False),
    ],
)
def test_what_starts_as_dicom(tmp_path, start, expected):
    path = tmp_path / "x"
    path.write_bytes(start)
    assert dicom_file.looks_like_dicom(str(path)) == expected


def test_a_file_that_may_not_be_read_is_rejected(tmp_path, monkeypatch):
    path = dicom_samples.write_series(tmp_path)[0]

    def refuse(path):
        raise PermissionError(path)

    monkeypatch.setattr(dicom_file, "looks_like_dicom", refuse)
    with pytest.raises(rejection.RejectedInput, match="cannot be opened .PermissionError"):
        dicom_header.read_headers(path)


def read_all(path):
    """What a conversion does with a file; returns what became of it."""
    try:
        for found in series_stacks.group(
            dicom_header.read_headers(path), dicom.is_same_image
        ).series:
            assert found.tilt_deg <= 90.001 and len(found.fov_mm) == 2
            series_geometry.series_affine(found)
    except (dicom_header.NotNeeded, rejection.RejectedInput) as error:
        assert str(error)
    try:
        return dicom.read_pixels(path).ndim == 3
    except rejection.RejectedInput as error:
        return not str(error)


def make_samples(folder, real=()):
    """Small files of many encodings, as bytes."""
    names = (
        "enhanced multi-frame, MONOCHROME1, deflated, big-endian, implicit, private tags,"
        " Japanese, two sets, signed pixels"
    )
    samples = [pathlib.Path(path).read_bytes() for path in real]
    for name in (name for name in odd_files.CASES if name in names):
        odd_files.write_case(folder / name, name)
        first, *_ = sorted(path for path in (folder / name).rglob("*") if path.is_file())
        samples.append(first.read_bytes())
    plain = pydicom.dcmread(dicom_samples.write_series(folder / "packed")[0])
    for syntax in (pydicom.uid.RLELossless, pydicom.uid.JPEGLSLossless):
        plain.decompress() if plain.file_meta.TransferSyntaxUID.is_compressed else None
        plain.compress(syntax, generate_instance_uid=False)
        plain.save_as(folder / "packed.dcm")
        samples.append((folder / "packed.dcm").read_bytes())
    return samples


def changes(size):
    """Strategy: (place, bytes that are put there, bytes that are taken away)."""
    place = st.one_of(st.integers(0, size - 1), st.integers(0, min(size, 1500) - 1))
    length = st.sampled_from([b"\xff" * 4, b"\xff\xff\xff\x7f", bytes(4)])
    put = st.one_of(st.binary(max_size=4), length)
    taken = st.sampled_from([0, 1, 1, 1, 2, 4, 50, 100000])
    return st.lists(st.tuples(place, put, taken), min_size=1, max_size=8)


def check_changed_files(folder, samples, num_examples):
    path = folder / "changed.dcm"

    @hypothesis.settings(
        max_examples=num_examples,
        deadline=datetime.timedelta(seconds=10),
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.data())
    def check(data):
        content = bytearray(data.draw(st.sampled_from(samples)))
        for place, put, taken in data.draw(changes(len(content))):
            content[place : place + taken] = put
        path.write_bytes(content)
        read_all(str(path))

    check()


def test_changed_files_are_read_or_rejected(tmp_path, recwarn, capfd):
    samples = make_samples(tmp_path)
    recwarn.clear()
    capfd.readouterr()
    check_changed_files(tmp_path, samples, 150)
    assert not [item for item in recwarn if "pydicom" in str(item.filename)]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_many_changed_files_are_read_or_rejected(tmp_path):
    real = sorted((_DATA / "transfer_syntaxes").glob("*.dcm"))
    check_changed_files(tmp_path, make_samples(tmp_path, real), 11000)
