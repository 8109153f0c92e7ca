"""Tests of data_prep.identity."""

import dataclasses
import shutil

import numpy as np
import pytest

from data_prep import archive, deidentify, dicom, header_scan, identity, study
from tests.data_prep import dicom_samples

F_1972 = deidentify.person_marks("F", "19720405")
M_1972 = deidentify.person_marks("M", "19720405")
F_1980 = deidentify.person_marks("F", "19800101")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """One series as read from files, to be changed."""
    folder = tmp_path_factory.mktemp("series")
    dicom_samples.write_series(folder)
    return dicom.scan_folder(str(folder)).series[0]


@pytest.fixture
def make_study(series):
    def make(uid, patient_id, marks=("", "")):
        changes = {"study_instance_uid": uid, "patient_id": patient_id, "person_marks": marks}
        slices = tuple(dataclasses.replace(item, **changes) for item in series.slices)
        return study.StudyFiles(uid, (dataclasses.replace(series, slices=slices),))

    return make


@pytest.mark.parametrize(
    "patient_id", ["", "0", "000-000", "ANON", "Anonymous^", "no name", "XXX", "9999", "N/A"]
)
def test_placeholders(patient_id):
    assert identity.is_fake(patient_id) == (patient_id != "no name")


@pytest.mark.parametrize(
    "patient_id", ["1", "11", "ANON-17", "4711", "P0", "subject 3", "99", "山田", "Иванов"]
)
def test_ids(patient_id):
    assert not identity.is_fake(patient_id)


def test_one_id_of_two_people(make_study):
    studies = [
        make_study("1.1", "ann", F_1972),
        make_study("1.2", "ann", M_1972),
        make_study("1.3", "ann", F_1980),
        make_study("1.4", "bob", M_1972),
    ]
    reasons = identity.quarantined(studies, 20)
    assert set(reasons) == {"1.1", "1.2", "1.3"}
    assert reasons["1.1"] == (
        "quarantined: its PatientID stands for 3 studies with 2 different PatientSex and 2"
        " different PatientBirthDate; give each patient an id of their own"
    )


def test_what_a_header_does_not_tell_is_no_conflict(make_study):
    studies = [make_study("1.1", "ann", F_1972), make_study("1.2", "ann")]
    assert identity.quarantined(studies, 20) == {}


@pytest.mark.parametrize("patient_id, said", [("ANON", "a placeholder"), ("", "empty")])
def test_a_shared_placeholder(make_study, patient_id, said):
    alone = [make_study("1.1", patient_id)]
    assert identity.quarantined(alone, 20) == {}
    reasons = identity.quarantined([*alone, make_study("1.2", patient_id)], 20)
    assert set(reasons) == {"1.1", "1.2"}
    assert f"is {said} and shared by 2 studies" in reasons["1.1"]
    assert "ANON" not in reasons["1.1"]


def test_too_many_visits(make_study):
    studies = [make_study(f"1.{i}", "ann") for i in range(3)]
    assert identity.quarantined(studies, 3) == {}
    assert "3 studies, more than --max_visits=2" in identity.quarantined(studies, 2)["1.0"]


def _scans(folder, arrays, subjects, graded=()):
    """A scan per subject; of equal numbers the pixels are equal."""
    scans = []
    for i, (number, subject) in enumerate(zip(arrays, subjects, strict=True)):
        array = dicom_samples.make_array() + np.uint16(number)
        uid = f"1.{i}"
        dicom_samples.write_series(folder / uid, array=array, series_instance_uid=f"{uid}.1")
        found = dicom.scan_folder(str(folder / uid)).series[0]
        scans.append(identity.Scan(uid, subject, found, uid in graded))
    return scans


def test_equal_pixels_are_one_person(tmp_path):
    people = identity.people(_scans(tmp_path, [7, 8, 7, 9], ["b", "c", "a", "d"]))
    assert people.subject_of == {"a": "a", "b": "a", "c": "c", "d": "d"}
    assert people.copies == {"1.2": "1.0"}
    (line,) = people.lines()
    assert "study 1.2 has the pixels of study 1.0" in line


def test_the_graded_copy_is_used(tmp_path):
    people = identity.people(_scans(tmp_path, [7, 7], ["a", "b"], graded=("1.1",)))
    assert people.copies == {"1.0": "1.1"}


def test_one_subject_may_have_equal_scans(tmp_path, monkeypatch):
    scans = _scans(tmp_path, [7, 7], ["a", "a"])
    monkeypatch.setattr(identity, "pixel_hash", None)  # no pixel is read
    assert identity.people(scans).copies == {}


def test_slices_of_one_value_and_broken_ones_tell_nothing(tmp_path):
    scans = _scans(tmp_path, [7, 7], ["a", "b"])
    for path in scans[0].series.paths:
        with open(path, "r+b") as file:
            file.truncate(file.seek(0, 2) - 40)
    assert identity.pixel_hash(scans[0].series) == b""
    assert identity.people(scans).copies == {}
    dicom_samples.write_series(tmp_path / "flat", array=np.full((4, 6, 5), 3, np.uint16))
    assert identity.pixel_hash(dicom.scan_folder(str(tmp_path / "flat")).series[0]) == b""


def test_pixels_in_a_zip_are_seen_too(tmp_path):
    (scan,) = _scans(tmp_path, [7], ["a"])
    packed = shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / scan.study_uid)
    (found,) = header_scan.scan(archive.open_input(packed)).series
    assert identity.pixel_hash(found) == identity.pixel_hash(scan.series) != b""


def test_families_of_joined_ids_are_joined():
    people = identity.People({"a": "a", "b": "a", "c": "c", "d": "d", "e": "e"}, {})
    # a and b are one person, in the families F and G; c is of G, too; d is of H.
    found = people.families({"a": "F", "b": "G", "c": "G", "d": "H"})
    assert found == {"a": "F", "c": "F", "d": "H", "e": "e"}
