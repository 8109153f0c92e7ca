"""What identifies a patient does not come out: planted strings, all commands, all bytes.

DICOM PS3.15, table E.1-1 (Basic Application Level Confidentiality Profile) lists the attributes
that identify. This test plants a string of its own into every attribute of the standard whose kind
of value can hold a name, a text, a number of a person, a device, a date or a time; all attributes
of that table but UIDs are among them or in `_NUMBERS`.
"""

import importlib
import json
import stat

import pydicom
import pydicom.datadict
import pytest

from spine_tf import cli, commands
from tests import tiny_export

_TEXTS = "AE LO LT PN SH ST UC UT UR CS".split()
_TIMES = {"DA": "1937{:04d}", "TM": "{:06d}.7391", "DT": "1937{:04d}{:06d}.7391", "AS": "{:03d}Y"}
_NUMBERS = {"PatientWeight": "83.4179", "PatientSize": "1.79463", "MedicalAlerts": "QZalertsQZ"}
# What a sagittal T2 image is known by; none of it is in the table.
_KEPT = set(
    "SpecificCharacterSet ImageType Modality ScanningSequence SequenceVariant ScanOptions"
    " MRAcquisitionType PhotometricInterpretation LossyImageCompression".split()
)
# Attributes of the table, of every kind of value, to see that the rule above finds them.
_OF_THE_TABLE = (
    "AccessionNumber AcquisitionDate AdmittingDiagnosesDescription AdditionalPatientHistory"
    " BranchOfService ClinicalTrialSubjectID ConsultingPhysicianName CountryOfResidence"
    " CurrentPatientLocation DeviceSerialNumber EthnicGroup FillerOrderNumberImagingServiceRequest"
    " InstitutionAddress InstitutionName InsurancePlanIdentification IssuerOfPatientID"
    " MedicalRecordLocator MilitaryRank NameOfPhysiciansReadingStudy Occupation OperatorsName"
    " OtherPatientIDs OtherPatientNames PatientAddress PatientAge PatientBirthDate PatientBirthName"
    " PatientBirthTime PatientComments PatientID PatientMotherBirthName PatientName PatientSex"
    " PatientTelephoneNumbers PatientReligiousPreference PerformingPhysicianName ProtocolName"
    " ReferringPhysicianName RegionOfResidence RequestingPhysician ResponsiblePerson StationAETitle"
    " SeriesDescription SmokingStatus StationName StudyComments StudyDate StudyDescription StudyID"
    " StudyTime TextComments TimezoneOffsetFromUTC VerifyingObserverName"
).split()
_FOLDER, _UIDS = "QZfolderQZ", "1.2.826.97531"


def _planted():
    """Keyword -> a value that is nowhere else."""
    found = dict(_NUMBERS)
    for tag, (vr, _, _, _, keyword) in sorted(pydicom.datadict.DicomDictionary.items()):
        number = len(found)
        if not keyword or tag >> 16 in (0, 2) or keyword in _KEPT:
            continue
        if vr in _TEXTS:
            found.setdefault(keyword, f"QZ{number:04d}QZ")
        elif vr in _TIMES:
            # Months and days stay within the calendar; the year or the fraction is what is found.
            date, time = 101 + number % 28, number % 60
            found[keyword] = _TIMES[vr].format(*(date, time) if vr != "TM" else (time,))
    found |= {"StudyDate": "19370119", "PatientBirthDate": "19170119", "PatientSex": "M"}
    found |= {"PatientAge": "020Y", "PatientID": "QZsomebodyQZ", "PatientName": "QZname^QZfirst"}
    return found


_PLANTED = _planted()


def test_what_is_planted_holds_the_table():
    assert [name for name in _OF_THE_TABLE if name not in _PLANTED] == []


def _write_study(folder, number):
    """A study of a patient of its own, with a planted value in every attribute."""
    tiny_export.write_study(str(folder), seed=number)
    study_uid = f"{_UIDS}.{number}"
    for name in ("vertebrae.json", "gradings.csv"):
        text = (folder / name).read_text()
        series = text.replace("1.2.3.4", f"{study_uid}.1")
        (folder / name).write_text(series.replace("1.2.3", study_uid))
    inside = pydicom.Dataset()
    for keyword in ("PatientName", "ReferringPhysicianName", "InstitutionName"):
        setattr(inside, keyword, f"QZinside{keyword}QZ")
    for path in (folder / "T2").iterdir():
        dataset = pydicom.dcmread(path)
        for keyword, value in _PLANTED.items():
            setattr(dataset, keyword, value)
        dataset.PatientID = f"{dataset.PatientID}{number}"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, f"{study_uid}.1"
        dataset.SOPInstanceUID = f"{study_uid}.1.{dataset.InstanceNumber}"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.OtherPatientIDsSequence = [inside]
        dataset.private_block(0x0009, "QZcreatorQZ", create=True).add_new(0x10, "LO", "QZprivateQZ")
        dataset.save_as(path)


def _run(command, **options):
    module = importlib.import_module(commands.COMMANDS[command][0])
    arguments = [f"--{name}={value}" for name, value in options.items()]
    return cli.call(module.define_flags, module.main, arguments)


def _run_all(studies, work):
    """Runs the whole way; returns the exit statuses."""
    data, model, export = work / "data", work / "model", work / "export"
    tiny = {"preset": "tiny", "epochs": 1, "batch_size": 2, "steps_per_epoch": 1}
    asked = json.dumps({"gradings": ["pfirrmann"]})
    where = {"data_dir": data, "model_dir": model}
    return [
        _run("convert-dicom", input_dir=studies, output_dir=data, crop_scale=0.5, num_shards=1),
        _run("train", task="grading", task_options=asked, **where, **tiny),
        _run("evaluate", output_dir=work / "evaluation", **where),
        _run("calibrate", error_rate=0.5, **where),
        _run("export", export_dir=export, **where),
        _run("score", model=export, data_dir=data, output=work / "scores.csv"),
        _run("grade", study_dir=studies / "0", model=export, output_dir=work / "report"),
    ]


@pytest.mark.slow
def test_no_attribute_of_a_patient_comes_out(tmp_path, capfd):
    studies, work = tmp_path / _FOLDER, tmp_path / "work"
    for number in range(6):
        _write_study(studies / str(number), number)
    _write_study(studies / "broken", 9)
    sorted((studies / "broken" / "T2").iterdir())[3].unlink()
    assert _run_all(studies, work) == [cli.EXIT_REJECTED] + [cli.EXIT_DONE] * 6
    printed = "".join(capfd.readouterr())
    written = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    # Values of a few digits come up by chance.
    values = {name: value.encode() for name, value in _PLANTED.items() if len(value) > 6}
    values |= {"in a sequence": b"QZinside", "private": b"QZprivate", "creator": b"QZcreator"}
    found = [
        f"{name} in {where}"
        for where, content in [*written.items(), ("what is printed", printed.encode())]
        for name, value in values.items()
        if value in content
    ]
    assert found == []
    for path, content in written.items():
        where = path.relative_to(work)
        if where.parts[:2] == ("data", "local"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, where
        elif where.parts[0] != "report":  # it is of one study, and names it by its UIDs
            assert _UIDS.encode() not in content and _FOLDER.encode() not in content, where
    assert _FOLDER.encode() in written[work / "data" / "local" / "rejects.jsonl"]
    # The key lies beside the data set, and nowhere in it.
    key = written[work / "data.key"].strip()
    assert stat.S_IMODE((work / "data.key").stat().st_mode) == 0o600
    others = [content for path, content in written.items() if path.name != "data.key"]
    assert not any(key in content for content in [*others, printed.encode()])
