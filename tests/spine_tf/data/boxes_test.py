import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import boxes


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (2, None, 4, 5, 3), (2, 1, 4, None, 3)])
def test_an_image_of_another_form_is_refused(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def traced(image):
        boxes.volume_shape(image)

    with pytest.raises(ValueError, match="`image` must be .batch, slices, rows, columns, channels"):
        traced.get_concrete_function()


def test_the_shape_of_a_volume():
    assert boxes.volume_shape(tf.zeros([2, 3, 4, 5, 6])) == (3, 4, 5)


def test_draws_belong_to_a_seed_and_not_to_a_place_in_the_batch():
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])
    found = boxes.uniform(seeds, 5).numpy()
    assert found.shape == (3, 5)
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(boxes.uniform(seeds[1:2], 5)[0], found[1])


def test_draws_become_whole_numbers():
    draws = tf.constant([0.0, 0.24, 0.26, 0.99, np.nextafter(np.float32(1), np.float32(0))])
    np.testing.assert_array_equal(boxes.whole(draws, 4), [0, 0, 1, 3, 3])
    np.testing.assert_array_equal(boxes.whole(draws, 1), [0, 0, 0, 0, 0])


def test_the_box_around_a_mask():
    mask = np.zeros((3, 4, 5, 6), bool)
    mask[0, 1, 2, 3] = mask[0, 2, 4, 3] = True
    mask[1] = True
    corner, size = boxes.around(tf.constant(mask))
    np.testing.assert_array_equal(corner, [[1, 2, 3], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(size, [[2, 3, 1], [4, 5, 6], [4, 5, 6]])  # the last is empty


def test_offsets_are_in_raster_order():
    expected = [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [0, 2, 0], [0, 2, 1]]
    np.testing.assert_array_equal(boxes.offsets([1, 3, 2]), expected)


def test_flat_index_is_numpys():
    places = np.random.default_rng(0).integers(0, (3, 4, 5), (7, 3))
    expected = np.ravel_multi_index(tuple(places.T), (3, 4, 5))
    np.testing.assert_array_equal(boxes.flat_index(tf.constant(places), (3, 4, 5)), expected)


def test_each_image_starts_after_the_one_before():
    np.testing.assert_array_equal(boxes.first_of_image(3, (2, 4, 5)), [0, 40, 80])


@pytest.mark.parametrize("shape", [(1, 7, 5), (4, 6, 5)])
def test_sums_over_boxes(shape):
    rng = np.random.default_rng(0)
    values = rng.integers(-3, 9, (2, *shape)).astype(np.int32)
    size = rng.integers(1, (*shape[:1], 4, 4), (2, 3, 1, 3), endpoint=True)
    corner = rng.integers(0, np.array(shape) - size, (2, 3, 4, 3), endpoint=True)
    found = boxes.sums(
        boxes.integral(tf.constant(values)),
        tf.constant(corner, tf.int32),
        tf.constant(size, tf.int32),
    )
    for place in np.ndindex(2, 3, 4):
        box = tuple(slice(c, c + s) for c, s in zip(corner[place], size[place[:2]][0], strict=True))
        assert found[place] == values[place[0]][box].sum()
