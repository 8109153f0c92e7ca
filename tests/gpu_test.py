"""What a GPU gives beside a CPU. Where there is none, each test says so and is skipped."""

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.training import journal, model_folder
from tests.spine_tf import tiny_runs

_GPUS = len(tf.config.list_physical_devices("GPU"))
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not _GPUS, reason="there is no GPU")]

_SETTINGS = {"batch_size": 8, "steps_per_epoch": 2, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("gpu") / "set", (2,) * 20)


@pytest.fixture(scope="module")
def on_gpu(data_dir, tmp_path_factory):
    return tiny_runs.train(data_dir, tmp_path_factory.mktemp("gpu") / "gpu", **_SETTINGS)


def _loss(folder):
    return float(journal.read(folder.path)[0]["loss"])


def test_a_gpu_and_a_cpu_give_the_same_losses(data_dir, on_gpu, tmp_path):
    with tf.device("CPU"):
        folder = tiny_runs.train(data_dir, tmp_path, **_SETTINGS)
    assert _loss(on_gpu) == pytest.approx(_loss(folder), rel=1e-3)


def test_a_model_of_a_gpu_gives_the_same_on_a_cpu(on_gpu):
    loaded = model_folder.load(on_gpu.path).load_model()
    shape = model_folder.find_encoder(loaded).input_shape[1:]
    crop = np.random.default_rng(0).uniform(0, 2, (2, *shape)).astype(np.float32)
    found = []
    for device in ("GPU", "CPU"):
        with tf.device(device):
            found.append(loaded({"crop": crop})["disc_bulging"].numpy())
    np.testing.assert_allclose(found[0], found[1], atol=1e-3)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(data_dir, on_gpu, tmp_path, precision):
    folder = tiny_runs.train(data_dir, tmp_path, precision=precision, **_SETTINGS)
    assert _loss(folder) == pytest.approx(_loss(on_gpu), rel=0.02)
    dtypes = {np.asarray(weight).dtype for weight in folder.load_model().get_weights()}
    assert dtypes == {np.dtype(np.float32)}


def test_float16_goes_on_with_its_scale(data_dir, tmp_path):
    settings = _SETTINGS | {"precision": "mixed_float16", "epochs": 2, "min_delta": -1e9}
    whole = tiny_runs.train(data_dir, tmp_path / "whole", **settings)
    tiny_runs.train(data_dir, tmp_path / "parts", **settings | {"epochs": 1})
    parts = tiny_runs.train(data_dir, tmp_path / "parts", **settings)
    for one, other in zip(
        whole.load_model().get_weights(), parts.load_model().get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_xla_gives_the_same_losses(data_dir, on_gpu, tmp_path):
    folder = tiny_runs.train(data_dir, tmp_path, xla=True, **_SETTINGS)
    assert _loss(folder) == pytest.approx(_loss(on_gpu), rel=1e-3)


@pytest.mark.skipif(_GPUS < 2, reason="there is no second GPU")
def test_two_gpus_give_the_same_losses_as_one(data_dir, on_gpu, tmp_path):
    folder = tiny_runs.train(data_dir, tmp_path, strategy="mirrored", **_SETTINGS)
    assert _loss(folder) == pytest.approx(_loss(on_gpu), rel=1e-3)
