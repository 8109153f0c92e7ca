import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import crops
from spine_tf.models import encoder as vgg_m
from spine_tf.models import reconstruction, sononet, unet

TINY = config.ModelConfig(crop_scale=0.5, width=1 / 32, conv4_padding=1)


def _network(kind, encoder, **options):
    shape = tuple(encoder.input_shape[1:])
    image = keras.Input(shape)
    restored = reconstruction.decoder(kind, encoder(image), shape, **options)
    return keras.Model(image, restored)


def _spine(model_config, shape):
    encoder = vgg_m.build_encoder(model_config, shape, slice_means=[0.0] * shape[0])
    return _network(config.VGG_M, encoder)


def _decoder_parameters(model):
    return model.count_params() - model.get_layer("encoder").count_params()


def test_parameters_of_the_shallow_decoder_are_those_of_methods_3_2():
    encoder = sononet.build_encoder(64, (224, 288, 1))
    model = _network(config.SONONET, encoder)
    assert _decoder_parameters(model) == 2_787_489
    assert tuple(model.output.shape) == (None, 224, 288, 1)
    assert [model.get_layer(f"decoder_up{i}").filters for i in (1, 2, 3, 4)] == [256, 128, 64, 32]


def test_a_sixth_block_has_a_fifth_transposed_convolution():
    encoder = sononet.build_encoder(2, (64, 32, 1), num_blocks=sononet.LOCALISATION_BLOCKS)
    model = _network(config.SONONET, encoder)
    assert tuple(model.output.shape) == (None, 64, 32, 1)
    assert [model.get_layer(f"decoder_up{i}").filters for i in (1, 2, 3, 4, 5)] == [16] * 5


@pytest.mark.parametrize("preset", ["paper", "full", "small", "tiny"])
@pytest.mark.parametrize("kind", [crops.VERTEBRA, crops.DISC])
def test_the_spine_bridge_gives_the_crop_of_every_preset(preset, kind):
    model_config = dataclasses.replace(config.preset(preset), width=1 / 64)
    shape = kind.network_shape(model_config.crop_scale)
    assert tuple(_spine(model_config, shape).output.shape) == (None, *shape, 1)


def test_the_spine_bridge_of_the_paper_is_that_of_methods_3_2():
    model = _spine(config.preset("full"), (9, 224, 224))
    sides = [tuple(model.get_layer(f"decoder_resize{i}").shape) for i in range(5)]
    assert sides == [(14, 14), (28, 28), (56, 56), (112, 112), (224, 224)]
    assert [model.get_layer(f"decoder_conv{i}").filters for i in (1, 2, 3, 4)] == [256, 128, 64, 32]
    # 9 (512*256 + 256*128 + 128*64 + 64*32) + 4 * 480 of batch norm + 32 * 9 * 9 + 9.
    assert _decoder_parameters(model) == 1_566_720 + 1_920 + 2_601


def test_the_sides_of_a_small_disc_are_rounded_up():
    model = _spine(config.preset("tiny"), (9, 56, 112))
    sides = [tuple(model.get_layer(f"decoder_resize{i}").shape) for i in range(5)]
    assert sides == [(4, 7), (7, 14), (14, 28), (28, 56), (56, 112)]


def test_channels_of_the_last_convolution_are_slices():
    model = _spine(TINY, (9, 56, 112))
    both = keras.Model(model.input, [model.get_layer(unet.OUTPUT).output, model.output])
    crop = np.random.default_rng(0).uniform(0, 2, (2, 9, 56, 112, 1)).astype(np.float32)
    channels, restored = (np.asarray(found) for found in both(crop))
    np.testing.assert_array_equal(restored[:, 4, ..., 0], channels[..., 4])


@pytest.mark.parametrize("skips", [True, False])
def test_a_unet_restores_all_channels(skips):
    encoder = unet.build_encoder(2, (None, None, 4))
    model = _network(config.UNET, encoder, skips=skips)
    assert tuple(model.output.shape) == (None, None, None, 4)
    layers = {layer.name for layer in model.layers}
    assert ("decoder_join1" in layers) == skips


def test_every_weight_of_a_decoder_learns():
    encoder = sononet.build_encoder(2, (None, None, 2))
    model = _network(config.SONONET, encoder)
    image = np.random.default_rng(0).normal(size=(2, 32, 16, 2)).astype(np.float32)
    with tf.GradientTape() as tape:
        restored = model(image, training=True)
        loss = tf.reduce_mean(tf.square(restored - image))
    assert restored.shape == image.shape
    for gradient in tape.gradient(loss, model.trainable_variables):
        assert np.all(np.isfinite(gradient))
        assert np.any(gradient)


def test_results_are_float32_in_mixed_precision(mixed_bfloat16):
    shape = (9, 56, 112)
    spine = _spine(TINY, shape)
    assert spine.get_layer("decoder_conv4").compute_dtype == "bfloat16"
    assert np.asarray(spine(np.ones((1, *shape, 1), np.float32))).dtype == np.float32
    plane = _network(config.SONONET, sononet.build_encoder(2, (None, None, 1)))
    assert np.asarray(plane(np.ones((1, 16, 16, 1), np.float32))).dtype == np.float32


def test_what_cannot_be_restored():
    encoder = sononet.build_encoder(2, (40, 32, 1))
    for kind, options, message in (
        ("resnet", {}, "`kind` must be one of vgg-m, sononet, sononet-6, unet, got 'resnet'"),
        (config.SONONET, {"skips": True}, "`skips` must be False for sononet"),
        (config.SONONET, {}, "`rows` must be a multiple of 16 .* got 40"),
    ):
        with pytest.raises(ValueError, match=message):
            _network(kind, encoder, **options)
