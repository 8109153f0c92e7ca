"""Tests of data_prep.dicom_header."""

import pathlib
import warnings

import pydicom
import pytest

from data_prep import dicom, dicom_file, dicom_header, rejection
from tests.data_prep import dicom_samples


def write_one(folder):
    return dicom_samples.write_series(folder)[0]


def test_header_holds_what_was_written(tmp_path):
    (header,) = dicom_header.read_headers(write_one(tmp_path))
    assert header.echo_time_ms == 100.0
    assert header.inversion_time_ms is None
    assert not header.has_inversion
    assert header.field_strength_t == 1.5
    assert header.study_date == "20200131"
    assert header.position_mm == (-10.0, -20.0, 30.0)
    assert header.pixel_spacing_mm == (0.9, 0.6)
    assert (header.rows, header.columns) == (6, 5)


def test_patient_does_not_show_in_a_printed_header(tmp_path):
    (header,) = dicom_header.read_headers(write_one(tmp_path))
    assert header.patient_id == "someone"
    assert "someone" not in repr(header)
    assert "20200131" not in repr(header)


def test_odd_values_of_the_patient_are_not_shown(tmp_path, caplog, recwarn, capfd):
    path = write_one(tmp_path)
    dataset = pydicom.dcmread(path)
    for tag, vr in ((0x00100010, "PN"), (0x00100020, "LO"), (0x00100030, "DA")):
        dataset.add(pydicom.DataElement(tag, vr, "secret" * 30, validation_mode=0))
    dataset.save_as(path)
    recwarn.clear()
    caplog.clear()
    capfd.readouterr()
    (header,) = dicom_header.read_headers(path)
    dicom.read_pixels(path)
    shown = [str(item.message) for item in recwarn] + [
        caplog.text,
        repr(header),
        *capfd.readouterr(),
    ]
    assert "secret" not in "".join(shown)


def test_inversion_is_seen_in_the_time_and_in_the_sequence(tmp_path):
    path = dicom_samples.write_series(tmp_path, inversion_time_ms=150.0)[0]
    (header,) = dicom_header.read_headers(path)
    assert header.has_inversion
    assert header.inversion_time_ms == 150.0
    dicom_samples.edit(path, InversionTime="0")
    assert dicom_header.read_headers(path)[0].has_inversion  # ScanningSequence still says IR


def test_odd_values_of_tags_that_do_not_matter_are_no_error(tmp_path):
    path = write_one(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dicom_samples.edit(
            path, SpacingBetweenSlices="0000000000000000", PatientAge="000Y", PatientSex="0000"
        )
    assert len(dicom_header.read_headers(path)) == 1


@pytest.mark.parametrize("text", ["abc", "1\\2", ""])
def test_an_echo_time_that_is_no_number_is_absent(tmp_path, text):
    path = write_one(tmp_path)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00180081, "LO", text)
    dataset.save_as(path)
    (header,) = dicom_header.read_headers(path)
    assert header.echo_time_ms in (None, 1.0)


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "not two unit vectors"),
        ("ImageOrientationPatient", None, "ImageOrientationPatient is not 6 numbers"),
        ("ImagePositionPatient", None, "ImagePositionPatient is not 3 numbers"),
        ("PixelSpacing", [0, 1], "not above 0"),
        ("Rows", 0, "Rows is 0"),
        ("SeriesInstanceUID", None, "SeriesInstanceUID is absent"),
        ("NumberOfFrames", 3, "0 frames are described"),
    ],
)
def test_broken_header_is_rejected_with_the_tag(tmp_path, keyword, value, reason):
    path = write_one(tmp_path)
    dicom_samples.edit(path, **{keyword: value})
    with pytest.raises(rejection.RejectedInput, match=reason) as caught:
        dicom_header.read_headers(path)
    assert caught.value.rejection.path == path


def test_date_falls_back_to_the_series(tmp_path):
    path = write_one(tmp_path)
    dicom_samples.edit(path, StudyDate="", SeriesDate="20190203")
    assert dicom_header.read_headers(path)[0].study_date == "20190203"


def test_other_modalities_and_other_files_are_not_needed(tmp_path):
    path = write_one(tmp_path)
    dicom_samples.edit(path, SOPClassUID=pydicom.uid.CTImageStorage, Modality="CT")
    with pytest.raises(dicom_header.NotNeeded, match="CT"):
        dicom_header.read_headers(path)
    text = tmp_path / "readme"
    text.write_text("x" * 200)
    with pytest.raises(dicom_header.NotNeeded, match="not DICOM"):
        dicom_header.read_headers(str(text))


def test_file_without_preamble_is_read(tmp_path):
    path = pathlib.Path(write_one(tmp_path))
    path.write_bytes(path.read_bytes()[132:])
    assert len(dicom_header.read_headers(str(path))) == 1


def test_file_cut_in_its_header_is_rejected(tmp_path):
    path = pathlib.Path(write_one(tmp_path))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(rejection.RejectedInput, match="export the file again"):
        dicom_header.read_headers(str(path))


def test_series_sorts_its_slices_and_knows_its_angle(tmp_path):
    paths = dicom_samples.write_series(tmp_path, dicom_samples.make_affine(tilt_deg=15))
    slices = [dicom_header.read_headers(path)[0] for path in paths]
    series = dicom_header.SeriesFiles(tuple(slices[i] for i in (2, 0, 3, 1)))
    assert list(series.slices) == slices
    assert series.tilt_deg == pytest.approx(15, abs=1e-3)
    # 6 rows of 0.9 mm and 5 columns of 0.6 mm.
    assert series.fov_mm == pytest.approx((5.4, 3.0))


def test_header_facts_are_read_on_request_only(tmp_path):
    path = write_one(tmp_path)
    values = {"PatientSex": "M", "PatientAge": "047Y", "PatientWeight": "83.4"}
    dicom_samples.edit(path, **values, PatientBirthDate="19720405")
    (header,) = dicom_header.read_headers(path)
    assert header.header_facts == {}
    (header,) = dicom_header.read_headers(path, ("sex", "age", "weight"))
    assert header.header_facts == {"sex": 1, "age": 3, "weight": 5}
    assert "header_facts=" not in repr(header)
    assert dicom_header.read_image_header(path, ("age",)).header_facts == {"age": 3}


@pytest.mark.real_data
def test_placeholders_of_a_real_study_are_unknown():
    folder = pathlib.Path(__file__).parents[3] / "shared" / "data" / "lumbar_study" / "dicom"
    found = [
        dicom_header.read_image_header(str(path), ("sex", "age", "weight")).header_facts
        for path in sorted(folder.rglob("*"))[:40]
        if path.is_file() and dicom_file.looks_like_dicom(str(path))
    ]
    assert found and all(facts == {"sex": -1, "age": -1, "weight": -1} for facts in found)
