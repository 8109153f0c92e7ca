"""Tests of export.structured_report: read back by highdicom and by dcmtk."""

import os
import shutil
import subprocess
import sys

import pydicom
import pytest

from export import grade_lib, grade_study, structured_report
from spine_tf import cli
from tests import tiny_export

highdicom = pytest.importorskip("highdicom", reason="highdicom is not installed")

PATIENT = {  # as odd as real headers are
    "PatientName": "Mustermann^Erika",
    "PatientID": "planted id 77",
    "PatientSex": "0000",
    "PatientBirthDate": "19700230",
    "PatientAge": "000Y",
    "AccessionNumber": "A-1234567890123456789",
    "StudyDescription": "Lumbar spine",
    "StudyID": "7",
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The study of the other tests, with more of a patient in every header."""
    folder = tiny_export.write_study(str(tmp_path_factory.mktemp("named") / "study"))
    images = os.path.join(folder, "T2")
    for name in os.listdir(images):
        dataset = pydicom.dcmread(os.path.join(images, name))
        dataset.SpecificCharacterSet = "ISO_IR 100"
        for keyword, value in PATIENT.items():
            dataset[keyword] = pydicom.DataElement(
                pydicom.datadict.tag_for_keyword(keyword),
                pydicom.datadict.dictionary_VR(keyword),
                value,
                validation_mode=pydicom.config.IGNORE,
            )
        dataset.save_as(os.path.join(images, name))
    return folder


@pytest.fixture(scope="module")
def written(study, model, tmp_path_factory):
    """(Report, path of its structured report)."""
    output_dir = str(tmp_path_factory.mktemp("sr"))
    options = grade_lib.Options(structured_report=True)
    found = grade_lib.grade(study, None, model, output_dir, options=options)
    return found, os.path.join(output_dir, grade_lib.STRUCTURED_REPORT)


@pytest.fixture(scope="module")
def document(written):
    return highdicom.sr.srread(written[1])


def test_it_belongs_to_the_study_and_its_patient(document, study):
    source = pydicom.dcmread(os.path.join(study, "T2", "IM-0001.dcm"))
    assert document.StudyInstanceUID == source.StudyInstanceUID == "1.2.3"
    assert document.SeriesInstanceUID != source.SeriesInstanceUID
    for keyword in (*PATIENT, "StudyDate"):
        assert document[keyword].value == source[keyword].value, keyword
    assert document.Modality == "SR" and document.VerificationFlag == "UNVERIFIED"


def test_the_evidence_is_the_graded_series(document, written):
    (item,) = document.CurrentRequestedProcedureEvidenceSequence
    (series,) = item.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == "1.2.3.4"
    found = {image.ReferencedSOPInstanceUID for image in series.ReferencedSOPSequence}
    assert found == {image.sop_instance_uid for image in written[0].content.series.slices}


def test_every_disc_has_its_coded_grades(document, written):
    groups = document.content.get_image_measurement_groups()
    discs = written[0].content.discs
    assert len(groups) == len(discs) == 6
    for group, disc in zip(groups, discs, strict=True):
        assert group.tracking_identifier == f"disc {disc.level}"
        (site,) = group.finding_sites
        assert site.value.meaning == f"{disc.level.replace('-', '/')} disc"
        assert site.value.scheme_designator == "SCT"
        items = [item[0] for item in group.get_qualitative_evaluations()]
        coded = {item.name.value: item.value.value for item in items}
        yes_no = {True: "373066001", False: "373067005"}
        pfirrmann = disc.grades[0]
        assert coded["PFI"] == f"PFI-{pfirrmann.grade}"
        assert coded["PFI-U"] == yes_no[pfirrmann.uncertain]
        assert coded["PFI-T"] == yes_no[pfirrmann.was_graded]
        assert coded["SPL"] == f"SPL-{disc.grades[1].grade}"
        assert coded["OUTLIER"] == yes_no[disc.is_outlier]
        assert coded["CALIBRATED"] == yes_no[True]
        numbers = {item.name.value: item.value for item in group.get_measurements()}
        assert set(numbers) == {"PFI-E", "PFI-P", "SPL-E", "SPL-P", "DISTANCE"}
        assert numbers["PFI-E"] == pytest.approx(pfirrmann.expected_grade, abs=1e-6)
        best = pfirrmann.probabilities[pfirrmann.grade]
        assert numbers["PFI-P"] == pytest.approx(best, abs=1e-6)
        assert numbers["DISTANCE"] == pytest.approx(disc.distance, abs=1e-6)


def test_the_level_of_a_disc_is_coded(document):
    group = document.content.get_image_measurement_groups()[4]
    assert group.finding_sites[0].value.value == "84020006"  # L4/L5 disc, DICOM CID 7604


def test_the_algorithm_is_named_with_its_version(document, written):
    text = str(document)
    assert "spine_tf grade" in text and written[0].content.model_version in text
    (scheme,) = document.CodingSchemeIdentificationSequence
    assert scheme.CodingSchemeDesignator == "99SPINETF"


def test_dcmtk_reads_it(written):
    program = shutil.which("dsrdump") or pytest.skip("dsrdump of dcmtk is not installed")
    done = subprocess.run([program, written[1]], capture_output=True, text=True, check=True)
    assert not [line for line in done.stderr.splitlines() if line.startswith(("E:", "F:", "W:"))]
    assert done.stdout.startswith("Comprehensive SR Document")
    assert done.stdout.count('(84020006,SCT,"L4/L5 disc")') == 1
    assert done.stdout.count("99SPINETF") == 6 * 2  # values; names are shown by their meaning


def test_a_disc_keeps_its_tracking_uid_and_the_report_gets_new_ones(document, written, tmp_path):
    again = str(tmp_path / "again.dcm")
    structured_report.write(written[0].content, again)
    other = highdicom.sr.srread(again)
    assert other.SOPInstanceUID != document.SOPInstanceUID
    uids = [
        [group.tracking_uid for group in found.content.get_image_measurement_groups()]
        for found in (document, other)
    ]
    assert uids[0] == uids[1] and len(set(uids[0])) == 6


def test_it_alone_names_the_patient_and_is_for_its_owner_only(written):
    folder = os.path.dirname(written[1])
    assert os.stat(written[1]).st_mode & 0o777 == 0o600
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            content = file.read()
        names_patient = b"Mustermann" in content or b"planted id 77" in content
        assert names_patient == (name == grade_lib.STRUCTURED_REPORT)
    assert "Mustermann" not in str(written[0])


def test_nothing_of_the_patient_is_said(study, model, tmp_path, capfd):
    flags = [f"--study_dir={study}", f"--model={model}", f"--output_dir={tmp_path}"]
    assert (
        cli.call(grade_study.define_flags, grade_study.main, [*flags, "--structured_report"]) == 0
    )
    said = capfd.readouterr()
    assert "structured_report.dcm" in said.out
    for text in said:
        assert not [value for value in PATIENT.values() if len(value) > 3 and value in text]


def test_none_of_an_earlier_run_stays_beside_new_grades(study, model, tmp_path):
    for name in ("structured_report.dcm", "structured_report.dcm.tmp-1", "report.html"):
        (tmp_path / name).write_text("of an earlier run")
    (tmp_path / "notes.txt").write_text("of a person")
    grade_lib.grade(study, None, model, str(tmp_path))
    found = sorted(os.listdir(tmp_path))
    assert found == ["grades.csv", "grades.json", "notes.txt", "report.html"]
    assert "earlier run" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_without_highdicom_nothing_is_begun(study, model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    options = grade_lib.Options(structured_report=True)
    with pytest.raises(ImportError, match=r"pip install 'spine-tf\[report\]'"):
        grade_lib.grade(study, None, model, str(tmp_path / "o"), options=options)
    assert not os.path.exists(tmp_path / "o")


def test_help_says_that_it_names_the_patient(capsys):
    assert cli.call(grade_study.define_flags, grade_study.main, ["--help"]) == 0
    assert "IT NAMES THE PATIENT" in capsys.readouterr().out
