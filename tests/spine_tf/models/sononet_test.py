import keras
import numpy as np
import pytest

from spine_tf.models import sononet


def _network(width, num_classes, num_blocks=sononet.NUM_BLOCKS, shape=(None, None, 1)):
    encoder = sononet.build_encoder(width, shape, num_blocks=num_blocks)
    image = keras.Input(shape)
    return keras.Model(image, sononet.logits(encoder(image), num_classes))


@pytest.mark.parametrize(("width", "expected"), [(64, 14_861_944), (32, 3_721_048), (16, 933_064)])
def test_parameters_are_those_of_methods_3_5(width, expected):
    model = _network(width, 14)
    assert model.count_params() == expected
    if width == 64:
        trainable = sum(np.prod(weight.shape) for weight in model.trainable_weights)
        assert trainable == 14_852_956


@pytest.mark.parametrize(("width", "expected"), [(64, 21_943_636), (16, 1_376_356)])
def test_parameters_are_those_of_methods_3_6(width, expected):
    assert _network(width, 5, sononet.LOCALISATION_BLOCKS).count_params() == expected


def test_stages_are_those_of_methods_3_5():
    stages = sononet.build_encoder(64, (224, 288, 1)).output
    assert {name: tuple(stage.shape[1:]) for name, stage in stages.items()} == {
        "conv1": (224, 288, 64),
        "conv2": (112, 144, 128),
        "conv3": (56, 72, 256),
        "conv4": (28, 36, 512),
        "conv5": (14, 18, 512),
    }


def test_a_sixth_block_follows_another_pooling():
    model = sononet.build_encoder(2, (32, 64, 1), num_blocks=sononet.LOCALISATION_BLOCKS)
    assert tuple(model.output["conv6"].shape[1:]) == (1, 2, 16)


def test_layers_have_the_published_names():
    model = _network(2, 3)
    names = {layer.name for layer in model.get_layer("encoder").layers}
    assert {"conv1_1", "conv1_2", "conv3_3", "conv5_3", "conv5_3_norm", "pool4"} <= names
    assert "pool5" not in names
    assert {"conv5_p", "conv6_p"} <= {layer.name for layer in model.layers}


def test_batch_norm_is_the_published_one():
    norm = sononet.build_encoder(2, (None, None, 1)).get_layer("conv1_1_norm")
    assert norm.epsilon == pytest.approx(1e-4)


def test_one_network_takes_images_of_any_size():
    model = _network(2, 3)
    for rows, columns in ((16, 16), (33, 50)):
        found = np.asarray(model(np.ones((2, rows, columns, 1), np.float32)))
        assert found.shape == (2, 3)
        assert np.all(np.isfinite(found))


def test_logits_are_the_mean_of_the_last_map():
    model = _network(2, 3, shape=(32, 32, 1))
    last = keras.Model(model.input, [model.get_layer("conv6_p_norm").output, model.output])
    image = np.random.default_rng(0).normal(size=(2, 32, 32, 1)).astype(np.float32)
    maps, logits = last(image)
    assert np.min(maps) < 0  # no ReLU before the mean
    np.testing.assert_allclose(np.mean(maps, (1, 2)), logits, rtol=1e-5, atol=1e-6)


def test_logits_are_float32_in_mixed_precision(mixed_bfloat16):
    model = _network(2, 3)
    assert model.get_layer("encoder").get_layer("conv5_3").compute_dtype == "bfloat16"
    found = np.asarray(model(np.ones((2, 16, 16, 1), np.float32)))
    assert found.dtype == np.float32


def test_the_seed_gives_the_weights():
    first, again, other = (
        sononet.build_encoder(2, (None, None, 1), seed=seed).get_weights() for seed in (1, 1, 2)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.any(first[0] != other[0])


def test_another_number_of_blocks_is_refused():
    with pytest.raises(ValueError, match="`num_blocks` must be 5 or 6, got 4"):
        sononet.build_encoder(2, (None, None, 1), num_blocks=4)
