import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.models import encoder as vgg_m
from spine_tf.models import sononet, tile_heads, unet

TINY = config.ModelConfig(crop_scale=0.5, width=1 / 32, conv4_padding=1)


def _network(encoder, tile_shape, num_tiles, num_classes=8):
    tiles = keras.Input((num_tiles, *tile_shape))
    return keras.Model(tiles, tile_heads.logits(encoder, tiles, num_classes, units=6))


def _spine(tile_shape):
    shape = tile_heads.encoder_shape(tile_shape, 9, TINY)
    return vgg_m.build_encoder(TINY, shape, slice_means=[0.1] * 9)


def _random(*shape):
    return np.random.default_rng(0).uniform(0, 2, shape).astype(np.float32)


ENCODERS = {
    "sononet": (lambda: sononet.build_encoder(2, (None, None, 1)), (None, None, 1)),
    "sononet of a size": (lambda: sononet.build_encoder(2, (18, 20, 2)), (18, 20, 2)),
    "unet": (lambda: unet.build_encoder(2, (None, None, 4)), (18, 18, 4)),
    "vgg-m": (lambda: _spine((15, 31)), (9, 15, 31, 1)),
    "vgg-m of two slices": (lambda: _spine((2, 15, 31)), (2, 15, 31, 1)),
}


@pytest.mark.parametrize(("build", "tile_shape"), ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("num_tiles", [2, 9])
def test_tiles_of_every_encoder_are_classified(build, tile_shape, num_tiles):
    model = _network(build(), tile_shape, num_tiles)
    sides = [20 if side is None else side for side in tile_shape]
    found = tf.function(model)(_random(3, num_tiles, *sides))
    assert found.dtype == tf.float32
    assert tuple(found.shape) == (3, 8)
    assert np.all(np.isfinite(found))


def test_features_of_a_tile_stand_in_its_own_place():
    encoder = sononet.build_encoder(2, (16, 16, 1))
    model = _network(encoder, (16, 16, 1), 3)
    joined = keras.Model(model.input, model.get_layer("tiles_join").output)
    tiles = _random(2, 3, 16, 16, 1)
    found = np.asarray(joined(tiles)).reshape(2, 3, 16)
    for image in range(2):
        for tile in range(3):
            alone = encoder(tiles[image, tile : tile + 1])["conv5"]
            expected = np.mean(alone, (0, 1, 2))
            np.testing.assert_allclose(found[image, tile], expected, rtol=1e-4, atol=1e-5)


def test_the_encoder_is_shared():
    encoder = sononet.build_encoder(2, (None, None, 1))
    two, nine = (_network(encoder, (16, 16, 1), count) for count in (2, 9))
    assert two.get_layer("encoder") is nine.get_layer("encoder")
    # 16 features of conv5 per tile more, for each of 6 units.
    assert nine.count_params() - two.count_params() == 7 * 16 * 6


@pytest.mark.parametrize(("padding", "least"), tile_heads.LEAST_SIDE.items())
def test_the_least_side_leaves_conv5_one_pixel(padding, least):
    model_config = config.ModelConfig(width=1 / 64, conv4_padding=padding)
    encoder = vgg_m.build_encoder(model_config, (1, least, least), slice_means=[0.0])
    assert tuple(encoder.output["conv5"].shape[1:3]) == (1, 1)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        small = vgg_m.build_encoder(model_config, (1, least - 1, least), slice_means=[0.0])
        small(np.ones((1, 1, least - 1, least, 1), np.float32))


@pytest.mark.parametrize(
    ("preset", "tile_shape", "expected"),
    [
        ("full", (9, 62, 62), (9, 62, 62)),  # a third of a vertebra, less a sixth
        ("full", (9, 31, 62), (9, 62, 124)),  # of a disc: twice the size
        ("tiny", (9, 31, 31), (9, 31, 31)),
        ("tiny", (9, 15, 31), (9, 30, 62)),
        ("tiny", (2, 15, 31), (9, 30, 62)),  # 27 cells: the slices repeated
    ],
)
def test_small_tiles_are_shown_enlarged(preset, tile_shape, expected):
    assert tile_heads.encoder_shape(tile_shape, 9, config.preset(preset)) == expected


def test_logits_are_float32_in_mixed_precision(mixed_bfloat16):
    model = _network(sononet.build_encoder(2, (None, None, 1)), (16, 16, 1), 2)
    assert model.get_layer("tiles_fc").compute_dtype == "bfloat16"
    assert np.asarray(model(_random(2, 2, 16, 16, 1))).dtype == np.float32


def test_a_tile_that_the_poolings_would_swallow_is_enlarged():
    encoder = sononet.build_encoder(2, (None, None, 1))  # four poolings
    model = _network(encoder, (6, 16, 1), 2)
    resized = keras.Model(model.input, model.get_layer("tiles_resize").output)
    tiles = _random(1, 2, 6, 16, 1)
    found = np.asarray(resized(tiles))
    assert found.shape == (2, 18, 48, 1)  # three times
    expected = tf.image.resize(tiles[0], (18, 48))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert not any("resize" in layer.name for layer in _network(encoder, (16, 17, 1), 2).layers)
