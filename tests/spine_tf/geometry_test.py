import itertools

import numpy as np
import pytest

from spine_tf import geometry

# 4 mm between slices to the left, 0.5 mm rows to the foot, 0.25 mm columns to the back.
AFFINE = np.array(
    [
        [4.0, 0.0, 0.0, -10.0],
        [0.0, 0.0, 0.25, -20.0],
        [0.0, -0.5, 0.0, 30.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def _rotation(generator, largest_deg):
    """A rotation about a random axis by at most `largest_deg` (Rodrigues)."""
    axis = generator.normal(size=3)
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.radians(generator.uniform(-largest_deg, largest_deg))
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _random_affine(generator, largest_deg):
    """An oblique affine with shuffled and flipped axes."""
    spacing_mm = generator.uniform(0.3, 5.0, size=3)
    axes = np.eye(3)[:, generator.permutation(3)] * generator.choice([-1, 1], size=3)
    affine = np.eye(4)
    affine[:3, :3] = _rotation(generator, largest_deg) @ axes * spacing_mm
    affine[:3, 3] = generator.uniform(-200, 200, size=3)
    return affine


def test_affine_from_axes():
    made = geometry.affine_from_axes((4, 0, 0), (0, 0, -0.5), (0, 0.25, 0), (-10, -20, 30))
    np.testing.assert_array_equal(made, AFFINE)


def test_spacing():
    np.testing.assert_allclose(geometry.spacing_mm(AFFINE), [4.0, 0.5, 0.25])


def test_spacing_of_an_oblique_affine():
    # Rows step (3, 0, -4) mm: 5 mm apart.
    affine = geometry.affine_from_axes((4, 0, 3), (3, 0, -4), (0, 2, 0), (0, 0, 0))
    np.testing.assert_allclose(geometry.spacing_mm(affine), [5.0, 5.0, 2.0])


def test_index_to_patient():
    # x = -10 + 4 * 2 = -2; y = -20 + 0.25 * 8 = -18; z = 30 - 0.5 * 10 = 25
    np.testing.assert_allclose(geometry.to_patient(AFFINE, [2, 10, 8]), [-2.0, -18.0, 25.0])
    np.testing.assert_allclose(geometry.to_index(AFFINE, [-2.0, -18.0, 25.0]), [2, 10, 8])


def test_index_to_patient_keeps_leading_dimensions():
    index = np.arange(24.0).reshape(2, 4, 3)
    assert geometry.to_patient(AFFINE, index).shape == (2, 4, 3)
    assert geometry.to_index(AFFINE, index).shape == (2, 4, 3)


@pytest.mark.parametrize("seed", range(10))
def test_index_and_patient_are_inverse(seed):
    generator = np.random.default_rng(seed)
    affine = _random_affine(generator, largest_deg=80)
    index = generator.uniform(-10, 300, size=(20, 3))
    there = geometry.to_patient(affine, index)
    np.testing.assert_allclose(geometry.to_index(affine, there), index, atol=1e-9)


@pytest.mark.parametrize("angle_deg", [0, 10, 20, 45])
def test_tilt_is_the_angle_of_the_slice_normal(angle_deg):
    # Turned about z: the columns run (-sin, cos, 0), so the normal is (cos, sin, 0).
    angle = np.radians(angle_deg)
    back = (-np.sin(angle), np.cos(angle), 0)
    for pixel_mm in (1.0, 0.3, 2.5):
        rows, columns = (0, 0, -pixel_mm), pixel_mm * np.array(back)
        affine = geometry.affine_from_axes((4, 0, 0), rows, columns, (0, 0, 0))
        assert geometry.tilt_deg(affine) == pytest.approx(angle_deg, abs=1e-6)


def test_tilt_of_axial_and_coronal_slices():
    axial = geometry.affine_from_axes((0, 0, 5), (0, 1, 0), (1, 0, 0), (0, 0, 0))
    coronal = geometry.affine_from_axes((0, 5, 0), (0, 0, -1), (1, 0, 0), (0, 0, 0))
    assert geometry.tilt_deg(axial) == pytest.approx(90)
    assert geometry.tilt_deg(coronal) == pytest.approx(90)


def test_canonical_stays_as_it_is():
    array = np.arange(24).reshape(2, 3, 4)
    found, affine = geometry.canonicalise(array, AFFINE)
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(affine, AFFINE)


def test_left_to_right_slices_are_flipped():
    # Two slices at x = 0 and x = -4; canonical is right to left, so x = -4 comes first.
    array = np.array([[[1.0]], [[2.0]]])
    affine = geometry.affine_from_axes((-4, 0, 0), (0, 0, -1), (0, 1, 0), (0, 0, 0))
    found, canonical = geometry.canonicalise(array, affine)
    np.testing.assert_array_equal(found, [[[2.0]], [[1.0]]])
    np.testing.assert_allclose(canonical[:3, 3], [-4, 0, 0])
    np.testing.assert_allclose(canonical[:3, 0], [4, 0, 0])


def test_axial_order_is_transposed():
    # Axial: slices to the head, rows to the back, columns to the left.
    array = np.arange(24).reshape(2, 3, 4)
    affine = geometry.affine_from_axes((0, 0, 5), (0, 2, 0), (1, 0, 0), (0, 0, 0))
    found, canonical = geometry.canonicalise(array, affine)
    assert found.shape == (4, 2, 3)
    # canonical [s, r, c] is axial [1 - r, c, s]: rows run to the foot now.
    np.testing.assert_array_equal(found, array[::-1].transpose(2, 0, 1))
    np.testing.assert_allclose(geometry.spacing_mm(canonical), [1, 5, 2])
    np.testing.assert_allclose(canonical[:3, 3], [0, 0, 5])


@pytest.mark.parametrize("seed", range(40))
def test_every_voxel_keeps_its_patient_point(seed):
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(1, 6, size=3))
    affine = _random_affine(generator, largest_deg=30)
    array = np.arange(np.prod(shape)).reshape(shape)
    found, canonical = geometry.canonicalise(array, affine)
    before = {
        array[index]: geometry.to_patient(affine, index)
        for index in itertools.product(*map(range, shape))
    }
    assert sorted(found.ravel()) == sorted(before)
    for index in itertools.product(*map(range, found.shape)):
        np.testing.assert_allclose(
            geometry.to_patient(canonical, index), before[found[index]], atol=1e-9
        )


@pytest.mark.parametrize("seed", range(20))
def test_canonicalise_gives_a_canonical_affine_once(seed):
    generator = np.random.default_rng([seed, 1])
    array = generator.normal(size=(3, 4, 5))
    affine = _random_affine(generator, largest_deg=30)
    found, canonical = geometry.canonicalise(array, affine)
    assert geometry.is_canonical(canonical)
    again, same = geometry.canonicalise(found, canonical)
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(same, canonical)


def test_canonicalise_leaves_its_arguments_alone():
    array = np.arange(24).reshape(2, 3, 4)
    affine = np.array(AFFINE)
    affine[0, 0] *= -1
    before = affine.copy()
    geometry.canonicalise(array, affine)
    np.testing.assert_array_equal(affine, before)
    np.testing.assert_array_equal(array, np.arange(24).reshape(2, 3, 4))


def test_axes_that_follow_the_same_patient_axis_are_refused():
    # The columns (0, 0.6, -0.8) are nearest to y and to z, so nothing is left for the rows.
    affine = geometry.affine_from_axes((0.9, 0.1, 0), (0.8, 0, -0.6), (0, 0.6, -0.8), (0, 0, 0))
    with pytest.raises(ValueError, match="must follow the three patient axes within 45 degrees"):
        geometry.canonicalise(np.zeros((2, 2, 2)), affine)


def test_any_rotation_is_refused_or_becomes_canonical():
    generator = np.random.default_rng(0)
    for _ in range(500):
        affine = _random_affine(generator, largest_deg=180)
        try:
            _, canonical = geometry.canonicalise(np.zeros((2, 2, 2)), affine)
        except ValueError:
            continue
        assert geometry.is_canonical(canonical)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_axis_is_not_canonical(axis):
    affine = np.array(AFFINE)
    assert geometry.is_canonical(affine)
    affine[:3, axis] *= -1
    assert not geometry.is_canonical(affine)


def test_swapped_axes_are_not_canonical():
    assert not geometry.is_canonical(AFFINE[:, [0, 2, 1, 3]])


def test_signed_area():
    # 30 mm from front to back, 20 mm from head to foot.
    corners_mm = np.array([[0, 0, 20], [0, 30, 20], [0, 30, 0], [0, 0, 0]], float)
    assert geometry.signed_area_mm2(corners_mm) == pytest.approx(600)
    assert geometry.signed_area_mm2(corners_mm[::-1]) == pytest.approx(-600)
    # A sheared quad of the same base and height has the same area.
    sheared = corners_mm + [[0, 7, 0], [0, 7, 0], [0, 0, 0], [0, 0, 0]]
    assert geometry.signed_area_mm2(sheared) == pytest.approx(600)


def test_signed_area_does_not_see_x():
    corners_mm = np.array([[9, 0, 20], [-3, 30, 20], [5, 30, 0], [1, 0, 0]], float)
    assert geometry.signed_area_mm2(corners_mm) == pytest.approx(600)
