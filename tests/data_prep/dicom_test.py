"""Tests of data_prep.dicom."""

import numpy as np
import pydicom
import pytest

from data_prep import dicom


def make_header(**changes):
    values = dict(
        patient_id="someone",
        study_instance_uid="1.2.3",
        series_instance_uid="1.2.3.4",
        frame_of_reference_uid="1.2.3.5",
        study_date="20200131",
        series_number=3,
        series_description="",
        repetition_time_ms=3000.0,
        echo_time_ms=100.0,
        inversion_time_ms=None,
        field_strength_t=1.5,
        slice_thickness_mm=4.0,
    )
    return dicom.SeriesHeader(**{**values, **changes})


def make_affine(slice_mm=5.0, row_mm=0.9, column_mm=0.6, tilt_deg=0.0):
    """A canonical sagittal affine, turned about z (the body axis) by `tilt_deg`."""
    angle = np.radians(tilt_deg)
    affine = np.eye(4)
    affine[:3, 0] = np.array([np.cos(angle), np.sin(angle), 0]) * slice_mm
    affine[:3, 1] = np.array([0, 0, -1.0]) * row_mm
    affine[:3, 2] = np.array([-np.sin(angle), np.cos(angle), 0]) * column_mm
    affine[:3, 3] = [-10.0, -20.0, 30.0]
    return affine


def make_array(slices=4, rows=6, columns=5):
    return np.arange(slices * rows * columns, dtype=np.uint16).reshape(slices, rows, columns)


def test_write_series_writes_one_valid_file_per_slice(tmp_path):
    paths = dicom.write_series(str(tmp_path), make_array(), make_affine(), make_header())
    assert [path[-11:] for path in paths] == [f"IM-000{i}.dcm" for i in (1, 2, 3, 4)]
    dataset = pydicom.dcmread(paths[2])
    np.testing.assert_array_equal(dataset.pixel_array, make_array()[2])
    # Third slice: 2 * 5 mm from the first, which is at -10 mm.
    assert list(dataset.ImagePositionPatient) == [0, -20, 30]
    assert list(dataset.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    assert list(dataset.PixelSpacing) == [0.9, 0.6]


def test_write_series_refuses_other_pixels(tmp_path):
    with pytest.raises(ValueError, match="must be uint16"):
        dicom.write_series(
            str(tmp_path), make_array().astype(np.float32), make_affine(), make_header()
        )
