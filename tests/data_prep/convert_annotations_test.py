"""Tests of the convert-annotations command."""

import json

import pytest

from data_prep import convert_annotations
from spine_tf import cli, levels, vertebrae
from tests.data_prep import dicom_samples, other_annotations_test, spider_samples


def run(folder, form, *more):
    paths = (f"--input_dir={folder / 'maps'}", f"--output={folder / 'vertebrae.json'}")
    arguments = (f"--format={form}", *paths, *more)
    return cli.call(convert_annotations.define_flags, convert_annotations.main, arguments)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "maps").mkdir()
    return tmp_path


def write(folder, name):
    other_annotations_test.write_map(folder / "maps" / name, levels.LABEL_MAPS["totalspineseg"])


def test_files_named_after_their_series(folder, capsys):
    write(folder, "1.2.3.nii.gz")
    write(folder, "1.2.4_seg.mha")
    write(folder, "other.nii.gz")
    assert run(folder, "totalspineseg") == cli.EXIT_REJECTED
    found = vertebrae.load(str(folder / "vertebrae.json"))
    assert [item.series_instance_uid for item in found] == ["1.2.3", "1.2.4"]
    printed = capsys.readouterr().out
    assert "2 annotated series" in printed
    assert "other.nii.gz: is not named after its SeriesInstanceUID" in printed


def test_a_table_names_the_series(folder):
    write(folder, "other.nii.gz")
    (folder / "series.csv").write_text("file,series_instance_uid\nother.nii.gz,1.2.9\n")
    status = run(folder, "totalspineseg", f"--series_csv={folder / 'series.csv'}")
    assert status == cli.EXIT_DONE
    assert json.loads((folder / "vertebrae.json").read_text())[0]["series_instance_uid"] == "1.2.9"


def test_a_dry_run_reads_all_and_writes_nothing(folder, capsys):
    write(folder, "1.2.3.nii.gz")
    write(folder, "other.nii.gz")
    assert run(folder, "totalspineseg", "--dry_run") == cli.EXIT_REJECTED
    assert sorted(path.name for path in folder.iterdir()) == ["maps"]
    printed = capsys.readouterr().out
    assert "nothing is written: 1 annotated series" in printed
    assert "other.nii.gz: is not named after its SeriesInstanceUID" in printed


def test_quads_must_lie_in_the_images(folder, capsys):
    """The sample's map lies in the series of its own affine, and in no other."""
    mask, affine = spider_samples.make_mask().astype("uint16"), spider_samples.make_affine()
    for uid, place in (("1.2.3", affine), ("1.2.4", dicom_samples.make_affine())):
        dicom_samples.write_series(folder / uid, place, mask, series_instance_uid=uid)
        write(folder, f"{uid}.nii.gz")
    write(folder, "1.2.5.nii.gz")
    assert run(folder, "totalspineseg", f"--dicom_dir={folder}") == cli.EXIT_REJECTED
    found = vertebrae.load(str(folder / "vertebrae.json"))
    assert [item.series_instance_uid for item in found] == ["1.2.3"]
    printed = capsys.readouterr().out
    assert "outside the images" in printed
    assert "1.2.5): annotates a series that is not below --dicom_dir" in printed


@pytest.mark.parametrize("right_echo_ms, other_echo_ms", [(90, 100), (100, 90)])
def test_quads_may_lie_in_any_stack_of_a_series(folder, right_echo_ms, other_echo_ms):
    mask, affine = spider_samples.make_mask().astype("uint16"), spider_samples.make_affine()
    moved = affine.copy()
    moved[:3, 3] += affine[:3, 0] * (len(mask) - 1)  # the two have one slice in common
    for place, echo_ms in ((affine, right_echo_ms), (moved, other_echo_ms)):
        header = {"series_instance_uid": "1.2.3", "echo_time_ms": float(echo_ms)}
        paths = dicom_samples.write_series(folder / str(echo_ms), place, mask, **header)
        for number, path in enumerate(paths):
            dicom_samples.edit(path, SOPInstanceUID=f"1.2.3.{echo_ms}.{number}")
    write(folder, "1.2.3.nii.gz")
    assert run(folder, "totalspineseg", f"--dicom_dir={folder}") == cli.EXIT_DONE


def test_spinenet_needs_the_images(folder):
    assert run(folder, "spinenet") == cli.EXIT_USAGE
    array = dicom_samples.make_array(6, 80, 50)
    dicom_samples.write_series(folder / "series", array=array, series_instance_uid="1.2.3")
    other_annotations_test.write_spinenet(folder / "maps" / "1.2.3.csv")
    assert run(folder, "spinenet", f"--dicom_dir={folder / 'series'}") == cli.EXIT_DONE


def test_nothing_to_convert_is_1(folder, capsys):
    assert run(folder, "spider") == cli.EXIT_FAILED
    assert "there is no file of this format" in capsys.readouterr().err
