"""Tests of data_prep.study."""

import json
import os
import pathlib
import shutil

import pytest

from data_prep import dicom, rejection, study
from spine_tf import levels, vertebrae
from tests.data_prep import dicom_samples

_STUDY = pathlib.Path(__file__).parents[3] / "shared" / "data" / "lumbar_study"


def write_vertebrae(path, series_uid):
    content = vertebrae.to_json(dicom_samples.make_annotation(series_uid))
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("place", ["inside", "beside", "given"])
def test_load_study_finds_series_and_annotation(tmp_path, place):
    uid = dicom_samples.write_study(tmp_path / "study")
    folder = {"inside": tmp_path / "study", "beside": tmp_path, "given": tmp_path / "given"}[place]
    folder.mkdir(exist_ok=True)
    write_vertebrae(folder / "vertebrae.json", uid)
    given = str(folder) if place == "given" else None
    loaded = study.load_study(str(tmp_path / "study"), given)
    assert loaded.series.uid == uid
    assert loaded.study_instance_uid == "1.2.3"
    assert loaded.volume.array.shape == (4, 6, 5)
    assert [v.level for v in loaded.annotation.vertebrae] == [levels.VertebraLevel.L4]
    assert loaded.note == ""


def test_another_annotated_t2_series_is_used_and_said(tmp_path):
    dicom_samples.write_study(tmp_path)
    coarse = dicom_samples.make_affine(row_mm=1.5)
    dicom_samples.write_series(tmp_path / "coarse", coarse, series_instance_uid="1.2.3.9")
    write_vertebrae(tmp_path / "vertebrae.json", "1.2.3.9")
    loaded = study.load_study(str(tmp_path))
    assert loaded.series.uid == "1.2.3.9"
    assert loaded.choice.series.uid == "1.2.3.1"
    assert loaded.note == "1.2.3.9 is used, because 1.2.3.1 is not annotated"


def test_vertebrae_of_another_series_are_an_error(tmp_path):
    dicom_samples.write_study(tmp_path)
    write_vertebrae(tmp_path / "vertebrae.json", "9.9")
    with pytest.raises(ValueError, match=r"vertebrae.json \(9.9\): .*not here"):
        study.load_study(str(tmp_path))


def test_vertebrae_of_the_t1_series_are_explained(tmp_path):
    dicom_samples.write_study(tmp_path)
    write_vertebrae(tmp_path / "vertebrae.json", "1.2.3.2")
    with pytest.raises(ValueError, match="1.2.3.1 has no annotation.*not usable: 1.2.3.2.*not T2"):
        study.load_study(str(tmp_path))


def test_vertebrae_in_another_frame_are_an_error(tmp_path):
    dicom_samples.write_study(tmp_path)
    annotation = dicom_samples.make_annotation("1.2.3.1")
    moved_mm = annotation.vertebrae[0].corners_mm + [0, 40, 0]
    moved = vertebrae.Vertebra(levels.VertebraLevel.L4, moved_mm)
    content = vertebrae.to_json(vertebrae.Annotation((moved,), series_instance_uid="1.2.3.1"))
    (tmp_path / "vertebrae.json").write_text(json.dumps(content))
    # Column 2.5 and 40 mm further at 0.6 mm.
    with pytest.raises(ValueError, match=r"1.2.3.1.*puts L4 outside.*\[2, 2, 69\].*LPS"):
        study.load_study(str(tmp_path))


def test_no_vertebrae_is_an_error(tmp_path):
    dicom_samples.write_study(tmp_path / "study")
    with pytest.raises(FileNotFoundError, match="there is no vertebrae.json"):
        study.load_study(str(tmp_path / "study"))


def test_folder_without_dicom_is_an_error(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(ValueError, match="holds no DICOM MR image .1 files: 1 not DICOM"):
        study.load_study(str(tmp_path))


def test_folder_without_sagittal_t2_is_an_error_that_tells_what_it_saw(tmp_path):
    dicom_samples.write_study(tmp_path)
    shutil.rmtree(tmp_path / "t2")
    with pytest.raises(rejection.RejectedInput, match="no sagittal T2.*not T2.*not sagittal") as e:
        study.load_study(str(tmp_path))
    assert e.value.rejection.path == str(tmp_path)


def test_two_studies_in_one_folder_are_an_error(tmp_path):
    dicom_samples.write_study(tmp_path / "a", "1.1")
    dicom_samples.write_study(tmp_path / "b", "1.2")
    with pytest.raises(ValueError, match="holds 2 studies.*1.1.*1.2"):
        study.load_study(str(tmp_path))


def test_group_and_date(tmp_path):
    dicom_samples.write_study(tmp_path / "b", "1.2", study_date="20210203")
    dicom_samples.write_study(tmp_path / "a", "1.1", study_date="20200203")
    grouped = study.group(dicom.scan_folder(str(tmp_path)).series)
    assert [(item.uid, item.date) for item in grouped] == [("1.1", "20200203"), ("1.2", "20210203")]
    assert grouped[0].folder == os.path.join(tmp_path, "a")
    assert grouped[0].patient_ids == {"someone"}


@pytest.mark.real_data
def test_real_study_loads():
    loaded = study.load_study(str(_STUDY / "dicom"))
    assert len(loaded.annotation.vertebrae) == 7
    assert loaded.volume.array.shape == (12, 512, 512)
