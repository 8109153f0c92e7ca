import collections
import json
import os

import keras
import numpy as np
import pytest

from spine_tf import config
from spine_tf.training import loop, model_folder, transferred
from tests.spine_tf import tiny_runs

Folder = collections.namedtuple("Folder", "request train_config")
STILL = {"steps_per_epoch": 1, "learning_rate": 1e-12, "weight_decay": 0.0}


class _Seen:
    """Stands for batches of three steps per epoch and for the steps that see them."""

    def __init__(self):
        self.found = []

    def of_epoch(self, split, epoch):
        assert split == "train"
        return ((step, (epoch, step)) for step in range(3))

    def observe(self, batch):
        self.found.append(batch)


def _reestimate(count, *, init_from="abc", freeze_encoder=False, norm=True):
    request = {"init_from_sha256": init_from, "freeze_encoder": freeze_encoder}
    folder = Folder(request, config.TrainConfig(reestimate_batches=count))
    layers = [keras.Input([2]), keras.layers.Dense(1)]
    model = keras.Sequential(layers + ([keras.layers.BatchNormalization()] if norm else []))
    seen, said = _Seen(), []
    transferred.reestimate(folder, model, seen, seen, said.append)
    assert bool(said) == bool(seen.found)
    return seen.found


def test_the_batches_of_a_run_are_seen_epoch_after_epoch():
    assert _reestimate(5) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    "changes", [{"init_from": ""}, {"freeze_encoder": True}, {"norm": False}, {"count": 0}]
)
def test_where_nothing_is_seen(changes):
    assert _reestimate(**{"count": 5} | changes) == []


def test_what_was_taken_over_is_noted_once(tmp_path):
    layers = [keras.layers.Dense(1, name=name) for name in ("decoder_a", "head")]
    model = keras.Sequential([keras.Input([1]), *layers])
    said = []
    for _ in range(2):
        transferred.note(str(tmp_path), ["encoder/c", "decoder_a"], model, said.append)
    assert said == ["taken over: 1 layers of the encoder, 1 others; new: head."]
    content = json.loads((tmp_path / transferred.FILE).read_text())
    assert content["copied"] == ["encoder/c", "decoder_a"] and content["new"] == ["head"]


def test_nothing_is_noted_of_nothing(tmp_path):
    transferred.note(str(tmp_path), [], keras.Sequential(), print)
    assert not os.listdir(tmp_path)


@pytest.fixture(name="source", scope="module")
def _source(data_dir, tmp_path_factory):
    return tiny_runs.train(data_dir, tmp_path_factory.mktemp("source"), steps_per_epoch=1)


def _statistics(model):
    """The means and variances that batch norm keeps in the encoder."""
    return [w.numpy() for w in model_folder.find_encoder(model).non_trainable_weights]


def test_statistics_follow_the_new_images_before_the_first_step(data_dir, source, tmp_path):
    found = {}
    for count in (0, 40):
        said = []
        request = tiny_runs.make_request(
            data_dir, tmp_path / str(count), init_from=source.path, reestimate_batches=count,
            **STILL,
        )  # fmt: skip
        model = loop.train(request, said.append).load_model()
        assert any("statistics of 40 batches" in line for line in said) == (count == 40)
        assert said[0].startswith("taken over: ") and "new: " in said[0]
        found[count] = model
    old = _statistics(source.load_model())
    # One step of training moves a tenth of the way; the rest is as it was taken over.
    kept, moved = (
        [np.abs(a - b).sum() for a, b in zip(old, _statistics(found[count]), strict=True)]
        for count in (0, 40)
    )
    assert np.mean(np.array(moved) > np.array(kept)) > 0.9
    encoders = [model_folder.find_encoder(model).trainable_weights for model in found.values()]
    for one, other in zip(*encoders, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


def test_a_run_that_goes_on_ends_with_the_same_bits(data_dir, source, tmp_path, monkeypatch):
    settings = {"init_from": source.path, "reestimate_batches": 3, "checkpoint_steps": 1}
    whole = tiny_runs.train(data_dir, tmp_path / "whole", **settings)
    with monkeypatch.context() as patch:
        tiny_runs.stop_at(patch, 5)  # three batches are seen, one is trained on
        with pytest.raises(KeyboardInterrupt):
            tiny_runs.train(data_dir, tmp_path / "parts", **settings)
    said = []
    request = tiny_runs.make_request(data_dir, tmp_path / "parts", **settings)
    parts = loop.train(request, said.append)
    assert said[0].endswith("goes on at epoch 1.") and "statistics" not in "".join(said)
    pairs = zip(whole.load_model().get_weights(), parts.load_model().get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)
