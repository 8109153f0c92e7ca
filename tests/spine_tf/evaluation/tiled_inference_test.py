import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf.evaluation import tiled_inference, tiling


@pytest.fixture(name="network", scope="module")
def _network():
    """Two convolutions at full size and one at half: a radius of 1 + 2 * 1 + 1 + 1 = 5 pixels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 2))
    value = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    value = keras.layers.MaxPooling2D()(value)
    value = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(value)
    value = keras.layers.UpSampling2D()(value)
    return keras.Model(inputs, keras.layers.Conv2D(3, 3, padding="same")(value))


def _images(count, rows, columns):
    return np.random.default_rng(0).normal(size=(count, rows, columns, 2)).astype(np.float32)


def _direct(network, images):
    return network(images, training=False).numpy()


def _tiled(network, images, **options):
    tiles = tiling.Tiling(**({"tile_size": (32, 48), "overlap": 16, "margin": 6} | options))
    return np.stack(list(tiled_inference.tiled(network, images, tiles, batch_size=3)))


def test_whole_slices_are_the_network(network):
    images = _images(5, 32, 48)
    found = np.stack(list(tiled_inference.whole(network, images, batch_size=2)))
    np.testing.assert_allclose(found, _direct(network, images), atol=1e-5)


def test_whole_slices_are_padded_and_cropped(network):
    images = _images(2, 35, 50)
    found = np.stack(list(tiled_inference.whole(network, images)))
    assert found.shape == (2, 35, 50, 3) and found.dtype == np.float32
    padded = np.pad(images, [(0, 0), (0, 13), (0, 14), (0, 0)], mode="edge")
    np.testing.assert_allclose(found, _direct(network, padded)[:, :35, :50], atol=1e-5)


def test_tiles_are_the_network_where_the_margin_covers_its_field(network):
    images = _images(2, 96, 80)
    np.testing.assert_allclose(_tiled(network, images), _direct(network, images), atol=1e-5)


def test_a_margin_below_the_field_is_close_but_not_the_same(network):
    images = _images(1, 96, 80)
    difference = np.abs(_tiled(network, images, margin=0) - _direct(network, images))
    assert 1e-3 < difference.max()
    # Away from the seams nothing differs.
    assert difference[:, :10, :26].max() < 1e-5


def test_tiles_of_an_odd_size(network):
    images = _images(1, 41, 101)
    padded = np.pad(images, [(0, 0), (0, 7), (0, 11), (0, 0)], mode="edge")
    expected = _direct(network, padded)[:, :41, :101]
    np.testing.assert_allclose(_tiled(network, images), expected, atol=1e-5)
    assert _tiled(network, _images(1, 9, 7)).shape == (1, 9, 7, 3)


def test_a_constant_stays_a_constant():
    # Partition of unity: what every tile says, the whole says.
    found = _tiled(lambda x: tf.ones_like(x) * 0.25, _images(1, 100, 130))
    np.testing.assert_allclose(found, 0.25, atol=1e-6)


def test_memory_does_not_grow():
    shapes, taken = set(), []

    def network(images):
        shapes.add(tuple(images.shape))
        return images

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield _images(1, 64 + 32 * number, 128)[0]

    tiles = tiling.Tiling((32, 32), overlap=16, margin=4)
    found = tiled_inference.tiled(network, endless(), tiles, batch_size=4)
    sizes = [one.shape for one in itertools.islice(found, 3)]
    assert sizes == [(64, 128, 2), (96, 128, 2), (128, 128, 2)]
    assert taken == [0, 1, 2]
    assert shapes == {(4, 32, 32, 2)}
    whole = tiled_inference.whole(network, (_images(1, 16, 16)[0] for _ in endless()), batch_size=2)
    next(whole)
    assert len(taken) == 3 + 2


def test_a_network_that_shrinks_the_image():
    with pytest.raises(ValueError, match="`network` must return .* Is it fully convolutional"):
        _tiled(lambda x: x[:, ::2, ::2], _images(1, 64, 64))


def test_no_slices(network):
    assert list(tiled_inference.whole(network, [])) == []
