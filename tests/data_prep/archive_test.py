import json
import os
import tempfile
import zipfile

import numpy as np
import pytest

from data_prep import archive, dicom, header_scan, rejection
from tests.data_prep import dicom_samples


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder for temporary files, to see that none stays."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def zip_of(folder):
    path = f"{folder}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name in dicom.list_files(str(folder)):
            file.write(name, os.path.relpath(name, folder))
    return path


def test_a_zip_file_is_read_as_its_folder(tmp_path, temporary):
    folder = tmp_path / "study"
    dicom_samples.write_study(folder)
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "vertebrae.json").write_text(json.dumps({"here": 1}))
    listing = archive.open_input(zip_of(folder))
    assert len(listing.names) == 14
    assert [os.path.basename(path) for path in listing.beside] == ["vertebrae.json"]
    found = header_scan.scan(listing)
    expected = header_scan.scan(archive.open_input(str(folder)))
    assert [item.uid for item in found.series] == [item.uid for item in expected.series]
    assert (found.num_files, found.not_needed) == (14, {"not DICOM": 2})
    series = found.series[0]
    assert series.paths[0].startswith(f"{folder}.zip{os.sep}t2")
    read = archive.read_volume(series)
    np.testing.assert_array_equal(read.array, archive.read_volume(expected.series[0]).array)
    del listing
    assert os.listdir(temporary) == []


def test_what_is_wrong_in_a_zip_file_is_told_by_its_name_there(tmp_path, temporary):
    folder = tmp_path / "study"
    dicom_samples.write_study(folder)
    (folder / "broken.dcm").write_text("nothing")
    path = folder / "t2" / "IM-0003.dcm"
    path.write_bytes(path.read_bytes()[:-10])
    found = header_scan.scan(archive.open_input(zip_of(folder)))
    (broken,) = found.rejections
    assert broken.path == f"{folder}.zip{os.sep}broken.dcm" and found.rejected == {
        broken.path: broken.reason
    }
    with pytest.raises(rejection.RejectedInput) as caught:
        archive.read_volume(found.series[0])
    assert caught.value.rejection.path == f"{folder}.zip{os.sep}t2{os.sep}IM-0003.dcm"
    assert str(temporary) not in str(caught.value)


def test_only_one_series_is_unpacked_at_a_time(tmp_path, temporary):
    folder = tmp_path / "study"
    dicom_samples.write_study(folder)
    found = header_scan.scan(archive.open_input(zip_of(folder)))
    with archive.local_series(found.series[0]) as local:
        written = [name for _, _, names in os.walk(temporary) for name in names]
        assert len(written) == len(local.slices) == 4
        (made,) = os.listdir(temporary)
        assert os.stat(temporary / made).st_mode & 0o777 == 0o700
    assert os.listdir(temporary) == []


def test_copies_within_a_zip_file_are_compared(tmp_path):
    folder = tmp_path / "study"
    (path, *_) = dicom_samples.write_series(folder / "t2")
    (folder / "copy").write_bytes(open(path, "rb").read())
    found = header_scan.scan(archive.open_input(zip_of(folder)))
    assert list(found.not_needed.values()) == [1] and len(found.series[0].slices) == 4


def test_inputs_that_cannot_be(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        archive.open_input(str(tmp_path / "absent"))
    (tmp_path / "file").write_text("text")
    with pytest.raises(ValueError, match="must be a folder, a DICOMDIR, a zip file or an address"):
        archive.open_input(str(tmp_path / "file"))
