import numpy as np
import pytest

from data_prep import intensities


def test_zeros_around_a_brain_are_background():
    array = np.zeros((100, 10, 2), np.float32)
    array[:30, :, 0] = 100 + np.arange(10)
    array[30:50, :, 1] = 50
    array[99, 9, 0] = -8  # an edge of interpolation
    found = intensities.describe(array)
    # From percentile 1 (0) to 99.5 (109 and 50) a twentieth is 5.45 and 2.5.
    np.testing.assert_allclose(found.background, [5.45, 2.5], atol=0.01)
    np.testing.assert_array_equal([found.low, found.high], [[-8, 0], [109, 50]])
    # Foreground is the 500 pixels that either channel shows.
    np.testing.assert_allclose(found.mean, [104.5 * 30 / 50, 50 * 20 / 50])
    expected = [np.std([*np.tile(100 + np.arange(10), 3), *[0] * 20]), np.std([50] * 20 + [0] * 30)]
    np.testing.assert_allclose(found.std, expected)


def test_a_small_bright_spot_is_foreground():
    array = np.zeros((100, 100, 1), np.float32)
    array[5, 5:7, 0] = 40, 60  # less than the half percent that the percentiles leave out
    assert intensities.describe(array).mean == 50
    assert intensities.describe(array).std == 10


def test_one_value_everywhere():
    array = np.zeros((4, 4, 2), np.float32)
    array[0, 0, 0] = 1
    with pytest.raises(ValueError, match="has no foreground: every pixel is 0"):
        intensities.describe(array)


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_mask_is_no_image(noise):
    array = np.zeros((20, 20, 2), np.float32)
    array[..., 0] = np.add.outer(np.arange(20), np.arange(20))
    array[5:15, 5:15, 1] = 255 + noise * np.random.default_rng(0).normal(size=(10, 10))
    array[..., 0] *= array[..., 1] > 0  # the foreground is the same in both
    with pytest.raises(ValueError, match="has a foreground of one value, as a mask has"):
        intensities.describe(array)


def test_one_hot_pixel_makes_no_mask():
    array = np.random.default_rng(0).uniform(100, 120, (100, 100, 1)).astype(np.float32)
    array[3, 3] = 1e6
    assert intensities.describe(array).std > 5
