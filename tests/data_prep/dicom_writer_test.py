"""Tests of data_prep.dicom_writer."""

import numpy as np
import pydicom
import pytest

from tests.data_prep import dicom_samples


def test_write_series_writes_one_valid_file_per_slice(tmp_path):
    paths = dicom_samples.write_series(tmp_path)
    assert [path[-11:] for path in paths] == [f"IM-000{i}.dcm" for i in (1, 2, 3, 4)]
    dataset = pydicom.dcmread(paths[2])
    np.testing.assert_array_equal(dataset.pixel_array, dicom_samples.make_array()[2])
    # Third slice: 2 * 5 mm from the first, which is at -10 mm.
    assert list(dataset.ImagePositionPatient) == [0, -20, 30]
    assert list(dataset.ImageOrientationPatient) == [0, 1, 0, 0, 0, -1]
    assert list(dataset.PixelSpacing) == [0.9, 0.6]


def test_write_series_refuses_other_pixels(tmp_path):
    with pytest.raises(ValueError, match="must be uint16"):
        dicom_samples.write_series(tmp_path, array=dicom_samples.make_array().astype(np.float32))
