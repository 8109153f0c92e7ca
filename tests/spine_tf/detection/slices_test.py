import numpy as np
import pytest

from spine_tf import geometry, volume
from spine_tf.detection import slices

AFFINE = geometry.affine_from_axes([4, 0, 0], [0, 0, -0.5], [0, 0.5, 0], [-10, 5, 90])


def _scan():
    array = np.random.default_rng(0).uniform(50, 150, (3, 90, 60)).astype(np.float32)
    return volume.Volume(array, AFFINE)


def test_a_volume_has_the_pixels_and_grey_values_of_the_network():
    found = slices.from_volume(_scan())
    assert found.image.shape == (3, 30, 20) and found.image.dtype == np.float32
    np.testing.assert_allclose(geometry.spacing_mm(found.affine), [4, 1.5, 1.5])
    # The middle of three half mm is the middle of the first 1.5 mm.
    np.testing.assert_allclose(
        geometry.to_patient(found.affine, [0, 0, 0]), geometry.to_patient(AFFINE, [0, 1, 1])
    )
    assert 0 <= found.image.min() and found.image.max() <= 1
    low, high = np.percentile(_scan().array, [0.5, 99.5])
    assert found.image.mean() == pytest.approx(
        (_scan().array.mean() - low) / (high - low), abs=0.01
    )


def test_padding_is_below_and_behind():
    found = slices.from_volume(_scan())
    padded = found.padded()
    assert padded.shape == (3, 32, 32)
    np.testing.assert_array_equal(padded[:, :30, :20], found.image)
    assert not padded[:, 30:].any() and not padded[:, :, 20:].any()


def test_an_empty_volume_is_refused():
    with pytest.raises(ValueError, match="`array` must show something"):
        slices.from_volume(volume.Volume(np.zeros((2, 20, 20), np.float32), AFFINE))


def test_every_second_slice():
    found = slices.every(_scan(), 2)
    np.testing.assert_array_equal(found.array, _scan().array[::2])
    np.testing.assert_allclose(
        geometry.to_patient(found.affine, [1, 0, 0]), geometry.to_patient(AFFINE, [2, 0, 0])
    )
