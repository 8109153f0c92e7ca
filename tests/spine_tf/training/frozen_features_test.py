"""Kept features give what the plain loop gives, and are kept once."""

import dataclasses
import os

import keras
import numpy as np
import pytest

from spine_tf.data import records
from spine_tf.training import frozen_features, journal, loop, model_folder
from tests.spine_tf import tiny_runs

SETTINGS = {"augment": True, "freeze_encoder": True, "steps_per_epoch": 0, "learning_rate": 0.05}


@pytest.fixture(scope="module")
def source(data_dir, tmp_path_factory):
    """A longitudinal model whose encoder is taken over."""
    path = tmp_path_factory.mktemp("siamese")
    return tiny_runs.train(data_dir, path, "longitudinal", learning_rate=0.05).path


def _train(data_dir, path, source, **changes):
    return tiny_runs.train(data_dir, path, init_from=source, **SETTINGS | changes)


def _numbers(path):
    """Losses and metrics of every epoch."""
    rows = journal.history(str(path))
    return np.array([[v for k, v in row.items() if k != "seconds"] for row in rows])


@pytest.fixture(scope="module")
def reused(data_dir, tmp_path_factory, source):
    path = tmp_path_factory.mktemp("reused")
    return _train(data_dir, path, source, epochs=3, feature_draws=2)


def _files(path):
    return {
        os.path.join(folder, name): os.stat(os.path.join(folder, name)).st_mtime_ns
        for folder, _, names in os.walk(path)
        for name in names
    }


def test_every_draw_gives_what_the_plain_loop_gives(reused, data_dir, tmp_path, source):
    plain = _train(data_dir, tmp_path / "plain", source, epochs=2, feature_draws=0)
    # Rows are rounded to six digits.
    np.testing.assert_allclose(_numbers(reused.path)[:2], _numbers(plain.path), rtol=2e-5)
    again = _train(data_dir, tmp_path / "again", source, epochs=2, feature_draws=2)
    weights = zip(plain.load_model().get_weights(), again.load_model().get_weights(), strict=True)
    for one, other in weights:
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_kept_features_are_those_of_the_encoder(reused, data_dir, source):
    model = reused.load_model()
    encoder = model_folder.find_encoder(model)
    data = records.open_folder(data_dir)
    root = os.path.join(reused.path, frozen_features.FOLDER)
    folder = frozen_features.cache_folder(root, encoder, reused, data)
    indices = {s: data.index("disc", "grading", s) for s in ("train", "validation")}
    batches = loop.batches_lib.Batches(reused.task, reused.train_config, 0.5, indices)
    for draw in range(2):
        seed = batches.seed("train", draw)
        kept = frozen_features.read(folder, seed)
        assert set(kept) == set(indices["train"].column("key"))
        plan = batches.plan("train", draw)
        for step, batch in batches.of_epoch("train", draw):
            expected = encoder(batch.inputs["crop"], training=False)["conv5"].numpy()
            keys = [indices["train"].rows[number]["key"] for number in plan[step, :, 0]]
            np.testing.assert_allclose(np.stack([kept[k] for k in keys]), expected, atol=1e-6)
    # Two draws of training and one of validation.
    assert len(os.listdir(folder)) == 3


def test_an_epoch_of_several_passes_takes_a_draw_each_and_goes_on_in_any(
    reused, data_dir, tmp_path
):
    encoder = model_folder.find_encoder(reused.load_model())
    data = records.open_folder(data_dir)
    indices = {s: data.index("disc", "grading", s) for s in ("train", "validation")}
    length = loop.batches_lib.Batches(reused.task, reused.train_config, 0.5, indices).num_steps(
        "train"
    )
    settings = dataclasses.replace(reused.train_config, steps_per_epoch=3 * length - 1)
    plain = loop.batches_lib.Batches(reused.task, settings, 0.5, indices)
    kept = frozen_features.FeatureBatches(plain, encoder, 10, str(tmp_path / "kept"))
    # The second epoch: passes 3 to 5.
    pairs = list(zip(kept.of_epoch("train", 1), plain.of_epoch("train", 1), strict=True))
    assert [step for (step, _), _ in pairs] == list(range(3 * length - 1))
    for (step, one), (same_step, other) in pairs:
        expected = encoder(other.inputs["crop"], training=False)["conv5"]
        (found,) = one.inputs.values()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert step == same_step
        for name, labels in other.labels.items():
            np.testing.assert_array_equal(one.labels[name], labels)
    for first in (1, length, 2 * length, 2 * length + 1):
        left = list(kept.of_epoch("train", 1, first))
        assert [step for step, _ in left] == list(range(first, 3 * length - 1))
        if left:
            (found,), (whole,) = (b.inputs.values() for b in (left[0][1], pairs[first][0][1]))
            np.testing.assert_array_equal(found, whole)


def test_the_third_epoch_takes_the_first_draw_again(reused, data_dir, tmp_path, source):
    before = _files(os.path.join(reused.path, "features"))
    _train(data_dir, reused.path, source, epochs=4, feature_draws=2)
    assert _files(os.path.join(reused.path, "features")) == before


def test_a_stopped_run_ends_with_the_same_bits(data_dir, tmp_path, source, monkeypatch):
    whole = _train(data_dir, tmp_path / "whole", source, epochs=2, checkpoint_steps=1)
    with monkeypatch.context() as patch:
        tiny_runs.stop_at(patch, whole_steps(whole, data_dir) + 3)
        with pytest.raises(KeyboardInterrupt):
            _train(data_dir, tmp_path / "parts", source, epochs=2, checkpoint_steps=1)
    parts = _train(data_dir, tmp_path / "parts", source, epochs=2, checkpoint_steps=1)
    for one, other in zip(
        whole.load_model().get_weights(), parts.load_model().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def whole_steps(folder, data_dir):
    """Steps of the first epoch, with those of its validation."""
    data = records.open_folder(data_dir)
    indices = {s: data.index("disc", "grading", s) for s in ("train", "validation")}
    batches = loop.batches_lib.Batches(folder.task, folder.train_config, 0.5, indices)
    return batches.num_steps("train") + batches.num_steps("validation")


def test_runs_share_a_cache_and_only_what_is_missing_is_computed(
    data_dir, tmp_path, source, monkeypatch
):
    cache, counts = str(tmp_path / "cache"), []
    compute = frozen_features.FeatureBatches._compute

    def counted(self, split, seed, numbers):
        counts.append((split, len(numbers)))
        return compute(self, split, seed, numbers)

    monkeypatch.setattr(frozen_features.FeatureBatches, "_compute", counted)
    options = {"feature_cache": cache, "epochs": 1}
    _train(data_dir, tmp_path / "a", source, steps_per_epoch=1, **options)
    _train(data_dir, tmp_path / "b", source, learning_rate=0.01, **options)
    _train(data_dir, tmp_path / "c", source, learning_rate=0.02, **options)
    data = records.open_folder(data_dir)
    num_train, num_validation = (
        len(data.index("disc", "grading", split)) for split in ("train", "validation")
    )
    # One step of 4 discs, then the rest of the training discs, then nothing.
    assert counts == [("train", 4), ("validation", num_validation), ("train", num_train - 4)]
    assert not (tmp_path / "a" / "features").exists()


def test_another_encoder_has_another_folder(reused, data_dir):
    data = records.open_folder(data_dir)
    encoder = model_folder.find_encoder(reused.load_model())
    one = frozen_features.cache_folder("", encoder, reused, data)
    weights = encoder.get_weights()
    encoder.set_weights([weights[0] + 1e-3, *weights[1:]])
    assert frozen_features.cache_folder("", encoder, reused, data) != one


def test_another_precision_has_another_folder(reused, data_dir):
    data = records.open_folder(data_dir)
    encoder = model_folder.find_encoder(reused.load_model())
    settings = dataclasses.replace(reused.train_config, precision="mixed_bfloat16")
    other = dataclasses.replace(reused, train_config=settings)
    folders = {frozen_features.cache_folder("", encoder, one, data) for one in (reused, other)}
    assert len(folders) == 2


def test_without_augmentation_one_draw_is_all_there_is(data_dir, tmp_path, source):
    folder = _train(data_dir, tmp_path / "m", source, epochs=3, augment=False)
    (cache,) = (tmp_path / "m" / "features").iterdir()
    assert len(os.listdir(cache)) == 2
    assert len(journal.read(folder.path)) == 3


def test_the_encoder_keeps_its_slice_means(reused, source):
    expected = model_folder.load(source).statistics.slice_means
    assert reused.statistics.slice_means == expected


def test_a_task_of_pairs_keeps_no_features(data_dir, tmp_path, source):
    folder = tiny_runs.train(
        data_dir, tmp_path, "longitudinal", init_from=source, freeze_encoder=True
    )
    assert "features" not in os.listdir(folder.path)


def test_heads_have_the_weights_of_the_whole_model(reused):
    model = reused.load_model()
    heads = frozen_features.build_heads(model, reused)
    assert isinstance(heads, keras.Model)
    crop = np.random.default_rng(0).uniform(0, 1, (2, 9, 56, 112, 1)).astype(np.float32)
    conv5 = model_folder.find_encoder(model)(crop, training=False)["conv5"]
    for name, found in heads({"crop": conv5}, training=False).items():
        expected = model({"crop": crop}, training=False)[name]
        np.testing.assert_allclose(found, expected, atol=1e-6)
