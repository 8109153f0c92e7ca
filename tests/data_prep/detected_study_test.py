import pathlib

import pydicom
import pytest

from data_prep import detected_study, dicom, rejection, study
from tests import tiny_export
from tests.data_prep import stub_finder


def _study(folder):
    return study.group(dicom.scan_folder(str(folder)).series)[0]


def _two_series(tmp_path, **answers):
    """Series 1.1 and 1.2 on one grid."""
    for uid in ("1.1", "1.2"):
        tiny_export.write_study(str(tmp_path / uid), series_uid=uid)
    return detected_study.find(_study(tmp_path), stub_finder.Finder(**answers))


def test_the_best_series_by_headers_is_taken(tmp_path):
    found = _two_series(tmp_path)
    assert found.series.uid == "1.1" and found.found.is_answered and not found.note


def test_the_first_that_is_named_is_taken(tmp_path):
    found = _two_series(tmp_path, **{"1.1": stub_finder.unknown})
    assert found.series.uid == "1.2"


def test_nothing_that_is_lumbar_t2_is_rejected_and_told(tmp_path):
    with pytest.raises(rejection.RejectedInput, match="no sagittal T2 series of a lumbar.*1.1: a"):
        _two_series(tmp_path, **{"1.1": stub_finder.unknown, "1.2": stub_finder.unknown})


def test_other_series_are_not_even_looked_at(tmp_path):
    tiny_export.write_study(str(tmp_path), echo_time_ms=12.0)
    with pytest.raises(rejection.RejectedInput, match="TE 12 ms"):
        detected_study.find(_study(tmp_path), stub_finder.Finder())


def test_without_echo_times_the_images_decide(tmp_path):
    tiny_export.write_study(str(tmp_path))
    for path in pathlib.Path(tmp_path).rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        del dataset.EchoTime
        dataset.save_as(path)
    found = detected_study.find(_study(tmp_path), stub_finder.Finder())
    assert found.found.is_answered
    assert "no series has an echo time" in found.note
