import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import masking


def _seeds(count):
    return tf.stack([tf.range(count), tf.range(count) + 5], 1)


def _remove(shape, valid=None, fill=0.0, seeds=None):
    image = np.random.default_rng(0).uniform(1, 2, shape).astype(np.float32)
    valid = np.ones(shape[:4], bool) if valid is None else valid
    seeds = _seeds(shape[0]) if seeds is None else seeds
    found = masking.remove_region(tf.constant(image), tf.constant(valid), seeds, fill)
    return image, found.image.numpy(), found.mask.numpy()


@pytest.mark.parametrize("shape", [(4, 1, 20, 32, 1), (3, 5, 32, 20, 3), (2, 1, 21, 33, 2)])
def test_a_rectangle_of_half_the_sides_is_removed_through_all_slices(shape):
    image, found, mask = _remove(shape)
    for each in mask:
        rows, columns = each[0].any(1), each[0].any(0)
        np.testing.assert_array_equal(each, np.broadcast_to(np.outer(rows, columns), each.shape))
        for line, side in ((rows, shape[2]), (columns, shape[3])):
            assert line.sum() == (side + 1) // 2
            assert np.ptp(np.flatnonzero(line)) == line.sum() - 1
    assert (found[mask] == 0).all()
    np.testing.assert_array_equal(found[~mask], image[~mask])


def test_every_place_occurs():
    _, _, mask = _remove((200, 1, 6, 8, 1))
    places = {tuple(np.argwhere(each[0])[0]) for each in mask}
    assert places == {(row, column) for row in range(4) for column in range(5)}


def test_a_seed_gives_its_region_wherever_its_image_is():
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])
    _, _, mask = _remove((3, 1, 40, 40, 1), seeds=seeds)
    np.testing.assert_array_equal(mask[0], mask[2])
    assert not np.array_equal(mask[0], mask[1])


def test_padding_stays_and_the_region_is_inside_what_is_valid():
    valid = np.zeros((3, 4, 20, 30), bool)
    valid[:, 1:3, 4:16, 10:] = True
    image, found, mask = _remove(valid.shape + (2,), valid)
    np.testing.assert_array_equal(found[~valid], image[~valid])
    assert not mask[~valid].any()
    np.testing.assert_array_equal(mask.sum((1, 2, 3)), 2 * 6 * 10)


@pytest.mark.parametrize("fill", [-1.5, [3.0, 4.0]])
def test_the_region_becomes_what_is_asked_for(fill):
    _, found, mask = _remove((2, 1, 20, 30, 2), fill=fill)
    np.testing.assert_array_equal(found[mask], np.broadcast_to(np.float32(fill), (mask.sum(), 2)))


def test_each_image_may_have_its_own_fill():
    fill = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    _, found, mask = _remove((2, 1, 20, 30, 2), fill=fill[:, None, None, None])
    for number in range(2):
        assert (found[number][mask[number]] == fill[number]).all()


def test_any_batch_size_runs_in_one_graph():
    traced = tf.function(
        masking.remove_region,
        input_signature=[
            tf.TensorSpec([None, 1, 20, 30, 1], tf.float32),
            tf.TensorSpec([None, 1, 20, 30], tf.bool),
            tf.TensorSpec([None, 2], tf.int32),
        ],
    )
    image, expected, _ = _remove((3, 1, 20, 30, 1))
    for count in (3, 1):
        found = traced(image[:count], np.ones((count, 1, 20, 30), bool), _seeds(count))
        np.testing.assert_array_equal(found.image, expected[:count])


@pytest.mark.parametrize("shape", [(1, 1, 1, 30, 1), (1, 1, 30, 1, 1)])
def test_too_small_an_image_is_refused(shape):
    with pytest.raises(ValueError, match="`image` must have at least 2 rows and columns"):
        _remove(shape)
