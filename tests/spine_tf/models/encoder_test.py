import numpy as np
import pytest
import tensorflow as tf

from spine_tf import config
from spine_tf.data import crops
from spine_tf.models import encoder

TINY = config.ModelConfig(crop_scale=0.5, width=1 / 32, fc6=16, fc7=8, conv4_padding=1)


def _shapes(model_config, kind):
    shape = kind.network_shape(model_config.crop_scale)
    model = encoder.build_encoder(model_config, shape, slice_means=[0.1] * 9)
    return {name: tuple(stage.shape[1:]) for name, stage in model.output.items()}


def test_stages_of_the_paper_for_a_vertebra():
    # Methods 1.3, table A; depth first, before pooling.
    assert _shapes(config.preset("paper"), crops.VERTEBRA) == {
        "conv1": (9, 109, 109, 96),
        "conv2": (9, 26, 26, 256),
        "conv3": (9, 13, 13, 512),
        "conv4": (11, 11, 512),
        "conv5": (11, 11, 512),
    }


def test_stages_of_the_paper_for_a_disc():
    # Methods 1.3, table B.
    assert _shapes(config.preset("paper"), crops.DISC) == {
        "conv1": (9, 53, 109, 96),
        "conv2": (9, 12, 26, 256),
        "conv3": (9, 6, 13, 512),
        "conv4": (4, 11, 512),
        "conv5": (4, 11, 512),
    }


@pytest.mark.parametrize("name", ["small", "tiny"])
def test_half_size_presets_fit_a_disc(name):
    shapes = _shapes(config.preset(name), crops.DISC)
    assert min(shapes["conv5"][:2]) >= 2  # pool5 needs two rows


@pytest.mark.parametrize("norm", config.NORMS)
def test_the_encoder_runs_with_every_norm(norm):
    model_config = config.ModelConfig(0.5, 1 / 32, 16, 8, norm, 1)
    model = encoder.build_encoder(model_config, (9, 56, 112), slice_means=[0.0] * 9)
    stages = model(np.random.default_rng(0).uniform(0, 2, (2, 9, 56, 112, 1)).astype(np.float32))
    assert tuple(stages) == encoder.STAGES
    assert np.all(np.isfinite(stages["conv5"]))
    assert np.all(stages["conv5"] >= 0)


def test_the_same_seed_gives_the_same_weights():
    first, again, other = (
        encoder.build_encoder(TINY, (9, 56, 112), slice_means=[0.0] * 9, seed=seed)
        for seed in (1, 1, 2)
    )
    for one, two in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert np.any(first.get_weights()[0] != other.get_weights()[0])


def test_slice_means_are_subtracted():
    layer = encoder.SubtractSliceMeans([0.0, 0.25, 0.5])
    found = layer(tf.ones((1, 3, 2, 2, 1)))
    np.testing.assert_allclose(found[0, :, 0, 0, 0], [1.0, 0.75, 0.5])


def test_local_response_normalisation_by_hand():
    # VGG-M over 5 channels: x / (1 + 1e-4 / 5 * sum of squares)^0.75. The first channel sees
    # itself and two more, the third all five.
    x = np.array([100.0, 200, 300, 400, 500], np.float32)
    layer = encoder.LocalResponseNormalization()
    found = np.asarray(layer(tf.constant(x.reshape(1, 1, 1, 1, 5)))).ravel()
    assert found[0] == pytest.approx(100 / (1 + 2e-5 * 14e4) ** 0.75, rel=1e-5)
    assert found[2] == pytest.approx(300 / (1 + 2e-5 * 55e4) ** 0.75, rel=1e-5)


def test_initialisers():
    assert encoder.initializer("batch", 0).__class__.__name__ == "HeNormal"
    drawn = np.asarray(encoder.initializer("lrn", 0)((100, 100)))
    assert drawn.std() == pytest.approx(0.01, rel=0.05)
