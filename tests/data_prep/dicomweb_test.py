import json
import os
import tempfile

import numpy as np
import pytest

from data_prep import archive, convert_dicom_lib, dicom, dicomweb, header_scan, rejection
from spine_tf import vertebrae
from tests.data_prep import dicom_samples, orthanc

needs_orthanc = pytest.mark.skipif(orthanc.binary() is None, reason=orthanc.ABSENT)
_KEY = b"k" * 32


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Address of a server with two studies, and the folder that they come from."""
    folder = tmp_path_factory.mktemp("served")
    studies = folder / "studies"
    for uid in ("1.2.1", "1.2.2"):
        dicom_samples.write_study(studies / uid, uid, patient_id=f"id-{uid}")
    (plain,) = dicom_samples.write_series(
        studies / "ct", array=dicom_samples.make_array(1), series_instance_uid="1.2.2.7"
    )
    dicom_samples.edit(plain, Modality="CT", StudyInstanceUID="1.2.2", PatientID="id-1.2.2")
    with orthanc.running(folder) as address:
        for path in dicom.list_files(str(studies)):
            orthanc.store(address, path)
        yield f"{address}/dicom-web", studies


def scan(address):
    return header_scan.scan(archive.open_input(address))


@needs_orthanc
def test_a_server_gives_what_its_files_would(served):
    address, studies = served
    found, expected = scan(address), header_scan.scan(archive.open_input(str(studies)))
    assert found.not_needed == {"no MR image (CT)": 1} and not found.rejections
    assert [item.uid for item in found.series] == [item.uid for item in expected.series]
    for mine, theirs in zip(found.series, expected.series, strict=True):
        for one, other in zip(mine.slices, theirs.slices, strict=True):
            assert one.position_mm == other.position_mm and one.patient_id == other.patient_id
            assert one.echo_time_ms == other.echo_time_ms
            assert one.path.endswith(f"/instances/{other.sop_instance_uid}")
        np.testing.assert_array_equal(
            archive.read_volume(mine).array, archive.read_volume(theirs).array
        )


@needs_orthanc
def test_a_server_is_planned_and_loaded(served, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    made = [vertebrae.to_json(dicom_samples.make_annotation(f"1.2.{n}.1")) for n in (1, 2)]
    (tmp_path / "vertebrae.json").write_text(json.dumps(made))
    inputs = convert_dicom_lib.Inputs(served[0], str(tmp_path / "vertebrae.json"))
    plan = convert_dicom_lib.plan(inputs, _KEY)
    assert [request.uid for request in plan.requests] == ["1.2.1.1", "1.2.2.1"]
    scanned, _ = convert_dicom_lib.load(plan.requests[0])
    expected = dicom.read_volume(
        dicom.scan_folder(os.path.join(served[1], "1.2.1", "t2")).series[0]
    )
    np.testing.assert_array_equal(scanned.array, expected.array)
    assert os.listdir(tmp_path / "temporary") == []


@needs_orthanc
def test_what_the_server_does_not_have_is_rejected(served):
    image = f"{served[0]}/studies/1.2.1/series/1.2.1.1/instances/9.9"
    with pytest.raises(rejection.RejectedInput, match="does not give it .HTTPError 404") as caught:
        with archive.local_files([image]):
            pass
    assert caught.value.rejection.path == image and caught.value.rejection.uid == "9.9"
    (read,) = header_scan.scan(archive.Listing([f"{served[0]}/studies/7/series/8"])).rejections
    assert read.uid == "8" and "the server does not give it" in read.reason


def test_addresses():
    assert dicomweb.is_address("https://host/dicom-web") and not dicomweb.is_address("/data")


def test_no_server():
    with pytest.raises(ValueError, match="does not answer as a DICOMweb server .ConnectionError"):
        archive.open_input("http://127.0.0.1:1/dicom-web")


def test_a_password_in_the_address_is_not_repeated():
    with pytest.raises(ValueError, match="must hold no user and password") as caught:
        archive.open_input("http://user:secret@127.0.0.1:1")
    assert "secret" not in str(caught.value)


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dicomweb_client", None)
    with pytest.raises(ImportError, match=r"pip install 'spine-tf\[dicomweb\]'"):
        archive.open_input("http://nowhere:1")
