import numpy as np
import pytest
from skimage import transform

from spine_tf.data import plain_images


def _fit(image, shape):
    return {name: value.numpy() for name, value in plain_images.fit(image, shape).items()}


def test_the_median_of_what_is_not_0_becomes_half():
    image = np.zeros((8, 8), np.float32)
    image[:, 2:] = 10.0
    image[:, 4:6] = 30.0
    image[:, 6:] = 70.0
    found = _fit(image, (8, 8))
    # Not 0 are 16 of 10, 16 of 30 and 16 of 70: the median is 30, and 70 / 30 * 0.5 = 1.1667.
    assert found["median"] == 30
    expected = np.repeat([0, 10 / 60, 0.5, 70 / 60], 2)
    np.testing.assert_allclose(found["image"], np.tile(expected, (1, 8, 1)), atol=1e-6)
    assert found["pixel_is_valid"].all()


def test_what_is_bright_is_cut_off_at_2():
    image = np.full((8, 8), 5.0, np.float32)
    image[:2] = 1000.0
    assert _fit(image, (8, 8))["image"].max() == 2


@pytest.mark.parametrize("seed", range(3))
def test_a_factor_changes_nothing(seed):
    image = np.random.default_rng(seed).uniform(0, 100, (30, 40)).astype(np.float32)
    first, second = _fit(image, (32, 32)), _fit(image * 16, (32, 32))
    np.testing.assert_allclose(first["image"], second["image"], atol=1e-5)


def test_negative_values_begin_at_0():
    image = np.arange(64, dtype=np.float32).reshape(8, 8)
    np.testing.assert_allclose(
        _fit(image - 1024, (8, 8))["image"], _fit(image, (8, 8))["image"], atol=1e-6
    )


@pytest.mark.parametrize(
    "size, rows, columns",
    [((20, 40), slice(8, 24), slice(0, 32)), ((40, 20), slice(0, 32), slice(8, 24))],
)
def test_the_whole_image_lies_in_the_middle(size, rows, columns):
    found = _fit(np.full(size, 7.0, np.float32), (32, 32))
    expected = np.zeros((32, 32), bool)
    expected[rows, columns] = True
    np.testing.assert_array_equal(found["pixel_is_valid"], expected)
    np.testing.assert_allclose(found["image"][0], np.where(expected, 0.5, 0.0), atol=1e-6)


def test_a_reduced_image_is_averaged_and_not_sampled():
    image = np.tile(np.array([[10.0, 30.0]], np.float32), (64, 32))  # columns alternate
    found = _fit(image, (16, 16))["image"][0]
    # 20 on average, the median is 20, too.
    np.testing.assert_allclose(found[:, 2:-2], 0.5, atol=0.02)


def test_a_smooth_image_is_resized_as_scikit_image_does():
    row, column = np.mgrid[:90, :120] / 30
    image = (2 + np.sin(row) * np.cos(column)).astype(np.float32)
    found = _fit(image, (30, 40))
    expected = transform.resize(image, (30, 40), order=1, anti_aliasing=True)
    expected *= 0.5 / np.median(image)
    np.testing.assert_allclose(found["image"][0, 2:-2, 2:-2], expected[2:-2, 2:-2], atol=0.01)


def test_an_empty_image_has_no_median():
    found = _fit(np.zeros((8, 8), np.float32), (8, 8))
    assert np.isnan(found["median"])
    assert np.isnan(_fit(np.full((8, 8), -3.0, np.float32), (8, 8))["median"])


def test_a_line_is_kept():
    assert _fit(np.ones((1, 1000), np.float32), (32, 32))["pixel_is_valid"].sum() == 32
