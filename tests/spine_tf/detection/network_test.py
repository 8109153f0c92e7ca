import os

import numpy as np
import pytest

from spine_tf import config
from spine_tf.detection import network, targets
from spine_tf.models import networks

TINY = config.ModelConfig(width=1 / 16, network=config.UNET)


def _model(seed):
    encoder = networks.build_encoder(TINY, network.INPUT_SHAPE, slice_means=(), seed=seed)
    return network.build(encoder, TINY, seed)


def test_the_model_gives_both_maps_of_any_size():
    outputs = _model(0)({"image": np.zeros((2, 48, 80, 1), np.float32)})
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "classes": (2, 48, 80, len(targets.CLASSES)),
        "corners": (2, 48, 80, targets.NUM_OFFSETS),
    }


def test_a_packed_detector_says_nearly_the_same(tmp_path):
    model, path = _model(3), str(tmp_path / "detector.npz")
    network.save(path, model, TINY, {"patients": 21})
    packed = network.load(path)
    assert packed.facts == {"patients": 21}
    image = {"image": np.random.default_rng(0).uniform(size=(1, 32, 48, 1)).astype(np.float32)}
    for name, value in model(image, training=False).items():
        other = packed.model(image, training=False)[name]
        np.testing.assert_allclose(value, other, atol=0.01 * np.abs(value).max())
    assert os.listdir(tmp_path) == ["detector.npz"]
    assert os.path.getsize(path) < 2.6 * model.count_params()


def test_another_file_is_refused(tmp_path):
    path = str(tmp_path / "other.npz")
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="must be a detector of this version"):
        network.load(path)
