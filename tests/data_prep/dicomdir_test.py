import pydicom
import pydicom.fileset
import pytest

from data_prep import dicomdir
from tests.data_prep import dicom_samples


def write_dicomdir(folder, *names):
    """A DICOMDIR that names files; each name is the list of its parts."""
    records = []
    for parts in names:
        record = pydicom.Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = parts
        records.append(record)
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = pydicom.uid.MediaStorageDirectoryStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.DirectoryRecordSequence = records
    dataset.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return str(folder / "DICOMDIR")


def test_files_of_a_file_set_that_pydicom_wrote(tmp_path):
    paths = dicom_samples.write_series(tmp_path / "series")
    file_set = pydicom.fileset.FileSet()
    for path in paths:
        dicom_samples.edit(path, StudyTime="120000", StudyID="1", PatientName="Some^One")
        file_set.add(path)
    file_set.write(tmp_path / "cd")
    (tmp_path / "cd" / "readme.txt").write_text("not DICOM")
    path = str(tmp_path / "cd" / "DICOMDIR")
    assert dicomdir.is_dicomdir(path) and not dicomdir.is_dicomdir(str(tmp_path / "cd"))
    found, missing = dicomdir.list_files(path)
    assert len(found) == 4 and not missing
    assert {pydicom.dcmread(name).SOPInstanceUID for name in found} == {
        pydicom.dcmread(name).SOPInstanceUID for name in paths
    }


def test_case_does_not_matter_and_what_is_missing_or_outside_is_told(tmp_path):
    folder = tmp_path / "cd"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "im1").write_text("1")
    (tmp_path / "secret").write_text("2")
    path = write_dicomdir(folder, ["IMAGES", "IM1"], ["IMAGES", "IM2"], ["..", "SECRET"])
    found, missing = dicomdir.list_files(path)
    assert found == [str(folder / "images" / "im1")]
    assert [(item.path, item.reason[:18]) for item in missing] == [
        (str(folder / "IMAGES" / "IM2"), "is named in the DI"),
        (path, "names a file outsi"),
    ]


def test_a_dicomdir_that_cannot_be_read(tmp_path):
    (tmp_path / "DICOMDIR").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="give its folder"):
        dicomdir.list_files(str(tmp_path / "DICOMDIR"))
