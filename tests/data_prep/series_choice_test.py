"""Tests of data_prep.series_choice."""

import os
import pathlib
import shutil

import pydicom
import pytest

from data_prep import dicom, series_choice
from tests.data_prep import dicom_samples

_STUDY = pathlib.Path(__file__).parents[3] / "shared" / "data" / "lumbar_study" / "dicom"


def reason(folder, affine=None, array=None, **header):
    dicom_samples.write_series(folder, affine, array, **header)
    (series,) = dicom.scan_folder(str(folder)).series
    return series_choice.why_not_sagittal_t2(series)


@pytest.mark.parametrize("tilt_deg", [0, 19.9, -19.9])
def test_sagittal_t2_qualifies_also_when_oblique(tmp_path, tilt_deg):
    assert reason(tmp_path, dicom_samples.make_affine(tilt_deg=tilt_deg)) == ""


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"echo_time_ms": 69.0}, "not T2 (TE 69 ms)"),
        ({"inversion_time_ms": 150.0}, "inversion (TI 150 ms)"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, "localizer (ImageType)"),
        ({"series_description": "3-Plane Loc"}, "localizer (SeriesDescription)"),
        ({"series_description": "FOVLoc"}, "localizer (SeriesDescription)"),
        ({"series_description": "SCOUT"}, "localizer (SeriesDescription)"),
        ({"series_description": "T2 velocity"}, ""),
    ],
)
def test_one_tag_decides(tmp_path, header, expected):
    assert reason(tmp_path, **header) == expected


def test_large_field_of_view_is_a_localizer(tmp_path):
    affine = dicom_samples.make_affine(row_mm=70.0)  # 6 rows: 420 mm
    assert reason(tmp_path, affine) == "localizer (field of view 420 mm)"


def test_axial_coronal_and_too_oblique_are_not_sagittal(tmp_path):
    assert "not sagittal" in reason(tmp_path / "a", dicom_samples.make_axial_affine())
    coronal = dicom_samples.make_affine(tilt_deg=90)
    assert "not sagittal" in reason(tmp_path / "c", coronal)
    oblique = dicom_samples.make_affine(tilt_deg=21)
    assert reason(tmp_path / "o", oblique) == "not sagittal (normal 21 degrees from x)"


def test_single_thick_slice_is_not_enough(tmp_path):
    array = dicom_samples.make_array(slices=1)
    assert "fewer than 3" in reason(tmp_path, array=array)


def test_several_orientations_are_mixed(tmp_path):
    dicom_samples.write_series(tmp_path / "a")
    dicom_samples.write_series(tmp_path / "b", dicom_samples.make_axial_affine())
    (series,) = dicom.scan_folder(str(tmp_path)).series
    assert series_choice.why_not_sagittal_t2(series) == "mixed orientation"


def test_finest_pixels_then_most_slices_win(tmp_path):
    coarse = dicom_samples.make_affine(row_mm=1.0)
    few, many = dicom_samples.make_array(slices=3), dicom_samples.make_array(slices=5)
    dicom_samples.write_series(tmp_path / "a", coarse, many, series_instance_uid="1.1")
    dicom_samples.write_series(tmp_path / "b", array=few, series_instance_uid="1.2")
    dicom_samples.write_series(tmp_path / "c", array=many, series_instance_uid="1.3")
    choice = series_choice.choose_sagittal_t2(dicom.scan_folder(str(tmp_path)).series)
    assert [series.uid for series in choice.candidates] == ["1.3", "1.2", "1.1"]


def test_lines_show_the_tags_and_no_patient(tmp_path):
    dicom_samples.write_study(tmp_path)
    choice = series_choice.choose_sagittal_t2(dicom.scan_folder(str(tmp_path)).series)
    chosen, t1, axial = choice.lines()
    assert chosen.startswith("chosen: 1.2.3.1 ")
    assert "TE 100 ms" in chosen
    assert t1.endswith("not T2 (TE 10 ms)")
    assert "not sagittal" in axial
    assert "someone" not in "".join(choice.lines())


@pytest.mark.real_data
def test_real_study_chooses_by_itself():
    choice = series_choice.choose_sagittal_t2(dicom.scan_folder(str(_STUDY)).series)
    assert len(choice.verdicts) == 6
    assert len(choice.candidates) == 1
    assert os.path.basename(os.path.dirname(choice.series.paths[0])) == "SagT2frFSES"


@pytest.mark.real_data
def test_real_study_chooses_without_any_description(tmp_path):
    for path in _STUDY.glob("*/*"):
        copy = tmp_path / path.parent.name / path.name
        copy.parent.mkdir(exist_ok=True)
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
        dataset.SeriesDescription = ""
        dataset.save_as(copy)
    shutil.copy(_STUDY / "mf.xml", tmp_path)
    choice = series_choice.choose_sagittal_t2(dicom.scan_folder(str(tmp_path)).series)
    assert os.path.basename(os.path.dirname(choice.series.paths[0])) == "SagT2frFSES"
