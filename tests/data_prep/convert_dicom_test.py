"""Tests of the convert-dicom command."""

import json
import subprocess
import sys
import zlib

import numpy as np
import pytest

from data_prep import convert_dicom
from spine_tf import cli, levels, vertebrae
from tests.data_prep import dicom_samples


def run(*arguments):
    return cli.call(convert_dicom.define_flags, convert_dicom.main, arguments)


def write_spine_study(folder, uid, **header):
    """A study of 1 mm pixels with room for L3, L4 and L5; returns its annotation."""
    affine = dicom_samples.make_affine(row_mm=1.0, column_mm=1.0)
    rng = np.random.default_rng(zlib.crc32(uid.encode()))
    array = rng.integers(100, 200, (5, 140, 90)).astype(np.uint16)
    dicom_samples.write_series(
        folder, affine, array, study_instance_uid=uid, series_instance_uid=f"{uid}.1", **header
    )
    found = []
    for index, name in enumerate(("L3", "L4", "L5")):
        top, bottom = 20.0 - 40 * index, -5.0 - 40 * index
        corners_mm = [[0, 5, top], [0, 40, top], [0, 40, bottom], [0, 5, bottom]]
        found.append(vertebrae.Vertebra(levels.VertebraLevel(name), corners_mm))
    return vertebrae.to_json(vertebrae.Annotation(tuple(found), series_instance_uid=f"{uid}.1"))


def test_help_does_not_import_tensorflow():
    code = (
        "import sys, runpy\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n    runpy.run_module('data_prep.convert_dicom', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--vertebrae" in done.stdout and "--crop_scale" in done.stdout


def test_wrong_usage_is_2(tmp_path):
    assert run("--input_dir=somewhere") == cli.EXIT_USAGE
    arguments = (f"--input_dir={tmp_path}", f"--output_dir={tmp_path / 'o'}", "--crop_scale=3")
    assert run(*arguments) == cli.EXIT_USAGE


@pytest.mark.parametrize("content", [[], ["readme.txt"]])
def test_folder_without_dicom_is_1_and_named(tmp_path, capsys, content):
    folder = tmp_path / "studies"
    folder.mkdir()
    for name in content:
        (folder / name).write_text("nothing")
    assert run(f"--input_dir={folder}", f"--output_dir={tmp_path / 'out'}") == cli.EXIT_FAILED
    assert f"{folder}: holds no DICOM MR image" in capsys.readouterr().err


def test_good_studies_are_converted_beside_a_bad_one(tmp_path, capsys):
    studies, out = tmp_path / "studies", tmp_path / "out"
    annotations = [
        write_spine_study(studies / "a", "1.1", study_date="20200101"),
        write_spine_study(studies / "b", "1.2", study_date="20300101"),
        write_spine_study(studies / "c", "1.3", patient_id="another"),
    ]
    (studies / "c" / "IM-0003.dcm").unlink()
    (studies / "vertebrae.json").write_text(json.dumps(annotations))
    arguments = (
        f"--input_dir={studies}",
        f"--output_dir={out}",
        "--crop_scale=0.5",
        "--num_shards=1",
        f"--key_file={tmp_path / 'my.key'}",
    )
    assert run(*arguments) == cli.EXIT_REJECTED
    printed = capsys.readouterr().out
    assert "chosen: 1.1.1 " in printed
    assert "1 of its slices missing" in printed
    assert f"Keep {tmp_path / 'my.key'}" in printed
    assert "someone" not in printed and "another'" not in printed
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"]["scans"] == 2
    assert manifest["counts"]["subjects"] == 1
    rejected = (out / "local" / "rejects.jsonl").read_text()
    assert json.loads(rejected)["uid"] == "1.3.1"
    choices = out / "local" / "choices.txt"
    assert "chosen: 1.1.1 " in choices.read_text() and choices.stat().st_mode & 0o777 == 0o600
    choices.write_text("as it was")
    assert run(*arguments, "--split_seed=7") == cli.EXIT_FAILED
    assert "`output_dir` must be a new folder" in capsys.readouterr().err
    assert choices.read_text() == "as it was"


PLANTED = {  # none of it can turn up by chance
    "PatientSex": "M",
    "PatientAge": "057Y",
    "PatientWeight": "83.417",
    "PatientBirthDate": "19720405",
    "PatientName": "Quixotic^Zebulon",
    "PatientID": "QZX-4711",
}


def _convert_planted(tmp_path, *flags):
    """A study with known facts beside one with placeholders; returns the data set's folder."""
    studies, out = tmp_path / "studies", tmp_path / "out"
    annotations = [
        write_spine_study(studies / "a", "1.1", study_date="20200101"),
        write_spine_study(studies / "b", "1.2", study_date="20230101"),
    ]
    for path in (studies / "a").iterdir():
        dicom_samples.edit(str(path), **PLANTED)
    for path in (studies / "b").iterdir():
        hidden = {"PatientSex": "O", "PatientAge": "000Y", "PatientWeight": "0"}
        dicom_samples.edit(str(path), **(PLANTED | hidden))
    (studies / "vertebrae.json").write_text(json.dumps(annotations))
    sizes = ("--crop_scale=0.5", "--num_shards=1")
    assert run(f"--input_dir={studies}", f"--output_dir={out}", *sizes, *flags) == cli.EXIT_DONE
    return out


def _all_bytes(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _rows(folder, kind):
    return [json.loads(line) for line in (folder / f"index-{kind}.jsonl").open()]


def test_header_facts_are_classes_and_leave_no_value(tmp_path, capfd):
    out = _convert_planted(tmp_path, "--header_facts=sex,age,weight")
    printed = "".join(capfd.readouterr())
    for value in ("057Y", "83.417", "19720405", "Quixotic", "Zebulon", "QZX-4711"):
        assert value.encode() not in _all_bytes(out) and value not in printed
    for row in _rows(out, "vertebra_pairs"):
        assert row["header_facts"] == {"sex": [1, -1], "age": [4, -1], "weight": [5, -1]}
    found = {tuple(row["visit"]): row.get("header_facts") for row in _rows(out, "disc")}
    assert found == {(0,): {"sex": [1], "age": [4], "weight": [5]}, (1,): None}


def test_without_the_flag_no_fact_is_kept(tmp_path):
    out = _convert_planted(tmp_path)
    assert b"header/" not in _all_bytes(out)
    assert not any("header_facts" in row for row in _rows(out, "vertebra_pairs"))


def test_facts_that_there_are_not_are_wrong_usage(tmp_path, capsys):
    paths = (f"--input_dir={tmp_path}", f"--output_dir={tmp_path / 'o'}")
    assert run(*paths, "--header_facts=sex,name") == cli.EXIT_USAGE
    assert "comma list of sex, age, weight" in capsys.readouterr().err
