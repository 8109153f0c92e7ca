import keras
import numpy as np
import pytest

from spine_tf import config
from spine_tf.data import crops
from spine_tf.models import dropout, encoder, heads


def _network(model_config, kind, num_classes):
    shape = kind.network_shape(model_config.crop_scale)
    encode = encoder.build_encoder(model_config, shape, slice_means=[0.0] * 9)
    crop = keras.Input((*shape, 1))
    embedded = heads.embedding(encode(crop)["conv5"], model_config)
    return keras.Model(crop, heads.logits(embedded, num_classes, model_config))


def _convolutions_and_dense(model):
    """Kernels and biases of convolutions and fully connected layers, without normalisation."""
    layers = [
        layer
        for part in (model, model.get_layer("encoder"))
        for layer in part.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Conv3D | keras.layers.Dense)
    ]
    return sum(layer.count_params() for layer in layers)


@pytest.mark.parametrize(
    ("preset", "kind", "num_classes", "expected"),
    [
        ("paper", crops.VERTEBRA, 7, 85_626_503),
        ("paper", crops.DISC, 4, 54_166_148),
        ("small", crops.VERTEBRA, 7, 2_538_407),
        ("small", crops.DISC, 7, 2_145_191),
        ("tiny", crops.VERTEBRA, 7, 636_247),
        ("tiny", crops.DISC, 7, 537_943),
    ],
)
def test_parameters_are_those_of_methods_1_3(preset, kind, num_classes, expected):
    model = _network(config.preset(preset), kind, num_classes)
    assert _convolutions_and_dense(model) == expected


def test_the_embedding_is_fc7_after_its_relu():
    model_config = config.ModelConfig(0.5, 1 / 32, 16, 8, "batch", 1)
    conv5 = keras.Input((5, 12, 16))
    embedded = heads.embedding(conv5, model_config)
    assert tuple(embedded.shape) == (None, 8)
    model = keras.Model(conv5, embedded)
    found = model(np.random.default_rng(0).normal(size=(4, 5, 12, 16)).astype(np.float32))
    assert np.min(found) >= 0


def test_dropout_is_in_the_faithful_network_only():
    for norm, number in (("lrn", 2), ("batch", 0), ("none", 0)):
        model_config = config.ModelConfig(0.5, 1 / 32, 16, 8, norm, 1)
        model = _network(model_config, crops.DISC, 4)
        dropouts = [x for x in model.layers if isinstance(x, dropout.Dropout)]
        assert len(dropouts) == number


def test_two_heads_have_names_and_weights_of_their_own():
    model_config = config.ModelConfig(0.5, 1 / 32, 16, 8, "none", 1)
    conv5 = keras.Input((5, 12, 16))
    outputs = {}
    for number, name in enumerate(("a", "b")):
        options = {"prefix": f"{name}_", "seed": number}
        embedded = heads.embedding(conv5, model_config, **options)
        outputs[name] = heads.logits(embedded, 3, model_config, **options)
    model = keras.Model(conv5, outputs)
    assert {"a_fc6", "a_fc7", "a_fc8", "b_fc6", "b_fc7", "b_fc8"} <= {x.name for x in model.layers}
    first, second = (model.get_layer(f"{name}_fc6").get_weights()[0] for name in "ab")
    assert np.any(first != second)


def test_logits_are_float32():
    model_config = config.ModelConfig(0.5, 1 / 32, 16, 8, "none", 1)
    found = heads.logits(keras.Input((8,)), 4, model_config)
    assert tuple(found.shape) == (None, 4)
    assert found.dtype == "float32"
