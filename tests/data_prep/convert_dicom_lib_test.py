"""Tests of data_prep.convert_dicom_lib."""

import json
import os
import pathlib
import pickle

import numpy as np
import pytest

from data_prep import convert_dicom_lib, deidentify, detectors, dicom, rejection
from spine_tf import vertebrae
from tests import tiny_export
from tests.data_prep import dicom_samples, stub_finder

_KEY = b"k" * 32
_STUDY = pathlib.Path(__file__).parents[3] / "shared" / "data" / "lumbar_study"


def annotate(folder, *series_uids):
    content = [vertebrae.to_json(dicom_samples.make_annotation(uid)) for uid in series_uids]
    (folder / "vertebrae.json").write_text(json.dumps(content))


def make_plan(folder, **inputs):
    return convert_dicom_lib.plan(convert_dicom_lib.Inputs(str(folder), **inputs), _KEY)


def subject(patient_id):
    return deidentify.pseudonym(_KEY, "subject", patient_id)


def test_visits_follow_the_dates_and_days_start_at_the_first(tmp_path):
    for uid, date in (("1.1", "20300101"), ("1.2", "20200101"), ("1.3", "20200301")):
        dicom_samples.write_study(tmp_path / uid, uid, study_date=date)
    annotate(tmp_path, "1.1.1", "1.2.1", "1.3.1")
    requests = make_plan(tmp_path).requests
    # 2020 is a leap year: January has 31 days and February 29. Ten years hold 3653 days.
    assert [(r.uid, r.visit, r.days) for r in requests] == [
        ("1.2.1", 0, 0),
        ("1.3.1", 1, 60),
        ("1.1.1", 2, 3653),
    ]
    assert {r.subject_key for r in requests} == {subject("someone")}
    assert requests[0].scan_key == deidentify.pseudonym(_KEY, "scan", "1.2.1")
    assert requests[0].field_strength_t == 1.5


def test_two_studies_of_one_day_are_ordered_by_uid(tmp_path):
    for uid in ("1.2", "1.1"):
        dicom_samples.write_study(tmp_path / uid, uid)
    annotate(tmp_path, "1.1.1", "1.2.1")
    requests = make_plan(tmp_path).requests
    assert [(r.uid, r.visit, r.days) for r in requests] == [("1.1.1", 0, 0), ("1.2.1", 1, 0)]


def test_families_and_gradings_reach_their_studies(tmp_path):
    for uid, patient_id in (("1.1", "ann"), ("1.2", "bob"), ("1.3", "eve")):
        dicom_samples.write_study(tmp_path / uid, uid, patient_id=patient_id)
    annotate(tmp_path, "1.1.1", "1.2.1", "1.3.1")
    (tmp_path / "families.csv").write_text("patient_id,family\nann,F\nbob,F\nzed,F\n")
    (tmp_path / "gradings.csv").write_text(
        "study_instance_uid,disc,grading,value\n1.2,L4-L5,pfirrmann,2\n7,L4-L5,pfirrmann,2\n"
    )
    plan = make_plan(tmp_path)
    ann, bob, eve = plan.requests
    assert ann.family_key == bob.family_key == deidentify.pseudonym(_KEY, "family", "F")
    assert eve.family_key == deidentify.pseudonym(_KEY, "family", "eve")
    assert (ann.gradings, bob.gradings) == ({}, {"L4-L5": {"pfirrmann": 2}})
    assert [os.path.basename(item.path) for item in plan.rejections] == [
        "gradings.csv",
        "families.csv",
    ]


def test_no_patient_attribute_leaves(tmp_path):
    dicom_samples.write_study(tmp_path, patient_id="ann-1234")
    annotate(tmp_path, "1.2.3.1")
    (tmp_path / "families.csv").write_text("patient_id,family\nzed-1234,F\n")
    plan = make_plan(tmp_path)
    for text in (pickle.dumps(plan.requests), repr(plan).encode()):
        assert b"ann-1234" not in text
        assert b"zed-1234" not in text
        assert b"20200131" not in text


def test_studies_without_patient_id_are_quarantined(tmp_path):
    for uid in ("1.1", "1.2"):
        dicom_samples.write_study(tmp_path / uid, uid, patient_id="")
    annotate(tmp_path, "1.1.1", "1.2.1")
    plan = make_plan(tmp_path)
    assert not plan.requests
    assert [item.uid for item in plan.rejections] == ["1.1", "1.2"]
    assert "empty and shared by 2 studies" in plan.rejections[0].reason


def test_one_study_without_patient_id_is_a_subject_of_its_own(tmp_path):
    dicom_samples.write_study(tmp_path / "a", "1.1", patient_id="")
    dicom_samples.write_study(tmp_path / "b", "1.2", patient_id="ann")
    annotate(tmp_path, "1.1.1", "1.2.1")
    plan = make_plan(tmp_path)
    assert {r.subject_key for r in plan.requests} == {subject("study:1.1"), subject("ann")}
    assert plan.lines[-1].startswith("One study has no PatientID")


@pytest.mark.parametrize("attribute", ["PatientSex", "PatientBirthDate"])
def test_one_patient_id_of_two_people_is_quarantined(tmp_path, attribute):
    values = {"PatientSex": "FM", "PatientBirthDate": ("19720405", "19800101")}[attribute]
    for uid, value in zip(("1.1", "1.2"), values, strict=True):
        dicom_samples.write_study(tmp_path / uid, uid, patient_id="ann-17")
        for path in (tmp_path / uid / "t2").iterdir():
            dicom_samples.edit(str(path), **{attribute: value})
    dicom_samples.write_study(tmp_path / "c", "1.3", patient_id="bob")
    annotate(tmp_path, "1.1.1", "1.2.1", "1.3.1")
    plan = make_plan(tmp_path)
    assert [r.uid for r in plan.requests] == ["1.3.1"]
    assert [item.uid for item in plan.rejections] == ["1.1", "1.2"]
    for item in plan.rejections:
        assert f"2 studies with 2 different {attribute}" in item.reason
    assert not any(value in repr(plan) for value in ("ann-17", "19720405", "19800101"))


def test_more_studies_than_allowed_are_quarantined(tmp_path):
    for uid in ("1.1", "1.2"):
        dicom_samples.write_study(tmp_path / uid, uid)
    annotate(tmp_path, "1.1.1", "1.2.1")
    assert len(make_plan(tmp_path, max_visits=2).requests) == 2
    assert "more than --max_visits=1" in make_plan(tmp_path, max_visits=1).rejections[0].reason


def test_the_same_pixels_under_two_ids_are_one_subject(tmp_path):
    """ann and bob are one person: the copy goes, and bob's other study is a visit."""
    dicom_samples.write_study(tmp_path / "a", "1.1", patient_id="bob", study_date="20200101")
    dicom_samples.write_study(tmp_path / "b", "1.2", patient_id="bob", study_date="20200111")
    array = dicom.read_volume(dicom.scan_folder(str(tmp_path / "b" / "t2")).series[0]).as_uint16()
    dicom_samples.write_series(
        tmp_path / "c",
        array=array,
        patient_id="ann",
        study_instance_uid="1.3",
        series_instance_uid="1.3.1",
    )
    annotate(tmp_path, "1.1.1", "1.2.1", "1.3.1")
    (tmp_path / "families.csv").write_text("patient_id,family\nbob,F\n")
    plan = make_plan(tmp_path)
    assert [(r.uid, r.visit, r.days) for r in plan.requests] == [("1.1.1", 0, 0), ("1.2.1", 1, 10)]
    assert {r.subject_key for r in plan.requests} == {subject("ann")}
    assert {r.family_key for r in plan.requests} == {deidentify.pseudonym(_KEY, "family", "F")}
    assert plan.not_needed["studies: a copy of another one, under another PatientID"] == 1
    assert "study 1.3 has the pixels of study 1.2" in plan.lines[-1]


def test_undated_study_of_a_subject_with_several_is_rejected(tmp_path):
    dicom_samples.write_study(tmp_path / "a", "1.1", study_date="")
    dicom_samples.write_study(tmp_path / "b", "1.2")
    annotate(tmp_path, "1.1.1", "1.2.1")
    plan = make_plan(tmp_path)
    assert [r.uid for r in plan.requests] == ["1.2.1"]
    assert [(item.uid, item.reason[:16]) for item in plan.rejections] == [
        ("1.1", "has no StudyDate")
    ]


def break_missing_slice(folder):
    array = dicom_samples.make_array(slices=5)
    uid = "1.2.3.1"
    os.remove(dicom_samples.write_series(folder / "t2", array=array, series_instance_uid=uid)[2])


def break_duplicate_slice(folder):
    path = str(folder / "t2" / "IM-0002.dcm")
    dicom_samples.edit(path, ImagePositionPatient=[-10, -20, 30])


def break_echo_time(folder):
    for path in (folder / "t2").iterdir():
        dicom_samples.edit(str(path), EchoTime=None)


def break_patient(folder):
    dicom_samples.edit(str(folder / "t2" / "IM-0002.dcm"), PatientID="another")


@pytest.mark.parametrize(
    ("break_study", "reason"),
    [
        (break_missing_slice, "slices missing"),
        (break_duplicate_slice, "slice position of another file"),
        (break_echo_time, "no sagittal T2 series"),
        (break_patient, "more than one patient"),
    ],
)
def test_one_bad_study_does_not_stop_the_others(tmp_path, break_study, reason):
    dicom_samples.write_study(tmp_path / "bad")
    dicom_samples.write_study(tmp_path / "good", "1.9")
    annotate(tmp_path, "1.2.3.1", "1.9.1")
    break_study(tmp_path / "bad")
    plan = make_plan(tmp_path)
    assert [r.uid for r in plan.requests] == ["1.9.1"]
    (rejected,) = plan.rejections
    assert reason in rejected.reason
    assert str(tmp_path / "bad") in rejected.path
    assert rejected.uid.startswith("1.2.3")


def test_study_without_annotation_is_rejected_beside_others(tmp_path):
    dicom_samples.write_study(tmp_path / "a", "1.1")
    dicom_samples.write_study(tmp_path / "b", "1.2")
    annotate(tmp_path, "1.2.1", "9.9")
    plan = make_plan(tmp_path)
    assert [r.uid for r in plan.requests] == ["1.2.1"]
    assert [(item.uid, item.reason.split(";")[0]) for item in plan.rejections] == [
        ("1.1", "its sagittal T2 series 1.1.1 has no annotation"),
        ("9.9", "annotates a series that is not here"),
    ]


def test_annotation_files_in_the_folders_of_the_studies_are_found(tmp_path):
    for uid in ("1.1", "1.2"):
        dicom_samples.write_study(tmp_path / uid, uid)
        annotate(tmp_path / uid, f"{uid}.1")
    plan = make_plan(tmp_path)
    assert [r.uid for r in plan.requests] == ["1.1.1", "1.2.1"]
    assert not plan.rejections


def test_what_is_not_needed_is_counted(tmp_path):
    dicom_samples.write_study(tmp_path)
    dicom_samples.write_series(
        tmp_path / "coarse", dicom_samples.make_affine(row_mm=2), series_instance_uid="1.2.3.9"
    )
    annotate(tmp_path, "1.2.3.1")
    assert make_plan(tmp_path).not_needed == {
        "files: not DICOM": 1,
        "series: not T2": 1,
        "series: not sagittal": 1,
        "series: another sagittal T2": 1,
    }


def test_nothing_to_convert_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path}: holds no DICOM MR image"):
        make_plan(tmp_path)
    dicom_samples.write_study(tmp_path)
    with pytest.raises(ValueError, match="no vertebrae.json beside the studies"):
        make_plan(tmp_path)
    annotate(tmp_path, "9.9")
    with pytest.raises(ValueError, match=r"no annotation belongs .*9\.9.*not here"):
        make_plan(tmp_path)
    break_echo_time(tmp_path)
    with pytest.raises(ValueError, match=f"{tmp_path}: no study has a sagittal T2 series"):
        make_plan(tmp_path)


def test_load_reads_the_volume_and_rejects_a_truncated_file(tmp_path):
    dicom_samples.write_study(tmp_path)
    annotate(tmp_path, "1.2.3.1")
    (request,) = make_plan(tmp_path).requests
    request = pickle.loads(pickle.dumps(request))
    scan, annotation = convert_dicom_lib.load(request)
    np.testing.assert_array_equal(scan.array, dicom_samples.make_array())
    assert annotation.series_instance_uid == "1.2.3.1"
    path = tmp_path / "t2" / "IM-0003.dcm"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(rejection.RejectedInput, match="IM-0003.dcm"):
        convert_dicom_lib.load(request)


@pytest.mark.real_data
def test_real_study_is_planned():
    plan = make_plan(_STUDY)
    assert len(plan.requests) == 1
    assert not plan.rejections
    assert len(plan.requests[0].payload.annotation.vertebrae) == 7
    assert plan.not_needed["series: mixed orientation"] == 2


def test_no_detector_takes_the_place_of_an_annotation_that_is_refused(tmp_path):
    for uid in ("1.1", "1.2", "1.3"):
        dicom_samples.write_study(tmp_path / uid, uid, patient_id=uid)
    annotate(tmp_path, "1.1.1", "1.2.1")
    path = tmp_path / "vertebrae.json"
    content = json.loads(path.read_text())
    content[1]["vertebrae"][0]["level"] = "L9"
    path.write_text(json.dumps(content))
    plan = make_plan(tmp_path, detector=detectors.BUILTIN)
    found = {r.uid: r.payload.annotation is not None for r in plan.requests}
    assert found == {"1.1.1": True, "1.3.1": False}
    reasons = {item.uid: item.reason for item in plan.rejections}
    assert set(reasons) == {"1.2", "1.2.1"}
    assert reasons["1.2"].startswith("the annotation of its vertebrae cannot be used; mend it")


def test_studies_without_annotation_are_left_to_the_detector(tmp_path, monkeypatch):
    folder = tiny_export.write_study(str(tmp_path / "study"))
    os.remove(os.path.join(folder, "vertebrae.json"))
    inputs = convert_dicom_lib.Inputs(folder, detector=detectors.BUILTIN)
    [request] = convert_dicom_lib.plan(inputs, b"key").requests
    assert request.payload.annotation is None
    assert request.payload.weights == detectors.source(detectors.BUILTIN)

    monkeypatch.setattr(detectors, "load", lambda name: stub_finder.Finder())
    scan, annotation = convert_dicom_lib.load(request, str(tmp_path / "out"))
    assert scan.array.shape == (11, 230, 110)
    [kept] = (tmp_path / "out" / "local" / "vertebrae").iterdir()
    assert kept.name == f"{request.scan_key}.json" and kept.stat().st_mode & 0o777 == 0o600
    [again] = vertebrae.load(str(kept))
    assert [b.probability for b in again.vertebrae] == [b.probability for b in annotation.vertebrae]
    assert again.series_instance_uid == "1.2.3.4"

    unknown = stub_finder.Finder(**{"1.2.3.4": stub_finder.unknown})
    monkeypatch.setattr(detectors, "load", lambda name: unknown)
    with pytest.raises(rejection.RejectedInput, match="levels of its vertebrae are unknown: a tie"):
        convert_dicom_lib.load(request)
    with pytest.raises(ValueError, match="there is no vertebrae.json"):
        convert_dicom_lib.plan(convert_dicom_lib.Inputs(folder), b"key")
