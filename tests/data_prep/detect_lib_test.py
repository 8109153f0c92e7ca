"""Tests of data_prep.detect_lib and of the command."""

import json
import os

import numpy as np
import pytest
import SimpleITK as sitk

from data_prep import detect, detect_lib, detectors
from spine_tf import cli, vertebrae
from tests import tiny_export
from tests.data_prep import stub_finder

_REAL = os.path.join(os.path.dirname(__file__), "../../../shared/data")


@pytest.fixture
def stub(monkeypatch):
    """Puts a detector that looks at no image in place of every detector."""
    made = stub_finder.Finder()
    monkeypatch.setattr(detectors, "load", lambda name: made)
    return made


def _write_volume(path, num_slices=11):
    scan = tiny_export.make_volume()
    image = sitk.GetImageFromArray(scan.array[:num_slices])
    steps = scan.affine[:3, [2, 1, 0]]
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(scan.affine[:3, 3].tolist())
    os.makedirs(os.path.dirname(path), exist_ok=True)
    sitk.WriteImage(image, str(path))


def _run(capsys, **values):
    arguments = [f"--{name}={value}" for name, value in values.items()]
    status = cli.call(detect.define_flags, detect.main, arguments)
    return status, capsys.readouterr()


def _load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def test_studies_and_volumes_get_an_annotation_and_a_picture(tmp_path, stub, capsys):
    tiny_export.write_study(str(tmp_path / "in" / "study"))
    _write_volume(tmp_path / "in" / "deep" / "one.nii.gz")
    status, said = _run(capsys, input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    assert status == 0
    assert "1.2.3.4: T12 to S1, least sure of T12 (0.95)" in said.out
    names = ["1.2.3.4.png", "1.2.3.4.vertebrae.json"]
    names += ["deep-one.png", "deep-one.vertebrae.json", "local"]
    assert sorted(os.listdir(tmp_path / "out")) == names
    [found] = vertebrae.load(str(tmp_path / "out" / "1.2.3.4.vertebrae.json"))
    assert found.series_instance_uid == "1.2.3.4" and found.vertebrae[0].probability == 0.95
    assert _load(tmp_path / "out" / "deep-one.vertebrae.json")["status"] == "answered"


def test_what_is_unknown_or_broken_is_listed(tmp_path, stub, capsys):
    _write_volume(tmp_path / "in" / "thin.mha", num_slices=3)
    tiny_export.write_study(str(tmp_path / "in" / "t1"), echo_time_ms=12.0)
    (tmp_path / "in" / "broken.mha").write_bytes(b"no volume")
    status, said = _run(capsys, input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    assert status == 3
    assert "0 answered, 3 rejected" in said.out
    content = _load(tmp_path / "out" / "thin.vertebrae.json")
    assert content["status"] == "unknown" and "3 sagittal slices" in content["reason"]
    assert all(body["level"] is None for body in content["vertebrae"])
    lines = (tmp_path / "out" / "local" / "rejects.jsonl").read_text().splitlines()
    reasons = " ".join(json.loads(line)["reason"] for line in lines)
    for expected in ("3 sagittal slices", "cannot be read", "no sagittal T2 series"):
        assert expected in reasons
    assert "Somebody" not in said.out


def test_nothing_to_look_at_is_an_error(tmp_path, stub, capsys):
    status, said = _run(capsys, input_dir=tmp_path, output_dir=tmp_path / "out")
    assert status == 1 and "holds no DICOM MR image and no volume" in said.err
    assert not os.path.exists(tmp_path / "out")


def test_an_absent_detector_is_an_error(tmp_path, capsys):
    tiny_export.write_study(str(tmp_path / "in"))
    values = dict(input_dir=tmp_path / "in", output_dir=tmp_path / "out", detector="absent")
    status, said = _run(capsys, **values)
    assert status == 1 and "--detector must be builtin" in said.err


@pytest.mark.real_data
def test_a_brain_is_rejected_by_name(tmp_path):
    name = "OtherEXampleFromTCIA_t2_bet.nii.gz"
    os.symlink(os.path.join(_REAL, "brain_mr", name), tmp_path / name)
    report = detect_lib.detect(str(tmp_path), str(tmp_path / "out"))
    assert report.num_answered == 0
    assert "out of domain" in report.rejections[0].reason and name in report.rejections[0].path


@pytest.mark.real_data
def test_a_patient_is_named_by_the_builtin_detector(tmp_path):
    name = "45_t2_SPACE.mha"
    os.symlink(os.path.join(_REAL, "spider_t2space", "images", name), tmp_path / name)
    report = detect_lib.detect(str(tmp_path), str(tmp_path / "out"))
    assert report.exit_status == 0
    [found] = vertebrae.load(str(tmp_path / "out" / "45_t2_SPACE.vertebrae.json"))
    assert [body.level.value for body in found.vertebrae][-6:] == [
        *("L1", "L2", "L3", "L4", "L5", "S1")
    ]


def test_a_single_volume(tmp_path, stub, capsys):
    _write_volume(tmp_path / "in" / "one.nii.gz")
    status, _ = _run(capsys, input_dir=tmp_path / "in" / "one.nii.gz", output_dir=tmp_path / "out")
    assert status == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["local", "one.png", "one.vertebrae.json"]


def test_a_file_that_is_no_volume_is_an_error(tmp_path, stub, capsys):
    (tmp_path / "image.dcm").write_bytes(b"DICM")
    values = {"input_dir": tmp_path / "image.dcm", "output_dir": tmp_path / "out"}
    status, said = _run(capsys, **values)
    assert status == 1 and "is a file and no volume (.nii.gz" in said.err
    status, said = _run(capsys, **(values | {"input_dir": tmp_path / "absent"}))
    assert status == 1 and "absent: there is no such file or folder." in said.err


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    tiny_export.write_study(str(tmp_path / "in" / "study"))
    _write_volume(tmp_path / "in" / "one.nii.gz")
    values = {"input_dir": tmp_path / "in", "output_dir": tmp_path / "out", "dry_run": True}
    status, said = _run(capsys, **values)
    assert status == 0 and os.listdir(tmp_path) == ["in"]
    told = f"{tmp_path / 'out'} would hold what is found in 1 study and 1 volume. Nothing was"
    assert said.out == f"{told} written.\n"
