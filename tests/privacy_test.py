"""What identifies a patient does not come out: planted strings, all commands, all bytes.

DICOM PS3.15, table E.1-1 (Basic Application Level Confidentiality Profile) lists the attributes
that identify. This test plants a value of its own into every attribute of the standard whose kind
of value can hold a name, a text, a number of a person, a device, a date, a time or a number of more
than 16 bits; of the numbers those that describe the image itself stay. That is all of the table but
UIDs, what is too short to be searched for (PatientSex, PatientAge, PregnancyStatus) and bulk data.
"""

import importlib
import json
import re
import stat
import struct

import pydicom
import pydicom.datadict
import pytest

from spine_tf import cli, commands
from spine_tf.evaluation import options, run
from tests import tiny_export
from tests.data_prep import other_annotations_test
from tests.spine_tf import small_data, untrained

_TEXTS = "AE LO LT PN SH ST UC UT UR CS".split()
_TIMES = {"DA": "1937{:04d}", "TM": "{:06d}.7391", "DT": "1937{:04d}{:06d}.7391", "AS": "{:03d}Y"}
_OF_THE_PATIENT = {"PatientWeight": "83.4179268153", "PatientSize": "1.79463521773"}
_WHOLE, _DECIMAL, _BINARY = "IS SL UL SV UV".split(), ["DS"], "FL FD".split()
_OF_THE_IMAGE = (0x0018, 0x0020, 0x0028, 0x5200, 0x7FE0)  # groups whose numbers describe it
# What a sagittal T2 image is known by; none of it is in the table.
_KEPT = set(
    "SpecificCharacterSet ImageType Modality ScanningSequence SequenceVariant ScanOptions"
    " MRAcquisitionType PhotometricInterpretation LossyImageCompression".split()
)
# Attributes of the table, of every kind of value, to see that the rule above finds them.
_OF_THE_TABLE = (
    "AccessionNumber AcquisitionDate AcquisitionDateTime AcquisitionTime AdditionalPatientHistory"
    " AdmittingDiagnosesDescription BranchOfService ClinicalTrialSubjectID ConsultingPhysicianName"
    " CountryOfResidence CurrentPatientLocation DeviceSerialNumber EthnicGroup"
    " ExaminedBodyThickness FillerOrderNumberImagingServiceRequest InstitutionAddress"
    " InstitutionName InsurancePlanIdentification IssuerOfPatientID"
    " LongitudinalTemporalOffsetFromEvent MedicalAlerts MedicalRecordLocator MilitaryRank"
    " NameOfPhysiciansReadingStudy Occupation OperatorsName OtherPatientIDs OtherPatientNames"
    " PatientAddress PatientAge PatientBirthDate PatientBirthName PatientBirthTime PatientComments"
    " PatientID PatientMotherBirthName PatientName PatientReligiousPreference PatientSex"
    " PatientSize PatientTelephoneNumbers PatientWeight PerformingPhysicianName ProtocolName"
    " ReferringPhysicianName RegionOfResidence RequestingPhysician ResponsiblePerson"
    " SeriesDescription SmokingStatus StationAETitle StationName StudyComments StudyDate"
    " StudyDescription StudyID StudyTime TextComments TimezoneOffsetFromUTC VerifyingObserverName"
).split()
_OF_PEOPLE = (0x0008, 0x0010, 0x0012, 0x0032, 0x0038)  # groups a SEG can be read without
_FOLDER, _UIDS = "QZfolderQZ", "1.2.826.97531"


def _planted():
    """Keyword -> a value that is nowhere else."""
    found = dict(_OF_THE_PATIENT)
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
        elif tag >> 16 not in _OF_THE_IMAGE:
            value = _number(vr, number)
            found |= {} if value is None else {keyword: found.get(keyword, value)}
    found |= {"StudyDate": "19370119", "PatientBirthDate": "19170119", "PatientSex": "M"}
    found |= {"PatientAge": "020Y", "PatientID": "QZsomebodyQZ", "PatientName": "QZname^QZfirst"}
    return found


def _number(vr, number):
    """A number for a kind of value that holds more than 16 bits, or None."""
    if vr in _WHOLE:
        return 739104000 + number
    if vr in _DECIMAL:
        return f"{number}.73910427"
    return 739100.5 + number if vr in _BINARY else None  # a number of 32 bits, too


def _written(value):
    """How a planted value would be written: as text, a date also with dashes, or as bytes."""
    text = str(value)
    if isinstance(value, float):
        packed = [struct.pack(f"{order}{kind}", value) for order in "<>" for kind in "fd"]
        return [text.encode(), *(bits for bits in packed if len(bits) > 4)]
    if re.fullmatch("1937[0-9]{4}|1917[0-9]{4}", text):
        return [text.encode(), f"{text[:4]}-{text[4:6]}-{text[6:]}".encode()]
    return [text.encode()]


def _holds(content, value):
    """Whether bytes hold a planted value; digits within a longer number are not it."""
    if value not in content:
        return False
    is_number = re.fullmatch(rb"[0-9.]+", value)
    border = rb"(?<![0-9.])%s(?![0-9])" if is_number else rb"%s"
    return bool(re.search(border % re.escape(value), content))


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
    for path in sorted((folder / "T2").iterdir()):
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


def _write_seg(folder):
    """Writes a DICOM segmentation with planted values; returns the folder."""
    folder.mkdir()
    path = folder / "seg.dcm"
    other_annotations_test.write_seg(folder.parent / "series", path)
    dataset = pydicom.dcmread(path)
    for keyword, value in _PLANTED.items():
        if pydicom.datadict.tag_for_keyword(keyword) >> 16 in _OF_PEOPLE:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
    return folder


def _verification(folder):
    """A longitudinal model and an evaluation of it, for verify."""
    names = {"vertebra_names": tuple(tiny_export.NAMES[:4]), "disc_names": ("L1-L2",)}
    first = small_data.make(folder / "first", (2,) * 12, **names)
    second = small_data.make(folder / "second", (2,) * 12, seed=1, **names)
    model = untrained.save(folder / "siamese", first, "longitudinal")
    chosen = options.Options(other_data=True, num_draws=20)
    run.evaluate(model, second, str(folder / "evaluation"), chosen)
    return {"model": model, "evaluation": folder / "evaluation"}


def _run_all(studies, segs, work, verification):
    """Runs the whole way and what else reads studies; returns the exit statuses."""
    data, model, export = work / "data", work / "model", work / "export"
    (work / "annotations").mkdir(parents=True)
    tiny = {"preset": "tiny", "epochs": 1, "batch_size": 2, "steps_per_epoch": 1}
    small = {"crop_scale": 0.5, "num_shards": 1}
    facts = {"header_facts": "sex,age,weight"}
    grading = {"task": "grading", "task_options": json.dumps({"gradings": ["pfirrmann"]})}
    annotated = {"input_dir": segs, "output": work / "annotations" / "vertebrae.json"}
    verdict = {"output": work / "verdict.json"}
    where = {"data_dir": data, "model_dir": model}
    images = {"images_csv": studies / "images.csv", "image_dir": studies, "output_dir": work / "2d"}
    return [
        _run("convert-dicom", input_dir=studies, output_dir=data, **small, **facts),
        _run("detect", input_dir=studies, output_dir=work / "found"),
        _run("convert-detection", dicom_dir=studies, output_dir=work / "slices", num_shards=1),
        _run("convert-images", **images, **small, **facts),
        _run("convert-annotations", format="seg", **annotated),
        _run("verify", study_a=studies / "0", study_b=studies / "1", **verification, **verdict),
        _run("tune", **grading, data_dir=data, work_dir=work / "search", max_trials=1, **tiny),
        _run("train", **grading, **where, **tiny),
        _run("evaluate", output_dir=work / "evaluation", **where),
        _run("calibrate", error_rate=0.5, **where),
        _run("export", export_dir=export, **where),
        _run("check-model", export_dir=export, **where),
        _run("score", model=export, data_dir=data, output=work / "scores.csv"),
        _run("drift", scored=work / "scores.csv", model=export, output_dir=work / "drift"),
        _run("grade", study_dir=studies / "0", model=export, output_dir=work / "report"),
    ]


def _write_table(studies):
    """A table for convert-images: an image of each of six studies, of three subjects."""
    paths = [sorted((studies / str(number) / "T2").iterdir())[5] for number in range(6)]
    rows = [
        f"{path.relative_to(studies)},QZsubject{number % 3}QZ,{400 * number},sagittal"
        for number, path in enumerate(paths)
    ]
    (studies / "images.csv").write_text("\n".join(["image,subject,days,label", *rows]) + "\n")


@pytest.mark.slow
def test_no_attribute_of_a_patient_comes_out(tmp_path, capfd):
    studies, work = tmp_path / _FOLDER, tmp_path / "work"
    for number in range(6):
        _write_study(studies / str(number), number)
    _write_table(studies)
    _write_study(studies / "broken", 9)
    sorted((studies / "broken" / "T2").iterdir())[3].unlink()
    verification = _verification(tmp_path)
    segs = _write_seg(tmp_path / f"{_FOLDER}2")
    capfd.readouterr()
    statuses = _run_all(studies, segs, work, verification)
    rejected, done = [cli.EXIT_REJECTED], [cli.EXIT_DONE]
    assert statuses == rejected * 3 + done * 8 + rejected + done * 3  # the gate blesses nothing
    printed = "".join(capfd.readouterr())
    written = {path: path.read_bytes() for path in work.rglob("*") if path.is_file()}
    # Values of a few digits come up by chance.
    values = {name: _written(value) for name, value in _PLANTED.items() if len(str(value)) > 6}
    values |= {"in a sequence": [b"QZinside"], "private": [b"QZprivate"], "a row": [b"QZsubject"]}
    values |= {"creator": [b"QZcreator"]}
    found = [
        f"{name} in {where}"
        for where, content in [*written.items(), ("what is printed", printed.encode())]
        for name, forms in values.items()
        if any(_holds(content, form) for form in forms)
    ]
    assert found == []
    for path, content in written.items():
        where = path.relative_to(work)
        if where.parts[1:2] == ("local",):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, where
        elif where.parts[0] == "verdict.json":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        elif where.parts[0] not in ("report", "found"):  # they name their studies by UIDs
            assert _UIDS.encode() not in content and _FOLDER.encode() not in content, where
    assert _FOLDER.encode() in written[work / "data" / "local" / "rejects.jsonl"]
    # The key lies beside the data set, and nowhere in it.
    key = written[work / "data.key"].strip()
    assert stat.S_IMODE((work / "data.key").stat().st_mode) == 0o600
    others = [content for path, content in written.items() if path.name != "data.key"]
    assert not any(key in content for content in [*others, printed.encode()])
