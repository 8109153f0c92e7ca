"""A cohort as DICOM, straight as records, and the script."""

import csv
import json
import os

import numpy as np
import pytest

from data_prep import (
    convert_dicom_lib,
    dicom,
    make_phantom,
    make_phantom_lib,
    series_choice,
)
from spine_tf import cli, vertebrae
from spine_tf.phantom import cohort

CONFIG = cohort.CohortConfig(num_subjects=2, seed=4, matrices=(96,))
KEY = bytes(32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    output_dir = str(tmp_path_factory.mktemp("cohort"))
    make_phantom_lib.write_cohort(CONFIG, output_dir)
    return output_dir


def _paths(folder):
    return sorted(os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)


def _rows(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_layout(folder):
    assert {"studies", "vertebrae.json", "gradings.csv", "families.csv"} <= set(os.listdir(folder))
    for study in make_phantom_lib.studies(CONFIG):
        found = set(os.listdir(os.path.join(folder, study.folder)))
        assert found == {"T2", "T1", "LOC"}
        assert os.path.exists(os.path.join(folder, study.folder, "T2", "IM-0001.dcm"))


def test_tables_match_the_studies(folder):
    planned = list(make_phantom_lib.studies(CONFIG))
    found = vertebrae.load(os.path.join(folder, "vertebrae.json"))
    assert [a.series_instance_uid for a in found] == [study.series_uid for study in planned]
    gradings = _rows(folder, "gradings.csv")
    assert len(gradings) == len(planned) * 5 * 9
    assert {row["study_instance_uid"] for row in gradings} == {s.uid("study") for s in planned}
    families = _rows(folder, "families.csv")
    assert len(families) == 2 and len({row["family"] for row in families}) == 1


def test_the_t2_series_is_chosen_without_descriptions(folder):
    study = next(make_phantom_lib.studies(CONFIG))
    scan = dicom.scan_folder(os.path.join(folder, study.folder))
    choice = series_choice.choose_sagittal_t2(scan.series)
    assert len(scan.series) == 5 and not scan.rejections
    assert [series.uid for series in choice.candidates] == [study.series_uid]


def test_dicom_and_direct_requests_agree(folder):
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), KEY)
    assert not plan.rejections
    direct = {r.scan_key: r for r in make_phantom_lib.scan_requests(CONFIG, KEY)}
    assert set(direct) == {request.scan_key for request in plan.requests}
    for request in plan.requests:
        other = direct[request.scan_key]
        for name in "subject_key family_key visit days field_strength_t uid".split():
            assert getattr(request, name) == getattr(other, name)
        assert {k: dict(v) for k, v in request.gradings.items()} == other.gradings


def test_dicom_and_direct_scans_agree(folder):
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), KEY)
    direct = {r.scan_key: r for r in make_phantom_lib.scan_requests(CONFIG, KEY)}
    for request in plan.requests[:2]:
        scan, annotation = convert_dicom_lib.load(request)
        other, expected = make_phantom_lib.load(direct[request.scan_key])
        np.testing.assert_array_equal(scan.array, other.array)
        np.testing.assert_allclose(scan.affine, other.affine, atol=1e-5)
        for one, two in zip(annotation.vertebrae, expected.vertebrae, strict=True):
            np.testing.assert_array_equal(one.corners_mm, two.corners_mm)


def test_crops_from_dicom_and_direct_agree(folder):
    from spine_tf.data import crops

    request = make_phantom_lib.scan_requests(CONFIG, KEY)[0]
    planned = convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), KEY).requests
    written = next(item for item in planned if item.scan_key == request.scan_key)
    images = []
    for scan, annotation in (make_phantom_lib.load(request), convert_dicom_lib.load(written)):
        corners_mm = np.stack([v.corners_mm for v in annotation.vertebrae])
        cut = crops.crop_vertebrae(scan.array, scan.affine, corners_mm, scale=0.5, stored=False)
        images.append(cut["image"].numpy())
    np.testing.assert_allclose(images[0], images[1], atol=1e-4)


def test_a_stopped_run_goes_on_and_ends_the_same(folder, tmp_path):
    output_dir = str(tmp_path / "again")
    first = next(make_phantom_lib.studies(CONFIG))
    make_phantom_lib.write_study(first, os.path.join(output_dir, first.folder))
    kept = os.path.join(output_dir, first.folder, "T2", "IM-0001.dcm")
    modified = os.stat(kept).st_mtime_ns
    make_phantom_lib.write_cohort(CONFIG, output_dir)
    assert os.stat(kept).st_mtime_ns == modified
    for one, other in zip(_paths(folder), _paths(output_dir), strict=True):
        with open(one, "rb") as a, open(other, "rb") as b:
            assert a.read() == b.read(), one


def test_another_cohort_is_refused(folder):
    other = cohort.CohortConfig(num_subjects=2, seed=5, matrices=(96,))
    with pytest.raises(ValueError, match="same cohort"):
        make_phantom_lib.write_cohort(other, folder)


def test_no_processes(tmp_path):
    with pytest.raises(ValueError, match="`num_processes` must be at least 1, got 0"):
        make_phantom_lib.write_cohort(CONFIG, str(tmp_path), 0)


def test_script(tmp_path, monkeypatch, capsys):
    written = []
    monkeypatch.setattr(
        make_phantom_lib, "write_cohort", lambda *arguments: written.append(arguments) or 5
    )
    arguments = [f"--output_dir={tmp_path}", "--num_subjects=3", "--seed=7", "--num_processes=2"]
    assert cli.call(make_phantom.define_flags, make_phantom.main, arguments) == 0
    config, output_dir, num_processes = written[0]
    assert (config.num_subjects, config.seed) == (3, 7)
    assert (output_dir, num_processes) == (str(tmp_path), 2)
    assert "3 subjects, 5 studies" in capsys.readouterr().out


@pytest.mark.parametrize("more", [[], ["--direct_records"]])
def test_a_dry_run_writes_nothing(more, tmp_path, capsys):
    arguments = [f"--output_dir={tmp_path / 'made'}", "--num_subjects=6", "--dry_run", *more]
    assert cli.call(make_phantom.define_flags, make_phantom.main, arguments) == 0
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'made'} would hold" in printed and "Nothing was written." in printed
    assert not os.listdir(tmp_path)  # no key either


def test_script_without_output_dir():
    assert cli.call(make_phantom.define_flags, make_phantom.main, []) == 2


def test_script_saves_the_calibration(tmp_path, monkeypatch, capsys):
    from spine_tf.phantom import calibration

    monkeypatch.setattr(calibration, "measure", lambda config, num_processes: {"seed": config.seed})
    monkeypatch.setattr(calibration, "table", str)
    arguments = ["--calibrate", "--seed=3", f"--output_dir={tmp_path}"]
    assert cli.call(make_phantom.define_flags, make_phantom.main, arguments) == 0
    with open(tmp_path / "calibration.json", encoding="utf-8") as file:
        assert json.load(file) == {"seed": 3}
    assert "'seed': 3" in capsys.readouterr().out
