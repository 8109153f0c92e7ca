import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf.training import journal, loop, precision
from tests.spine_tf import tiny_runs

_ONE_STEP = {"steps_per_epoch": 1, "learning_rate": 0.1}


def test_float16_needs_a_gpu(monkeypatch, tmp_path, data_dir):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    for name in ("float32", "mixed_bfloat16"):
        precision.check(name)
    message = "must be float32 or mixed_bfloat16 without a GPU, got 'mixed_float16'"
    with pytest.raises(ValueError, match=message):
        precision.check("mixed_float16")
    with pytest.raises(ValueError, match=message):
        tiny_runs.train(data_dir, tmp_path / "model", precision="mixed_float16")
    assert not (tmp_path / "model").exists()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    precision.check("mixed_float16")


def test_a_policy_ends_with_its_block():
    before = keras.mixed_precision.global_policy().name
    with pytest.raises(KeyError), precision.policy("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
        raise KeyError
    assert keras.mixed_precision.global_policy().name == before


@pytest.fixture(scope="module")
def plain(data_dir, tmp_path_factory):
    return tiny_runs.train(data_dir, tmp_path_factory.mktemp("plain"), **_ONE_STEP)


def test_bfloat16_trains_float32_weights(data_dir, tmp_path, plain, monkeypatch):
    seen = []
    parts = loop.step_lib.Steps._parts

    def note(steps, batch, outputs):
        seen.append((steps._model, {name: out.dtype for name, out in outputs.items()}))
        return parts(steps, batch, outputs)

    monkeypatch.setattr(loop.step_lib.Steps, "_parts", note)
    folder = tiny_runs.train(data_dir, tmp_path, precision="mixed_bfloat16", **_ONE_STEP)
    model, dtypes = seen[0]
    assert dtypes == {"disc_bulging": tf.float32}
    assert {layer.compute_dtype for layer in model.get_layer("encoder").layers[2:]} == {"bfloat16"}
    assert {weight.dtype for weight in map(np.asarray, model.get_weights())} == {np.dtype("f4")}

    loaded = folder.load_model()  # in float32
    assert loaded.get_layer("encoder").layers[-1].compute_dtype == "float32"
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    shape = loaded.get_layer("encoder").input_shape[1:]
    crop = np.random.default_rng(0).uniform(0, 2, (2, *shape)).astype(np.float32)
    expected = loaded({"crop": crop})["disc_bulging"].numpy()
    # bfloat16 has 8 bits: 0.4 percent.
    found = model({"crop": crop})["disc_bulging"].numpy()
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert _loss(folder) == pytest.approx(_loss(plain), rel=0.02)


@pytest.mark.slow  # compiling takes a minute on one core
def test_xla_gives_the_same_losses_and_weights(data_dir, tmp_path, plain):
    folder = tiny_runs.train(data_dir, tmp_path, xla=True, **_ONE_STEP)
    # Measured: losses 3e-7, weights 3e-6 at most.
    assert _loss(folder) == pytest.approx(_loss(plain), rel=1e-5)
    for one, other in zip(
        folder.load_model().get_weights(), plain.load_model().get_weights(), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=3e-5)


def _loss(folder):
    return float(journal.read(folder.path)[0]["loss"])
