"""Tests of data_prep.series_geometry."""

import os

import numpy as np
import pytest

from data_prep import dicom, rejection, series_geometry
from tests.data_prep import dicom_samples


def scan_series(folder):
    (series,) = dicom.scan_folder(str(folder)).series
    return series


def reason_of(folder):
    with pytest.raises(rejection.RejectedInput) as caught:
        series_geometry.series_affine(scan_series(folder))
    assert caught.value.rejection.uid == "1.2.3.4"
    return caught.value.rejection


def test_missing_slice_is_named(tmp_path):
    paths = dicom_samples.write_series(tmp_path, array=dicom_samples.make_array(slices=6))
    os.remove(paths[2])
    found = reason_of(tmp_path)
    assert "1 of its slices missing" in found.reason
    assert "IM-0002.dcm and" in found.reason
    assert found.path == str(tmp_path)


def test_two_missing_slices_are_counted(tmp_path):
    paths = dicom_samples.write_series(tmp_path, array=dicom_samples.make_array(slices=7))
    os.remove(paths[2])
    os.remove(paths[3])
    assert "2 of its slices missing" in reason_of(tmp_path).reason


def test_duplicate_slice_is_named(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[3], ImagePositionPatient=[0, -20, 30])
    found = reason_of(tmp_path)
    assert "slice position of another file" in found.reason
    assert f"{found.path} {found.reason}".count("IM-0003.dcm") == 1
    assert f"{found.path} {found.reason}".count("IM-0004.dcm") == 1


def test_uneven_slices_are_rejected(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[3], ImagePositionPatient=[6.8, -20, 30])  # 6.8 mm, others 5 mm
    assert "unevenly spaced" in reason_of(tmp_path).reason


def test_rounded_positions_are_even(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[1], ImagePositionPatient=[-4.9, -20, 30])
    affine = series_geometry.series_affine(scan_series(tmp_path))
    np.testing.assert_allclose(affine[:3, 0], [5, 0, 0])


def test_another_size_is_rejected(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[1], Rows=4)
    found = reason_of(tmp_path)
    assert "4x5 pixels" in found.reason
    assert found.path == paths[1]


def test_another_pixel_spacing_is_rejected(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[1], PixelSpacing=[1.0, 0.6])
    assert "pixels of (1.0, 0.6) mm" in reason_of(tmp_path).reason


def test_single_slice_is_rejected(tmp_path):
    dicom_samples.write_series(tmp_path, array=dicom_samples.make_array(slices=1))
    assert "single slice" in reason_of(tmp_path).reason


def test_a_slice_that_is_shifted_in_its_plane_is_rejected(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    dicom_samples.edit(paths[1], ImagePositionPatient=[-5, -20.3, 30.3])  # 0.42 mm
    series_geometry.series_affine(scan_series(tmp_path))
    dicom_samples.edit(paths[1], ImagePositionPatient=[-5, -20.4, 30.4])  # 0.57 mm
    found = reason_of(tmp_path)
    assert "shifted by 0.6 mm in its plane" in found.reason
    assert found.path == paths[1]


def test_one_uid_for_two_slices_is_rejected(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    for path in paths[:2]:
        dicom_samples.edit(path, SOPInstanceUID="1.2.3.4.5")
    found = reason_of(tmp_path)
    assert (
        f"has the SOPInstanceUID of another file, with other content ({paths[0]})" in found.reason
    )
    assert found.path == paths[1]
