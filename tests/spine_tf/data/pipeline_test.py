import zlib

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import augmentation, pipeline, records, schema
from spine_tf.tasks.downstream import grading
from tests.spine_tf import small_data

INPUTS = augmentation.InputConfig(0.5, 0.5, augmentation.AugmentConfig())


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    data_dir = small_data.make(tmp_path_factory.mktemp("pipeline") / "set", (1, 1, 2))
    return records.open_folder(data_dir).index(schema.DISC)


def _facts(example, inputs, seed):
    return {"key": example["key"], "item": example["item"], "seed": seed}


def _items(index, plan, preprocess, **options):
    process = pipeline.compile_preprocess(index.kind, index.crop_scale, preprocess, INPUTS)
    return pipeline.items(index, plan, process, **options)


def _all(dataset):
    return [
        (int(step), {name: value.numpy() for name, value in batch.items()})
        for step, batch in dataset
    ]


def test_every_batch_holds_what_was_planned(index):
    plan = np.array([[[3, 7], [0, 8]], [[1, 9], [3, 10]]], np.int32)
    found = _all(_items(index, plan, _facts, seed=5))
    keys = index.column("key")
    assert [step for step, _ in found] == [0, 1]
    for (_, batch), planned in zip(found, plan, strict=True):
        assert [key.decode() for key in batch["key"]] == [keys[n] for n in planned[:, 0]]
        np.testing.assert_array_equal(batch["item"], planned[:, 1:])


def test_seeds_follow_from_the_item_and_not_from_its_place(index):
    plan = np.array([[[0, 1], [1, 1]], [[0, 2], [1, 1]]], np.int32)
    found = _all(_items(index, plan, _facts, seed=5))
    seeds = np.concatenate([batch["seed"] for _, batch in found])
    assert set(seeds[:, 0]) == {5}
    keys = index.column("key")
    expected = [f"{keys[0]}/[1]", f"{keys[1]}/[1]", f"{keys[0]}/[2]", f"{keys[1]}/[1]"]
    assert list(seeds[:, 1]) == [zlib.crc32(text.encode()) % 2**31 for text in expected]


def test_a_later_start_gives_the_same_batches(index):
    task = grading.Grading().configure(index)
    plan = task.plan(index, 3, seed=1)
    whole = _all(_items(index, plan, task.preprocess, seed=2))
    later = _all(_items(index, plan, task.preprocess, seed=2, first_step=1))
    assert len(later) == len(whole) - 1
    for (step, batch), (other_step, other) in zip(whole[1:], later, strict=True):
        assert step == other_step
        for name in batch:
            np.testing.assert_array_equal(batch[name], other[name])


def test_the_same_seed_gives_the_same_epoch(index):
    task = grading.Grading().configure(index)
    plan = task.plan(index, 4, seed=1)
    one, again, other = (
        _all(_items(index, plan, task.preprocess, seed=seed))[0][1]["crop"] for seed in (2, 2, 3)
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)
    assert one.dtype == np.float32 and one.shape == (4, 9, 56, 112, 1)


def test_a_plan_without_steps_is_empty(index):
    plan = np.zeros((0, 2, 1), np.int32)
    assert _all(_items(index, plan, _facts, seed=0)) == []


def test_shapes_are_known(index):
    task = grading.Grading().configure(index)
    dataset = _items(index, task.plan(index, 3, 0), task.preprocess, seed=0)
    step, batch = dataset.element_spec
    assert step.dtype == tf.int32
    assert batch["crop"].shape[1:] == (9, 56, 112, 1)


def test_the_end_of_a_pass_waits_for_no_tuner(index):
    task = grading.Grading().configure(index)
    dataset = _items(index, task.plan(index, 3, 0), task.preprocess, seed=0)
    assert dataset.options().autotune.enabled is False
