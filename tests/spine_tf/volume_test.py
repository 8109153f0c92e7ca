import numpy as np
import pytest

from spine_tf import geometry, volume

AFFINE = geometry.affine_from_axes((4, 0, 0), (0, 0, -0.5), (0, 0.25, 0), (-10, -20, 30))


def _array(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_canonical_volume_is_taken_as_it_is():
    array = _array(2, 3, 4)
    made = volume.Volume(array, AFFINE)
    assert made.array is array
    np.testing.assert_allclose(made.spacing_mm, [4.0, 0.5, 0.25])


@pytest.mark.parametrize(
    "array, affine, message",
    [
        (_array(3, 4), AFFINE, r"`array` must be \[slices, rows, columns\], got shape \(3, 4\)"),
        (_array(0, 3, 4), AFFINE, r"got shape \(0, 3, 4\)"),
        (_array(2, 3, 4).astype(np.float64), AFFINE, "`array` must be float32, got float64"),
        (_array(2, 3, 4), AFFINE[:3], "`affine` must be a finite"),
        (_array(2, 3, 4), AFFINE * np.nan, "`affine` must be a finite"),
        (_array(2, 3, 4), np.diag([0.0, 1, 1, 1]), "`affine` must be invertible"),
        (_array(2, 3, 4), np.eye(4), "`affine` must be canonical"),
    ],
)
def test_what_is_no_volume_is_refused(array, affine, message):
    with pytest.raises(ValueError, match=message):
        volume.Volume(array, affine)


def test_from_array_gives_float32_in_canonical_order():
    # Axial: slices to the head, rows to the back, columns to the left, as int16.
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    affine = geometry.affine_from_axes((0, 0, 5), (0, 2, 0), (1, 0, 0), (7, 8, 9))
    made = volume.Volume.from_array(array, affine)
    assert made.array.dtype == np.float32
    assert made.array.flags.c_contiguous
    assert made.array.shape == (4, 2, 3)
    np.testing.assert_allclose(made.spacing_mm, [1, 5, 2])
    # Axial voxel (1, 2, 3) = 23 lies at (7 + 3, 8 + 4, 9 + 5) mm; canonical index (3, 0, 2).
    assert made.array[3, 0, 2] == 23
    np.testing.assert_allclose(geometry.to_patient(made.affine, [3, 0, 2]), [10, 12, 14])


def test_the_order_of_slices_does_not_matter():
    array = _array(3, 4, 5)
    backwards = np.array(AFFINE)
    backwards[:3, 3] = geometry.to_patient(AFFINE, [2, 0, 0])
    backwards[:3, 0] *= -1
    one = volume.Volume.from_array(array, AFFINE)
    other = volume.Volume.from_array(array[::-1], backwards)
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine)


def test_oblique_sagittal_stays_on_its_grid():
    # Turned by 20 degrees about z: voxels are reordered at most, never resampled.
    angle = np.radians(20)
    left, back = (np.cos(angle), np.sin(angle), 0), (-np.sin(angle), np.cos(angle), 0)
    affine = geometry.affine_from_axes(4 * np.array(left), (0, 0, -1), back, (0, 0, 0))
    array = _array(2, 3, 4)
    np.testing.assert_array_equal(volume.Volume.from_array(array, affine).array, array)


def _as_uint16(*values):
    array = np.array(values, np.float32).reshape(1, 1, -1)
    return volume.Volume(array, AFFINE).as_uint16().ravel().tolist()


def test_whole_numbers_stay_as_they_are():
    assert _as_uint16(0, 1, 700, 65535) == [0, 1, 700, 65535]


def test_negative_values_become_zero():
    assert _as_uint16(-5, 0, 12) == [0, 0, 12]


def test_fractions_are_scaled_to_the_full_range():
    # 0.5 / 2.0 * 65535 = 16383.75
    assert _as_uint16(0, 0.5, 1.0, 2.0) == [0, 16384, 32768, 65535]


def test_large_values_are_scaled_to_the_full_range():
    # 65535 / 131070 = 0.5
    assert _as_uint16(0, 2, 131070) == [0, 1, 65535]


def test_an_empty_image_stays_empty():
    assert _as_uint16(0, 0) == [0, 0]
    assert _as_uint16(-0.5, -3) == [0, 0]


def test_as_uint16_leaves_the_volume_alone():
    made = volume.Volume(np.array([[[-0.5, 0.25]]], np.float32), AFFINE)
    made.as_uint16()
    np.testing.assert_array_equal(made.array, [[[-0.5, 0.25]]])
