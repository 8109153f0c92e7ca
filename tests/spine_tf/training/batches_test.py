import dataclasses
import itertools

import numpy as np
import pytest

from spine_tf import config, tasks
from spine_tf.data import records
from spine_tf.training import batches
from tests.spine_tf import small_data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return records.open_folder(
        small_data.make(tmp_path_factory.mktemp("batches") / "set", slices=True)
    )


def _prepared(data, name, options="{}", share=(0, 1), **settings):
    made = tasks.make(name, options)
    settings = config.TrainConfig(batch_size=8, **settings)
    return batches.prepare(made, settings, 0.5, data, made.protocol, share)


def _flat(batch):
    return {
        f"{part}/{name}": values.numpy()
        for part in ("inputs", "labels", "weights")
        for name, values in getattr(batch, part).items()
    }


def _first(made, epoch=0):
    return _flat(next(made.of_epoch("train", epoch))[1])


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("name", ["longitudinal", "grading", "context_restoration", "jigsaw"])
def test_device_and_host_make_the_same_batches(data, name, split):
    # Records of two and of three visits are in one batch of the longitudinal task. Compiled in
    # another graph, the warp rounds otherwise; pixels of noise differ from their neighbours by 1.
    found = [
        [_flat(batch) for _, batch in _prepared(data, name, augment_on=where).of_epoch(split, 1)]
        for where in (config.HOST, config.DEVICE)
    ]
    assert len(found[0]) == len(found[1]) > 0
    for host, device in zip(*found, strict=True):
        assert set(host) == set(device)
        for part in host:
            assert host[part].dtype == device[part].dtype
            np.testing.assert_allclose(device[part], host[part], atol=5e-5, err_msg=part)
    assert any(np.ptp(found[0][0][part]) > 0.1 for part in found[0][0] if "inputs" in part)


def test_what_the_device_makes_is_augmented(data):
    made = _prepared(data, "grading", augment_on=config.DEVICE)
    augmented, again = (_first(made)["inputs/crop"] for _ in range(2))
    plain = _first(_prepared(data, "grading", augment_on=config.DEVICE, augment=False))
    np.testing.assert_array_equal(augmented, again)
    assert np.abs(augmented - plain["inputs/crop"]).mean() > 0.01


def test_a_later_start_on_the_device_gives_the_same_batches(data):
    made = _prepared(data, "longitudinal", augment_on=config.DEVICE)
    whole = dict(made.of_epoch("train", 0))
    later = dict(made.of_epoch("train", 0, 1))
    assert set(later) == set(whole) - {0}
    for step, batch in later.items():
        for part, values in _flat(batch).items():
            np.testing.assert_array_equal(values, _flat(whole[step])[part])


def test_workers_have_the_same_batch_on_the_device(data):
    first, second = (
        _first(_prepared(data, "grading", share=(number, 2), augment_on=config.DEVICE))
        for number in (0, 1)
    )
    for part, values in first.items():
        np.testing.assert_array_equal(values, second[part])


def test_a_worker_on_the_host_augments_its_own_crops_alone(data):
    first, second, alone = (
        _first(_prepared(data, "grading", share=share))["inputs/crop"]
        for share in ((0, 2), (1, 2), (0, 1))
    )
    np.testing.assert_array_equal(first[:4], alone[:4])
    np.testing.assert_array_equal(second[4:], alone[4:])
    assert np.abs(first[4:] - alone[4:]).mean() > 0.01


def test_slices_are_not_augmented_on_the_device(data):
    with pytest.raises(ValueError, match="`augment_on` must be host for images and slices"):
        _prepared(data, "segmentation", augment_on=config.DEVICE)


def test_an_epoch_may_go_over_the_data_again_in_another_order_and_otherwise_augmented(data):
    once = _prepared(data, "grading")
    length = once.num_steps("train")
    made = _prepared(data, "grading", steps_per_epoch=2 * length + 1)
    assert made.num_steps("train") == 2 * length + 1
    first, second = (made.plan("train", 0)[i * length : (i + 1) * length] for i in range(2))
    assert sorted(set(first.ravel())) == sorted(set(second.ravel()))
    assert np.any(first != second)
    # Passes 0 to 2 are epoch 0, 3 to 5 epoch 1: each as a run of epochs of one pass has them.
    for epoch in range(2):
        found = dict(made.of_epoch("train", epoch))
        assert list(found) == list(range(2 * length + 1))
        for place in range(3):
            alone = _first(once, 3 * epoch + place)
            np.testing.assert_array_equal(
                _flat(found[place * length])["inputs/crop"], alone["inputs/crop"]
            )
    (later,) = (batch for _, batch in made.of_epoch("train", 1, 2 * length))
    np.testing.assert_array_equal(
        _flat(later)["inputs/crop"], _flat(found[2 * length])["inputs/crop"]
    )


def test_answers_by_chance_are_validated_often_enough(data):
    made = _prepared(data, "relative_positions")
    num_images = len(made.indices["validation"].rows)
    plans = [plan for _, plan in made.passes("validation", 0)]
    # Every pass fills its last batch, so it has at least as many examples as images.
    assert len(plans) > 1 and sum(plan[..., 0].size for plan in plans) >= 200
    assert sum(plan[..., 0].size for plan in plans[:-1]) < 200
    assert all(set(plan[..., 0].ravel()) == set(range(num_images)) for plan in plans)
    first, second = (
        [_flat(batch) for _, batch in made.of_epoch("validation", epoch)] for epoch in range(2)
    )
    assert len(first) == len(second) == made.num_steps("validation") == sum(map(len, plans))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one["labels/position"], other["labels/position"])
    labels = np.concatenate([one["labels/position"] for one in first])
    assert np.bincount(labels, minlength=8).min() >= 5  # of 25 each: otherwise drawn in every pass
    once = _prepared(data, "grading")
    assert once.num_steps("validation") == len(once.plan("validation", 0)) == 1
    made.indices["validation"] = dataclasses.replace(made.indices["validation"], rows=())
    assert made.num_steps("validation") == 0 and list(made.of_epoch("validation", 0)) == []


def test_epochs_follow_one_another_without_end(data):
    made = _prepared(data, "grading", steps_per_epoch=1)
    found = [_flat(batch)["inputs/crop"] for batch in itertools.islice(batches.endless(made), 2)]
    assert found[0].shape == found[1].shape and np.any(found[0] != found[1])
