import numpy as np

from spine_tf import geometry
from spine_tf.data import resampling


def test_a_ramp_is_resampled_about_its_centre():
    ramp = np.arange(8, dtype=np.float32)[:, None, None, None] * np.ones((1, 2, 2, 1), np.float32)
    found = resampling.resampled(ramp, np.ones(3), np.array([2.0, 1.0, 1.0]))
    # Centres of pairs; the blur of half a voxel reaches the ends, where the ramp stops.
    np.testing.assert_allclose(found[1:-1, 0, 0, 0], [2.5, 4.5], atol=1e-3)
    finer = resampling.resampled(ramp, np.ones(3), np.array([0.5, 1.0, 1.0]))
    np.testing.assert_allclose(finer[1:-1, 0, 0, 0], np.arange(0.25, 7, 0.5)[:14], atol=1e-5)


def test_labels_take_the_nearest_voxel():
    labels = np.array([1, 1, 4, 4, 200, 200], np.uint8)[:, None, None, None]
    found = resampling.resampled(labels, np.ones(3), np.array([2.0, 1, 1]), is_label_map=True)
    assert found.dtype == np.uint8 and set(found.ravel()) == {1, 4, 200}


def test_a_point_keeps_its_place():
    affine = geometry.affine_from_axes([4, 0, 0], [0, 0, -0.5], [0, 0.5, 0], [10, 20, 30])
    changed = resampling.resampled_affine(affine, (3, 9, 9), (3, 5, 5), [4, 1, 1])
    np.testing.assert_allclose(geometry.spacing_mm(changed), [4, 1, 1])
    # The middle of 9 half mm and the middle of 5 mm are the same point.
    np.testing.assert_allclose(geometry.to_patient(changed, [1, 2, 2]), [14, 22, 28])
    np.testing.assert_allclose(geometry.to_patient(affine, [1, 4, 4]), [14, 22, 28])
