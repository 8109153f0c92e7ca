import keras
import numpy as np
import pytest

from spine_tf import config
from spine_tf.models import encoder as vgg_m
from spine_tf.models import heads, reconstruction, sononet, tile_heads, transfer, unet

TINY = config.ModelConfig(crop_scale=0.5, width=1 / 32, fc6=16, fc7=8, conv4_padding=1)


def _shaken(model):
    """The model with random weights, so that none is a start value by chance."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(1, 2, weight.shape) for weight in model.get_weights()])
    return model


def _on(encoder, add):
    image = keras.Input(encoder.input_shape[1:])
    return keras.Model(image, add(encoder(image)))


def _restoring(kind, encoder, **options):
    shape = encoder.input_shape[1:]
    return _shaken(_on(encoder, lambda s: reconstruction.decoder(kind, s, shape, **options)))


def _unet(seed=0, channels=1):
    return unet.build_encoder(2, (None, None, channels), seed=seed)


def _segmentation(num_classes=3):
    return _on(_unet(seed=1), lambda stages: unet.decoder(stages, num_classes, seed=1))


def _weights(model):
    """{name of a layer: its weights}, the encoder's as encoder/NAME."""
    encoder = model.get_layer("encoder")
    found = {f"encoder/{layer.name}": layer.get_weights() for layer in encoder.layers}
    found |= {layer.name: layer.get_weights() for layer in model.layers if layer is not encoder}
    return {name: weights for name, weights in found.items() if weights}


def _check_moved(source, target, before, moved):
    """What is said to have moved is the source's now, to the bit; all else is as it was."""
    old, new = _weights(source), _weights(target)
    for name, weights in new.items():
        expected = old[name] if name in moved else before[name]
        for one, two in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, two)
    assert set(moved) <= set(new)


def _copied(source, target, *, with_decoder):
    before = _weights(target)
    moved = transfer.copy_weights(source, target, with_decoder=with_decoder)
    _check_moved(source, target, before, moved)
    return set(moved)


def _of_encoder(model):
    return {name for name in _weights(model) if name.startswith("encoder/")}


def _of_decoder(model):
    return {name for name in _weights(model) if name.startswith("decoder_")}


def test_tiles_give_the_analysis_part_only():
    encoder = _unet()
    tiles = keras.Input((2, 16, 16, 1))
    source = _shaken(keras.Model(tiles, tile_heads.logits(encoder, tiles, 8, units=4)))
    target = _segmentation()
    assert _copied(source, target, with_decoder=True) == _of_encoder(target)


def test_the_analysis_part_only_is_what_is_asked_for():
    source = _restoring(config.UNET, _unet(), skips=True)
    target = _segmentation()
    assert _copied(source, target, with_decoder=False) == _of_encoder(target)


def test_restoration_gives_both_parts_but_the_last_layer():
    source = _restoring(config.UNET, _unet(), skips=True)
    target = _segmentation()
    moved = _copied(source, target, with_decoder=True)
    assert moved == set(_weights(target)) - {unet.OUTPUT}


def test_the_last_layer_is_new_even_where_it_fits():
    source = _restoring(config.UNET, _unet(), skips=True)
    target = _segmentation(num_classes=1)
    assert unet.OUTPUT not in _copied(source, target, with_decoder=True)


def test_without_skips_the_convolutions_after_joining_stay_new_with_their_norm():
    source = _restoring(config.UNET, _unet(), skips=False)
    target = _segmentation()
    moved = _copied(source, target, with_decoder=True)
    new = {f"decoder_conv{level}_1{end}" for level in (1, 2, 3, 4) for end in ("", "_norm")}
    assert _of_decoder(target) - moved == new | {unet.OUTPUT}


def test_new_layers_are_all_that_were_not_copied():
    target = _segmentation()
    copied = transfer.copy_weights(
        _restoring(config.UNET, _unet(), skips=True), target, with_decoder=True
    )
    assert transfer.new_layers(target, copied) == (unet.OUTPUT,)
    assert set(transfer.new_layers(target, ())) == set(_weights(target))


def test_batch_norm_moves_with_its_statistics():
    source = _restoring(config.UNET, _unet(), skips=True)
    target = _segmentation()
    transfer.copy_weights(source, target, with_decoder=True)
    name = "decoder_conv2_1_norm"
    for one, two in zip(
        source.get_layer(name).get_weights(), target.get_layer(name).get_weights(), strict=True
    ):
        assert np.all(two > 0.99)  # the start of a mean and of an offset is 0
        np.testing.assert_array_equal(one, two)


def test_a_classifier_takes_the_analysis_part_of_a_restoring_network():
    source = _restoring(config.SONONET, sononet.build_encoder(2, (32, 32, 1)))
    target = _on(sononet.build_encoder(2, (None, None, 1), seed=1), lambda s: sononet.logits(s, 3))
    assert _copied(source, target, with_decoder=True) == _of_encoder(target)


def test_disc_grading_takes_the_analysis_part_of_the_spine_bridge():
    def encoder(shape, seed):
        return vgg_m.build_encoder(TINY, shape, slice_means=[0.1] * 9, seed=seed)

    def graded(stages):
        return heads.logits(heads.embedding(stages["conv5"], TINY), 4, TINY)

    source = _restoring(config.VGG_M, encoder((9, 112, 112), 0))
    target = _on(encoder((9, 56, 112), 1), graded)
    assert _copied(source, target, with_decoder=True) == _of_encoder(target)


def test_an_encoder_is_found_at_any_depth():
    encoder = sononet.build_encoder(2, (16, 16, 1), seed=1)
    inner = _shaken(_on(encoder, lambda stages: sononet.logits(stages, 3)))
    image = keras.Input((16, 16, 1))
    source = keras.Model(image, inner(image))
    target = _on(
        sononet.build_encoder(2, (None, None, 1)), lambda stages: sononet.logits(stages, 2)
    )
    moved = transfer.copy_weights(source, target, with_decoder=False)
    assert set(moved) == _of_encoder(target)
    found = target.get_layer("encoder").get_weights()
    for one, two in zip(encoder.get_weights(), found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_another_encoder_is_refused_and_nothing_copied():
    source = _restoring(config.UNET, _unet(channels=4), skips=True)
    target = _segmentation()
    before = target.get_weights()
    with pytest.raises(ValueError, match=r"differs in encoder/conv1_1, encoder/conv1_1_norm\."):
        transfer.copy_weights(source, target, with_decoder=True)
    for one, two in zip(before, target.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_model_without_an_encoder_is_refused():
    image = keras.Input((16, 16, 1))
    plain = keras.Model(image, keras.layers.Flatten()(image))
    with pytest.raises(ValueError, match="having none to copy to"):
        transfer.copy_weights(_segmentation(), plain, with_decoder=False)
