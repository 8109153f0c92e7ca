import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from spine_tf.data import augmentation, slice_augmentation

NOTHING = augmentation.AugmentConfig(0.0, 0.0, 0.0, 0, 0.0, 0.0)
SEED = tf.constant([3, 4])


def _planes(rows=30, columns=40):
    rng = np.random.default_rng(0)
    image = ndimage.gaussian_filter(rng.normal(size=(rows, columns, 2)), (3, 3, 0)) * 10
    return {
        "image": tf.constant(image, tf.float32),
        "labels": tf.constant(rng.integers(0, 200, (rows, columns)), tf.int32),
        "valid": tf.ones([rows, columns], tf.bool),
    }


def _draws(seed=SEED):
    """Angle, scale, rows and columns between -1 and 1."""
    return tf.random.stateless_uniform([4], seed, -1.0, 1.0).numpy()


@pytest.mark.parametrize("corner, size", [((0, 0), (30, 40)), ((7, 11), (10, 12))])
def test_ranges_of_zero_cut_the_rectangle(corner, size):
    planes = _planes()
    found = slice_augmentation.warped(planes, corner, size, NOTHING, SEED)
    for name, plane in planes.items():
        place = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        assert found[name].dtype == plane.dtype
        np.testing.assert_allclose(found[name], plane.numpy()[place], atol=1e-4)


def test_beyond_the_edges_is_nothing():
    found = slice_augmentation.warped(_planes(), (-5, 30), (20, 20), NOTHING, SEED)
    expected = np.zeros((20, 20), bool)
    expected[5:, :10] = True
    np.testing.assert_array_equal(found["valid"], expected)
    assert not np.any(found["image"].numpy()[~expected])
    assert not np.any(found["labels"].numpy()[~expected])


def test_a_shift_by_hand():
    # 112 pixels of 224 are half the rectangle's 40 columns: 20 pixels times the draw.
    ranges = dataclasses.replace(NOTHING, shift_rows=112.0, shift_columns=112.0)
    *_, rows, columns = _draws()
    planes = _planes()
    r, c = np.mgrid[:30, :40].astype(np.float32)
    planes["image"] = tf.stack([tf.constant(r), tf.constant(c)], -1)
    found = slice_augmentation.warped(planes, (0, 0), (30, 40), ranges, SEED)
    middle = found["image"].numpy()[15, 20]
    np.testing.assert_allclose(middle, [15 + 20 * rows, 20 + 20 * columns], atol=1e-3)


def test_a_rotation_and_a_scale_by_hand():
    ranges = dataclasses.replace(NOTHING, rotation_deg=30.0, scale=0.1)
    angle, scale, *_ = _draws()
    angle, scale = np.deg2rad(30.0) * angle, 1 + 0.1 * scale
    r, c = np.mgrid[:31, :31].astype(np.float32)
    planes = {"image": tf.stack([tf.constant(r), tf.constant(c)], -1)}
    found = slice_augmentation.warped(planes, (0, 0), (31, 31), ranges, SEED)["image"].numpy()
    np.testing.assert_allclose(found[15, 15], [15, 15], atol=1e-4)
    # 4 columns right of the middle: 4 / scale pixels away in the slice, turned by the angle.
    expected = [15 - 4 * np.sin(angle) / scale, 15 + 4 * np.cos(angle) / scale]
    np.testing.assert_allclose(found[15, 19], expected, atol=1e-3)


def test_labels_keep_their_values_and_go_with_the_image():
    planes = _planes()
    labels = np.zeros((30, 40), np.int32)
    labels[8:20, 10:25] = 201
    planes |= {"labels": tf.constant(labels)}
    planes |= {"image": tf.constant(labels[..., None] / 201, tf.float32)}
    found = slice_augmentation.warped(planes, (0, 0), (30, 40), slice_augmentation.RANGES, SEED)
    shown = found["labels"].numpy()
    assert set(np.unique(shown)) == {0, 201}
    agree = (found["image"].numpy()[..., 0] > 0.5) == (shown > 0)
    assert agree.mean() > 0.98  # but for pixels halfway between two


def test_left_stays_left():
    planes = {"image": tf.tile(tf.range(40.0)[None, :, None], [30, 1, 1])}
    for number in range(20):
        seed = tf.constant([number, 0])
        found = slice_augmentation.warped(
            planes, (0, 0), (30, 40), slice_augmentation.RANGES, seed
        )["image"].numpy()
        assert found[15, 30, 0] > found[15, 10, 0]


def test_intensity_by_hand():
    image = tf.constant([[[1.0, 2.0]], [[0.0, -1.0]]])
    ranges = dataclasses.replace(NOTHING, intensity=0.2)
    contrast, brightness = 0.2 * tf.random.stateless_uniform([2, 2], SEED, -1.0, 1.0).numpy()
    found = slice_augmentation.with_intensity(image, ranges, SEED)
    np.testing.assert_allclose(found, image.numpy() * (1 + contrast) + brightness, rtol=1e-6)
    np.testing.assert_array_equal(
        slice_augmentation.with_intensity(image, NOTHING, SEED), image.numpy()
    )


def test_it_follows_from_the_seed_and_runs_in_tf_data():
    planes = _planes()

    def one(seed):
        return slice_augmentation.warped(planes, (2, 3), (16, 16), slice_augmentation.RANGES, seed)[
            "image"
        ]

    seeds = tf.constant([[1, 2], [1, 2], [1, 3]])
    found = list(tf.data.Dataset.from_tensor_slices(seeds).map(one).as_numpy_iterator())
    np.testing.assert_array_equal(found[0], found[1])
    assert np.any(found[0] != found[2])
