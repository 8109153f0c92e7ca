import functools

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import swaps

COLUMNS = swaps.SwapConfig(max_depth=None)
# Shape of the batch, and the rule for patches: 2-D and 3-D, never square or cubic.
CASES = [
    ((3, 1, 40, 56, 1), swaps.SwapConfig()),
    ((2, 1, 47, 30, 4), swaps.SwapConfig()),
    ((2, 9, 24, 33, 1), swaps.SwapConfig()),
    ((2, 5, 33, 24, 2), swaps.SwapConfig()),
    ((2, 9, 24, 33, 3), COLUMNS),
]
each_case = pytest.mark.parametrize("shape, config", CASES)


def _image(shape):
    """Every value occurs once."""
    values = np.random.default_rng(0).permutation(np.prod(shape))
    return values.reshape(shape).astype(np.float32)


def _seeds(count, first=0):
    return tf.stack([tf.range(count) + first, tf.range(count) + 7], 1)


def _mask(shape):
    return np.ones(shape[:4], bool)


def _disorder(image, valid=None, foreground=None, seeds=None, num_swaps=12, config=None):
    everywhere = _mask(image.shape)
    return swaps.disorder(
        tf.constant(image),
        tf.constant(everywhere if valid is None else valid),
        tf.constant(everywhere if foreground is None else foreground),
        _seeds(len(image)) if seeds is None else seeds,
        num_swaps=num_swaps,
        config=config or swaps.SwapConfig(),
    )


def _listed(record):
    """The swaps that were made: (image, number, first corner, second corner, size)."""
    record = record.numpy()
    for image, number in np.ndindex(record.shape[:2]):
        first, second, size = record[image, number]
        if size.all():
            yield image, number, first, second, size


def _box(corner, size):
    return tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))


def _swap_in_numpy(image, record, check=lambda *_: None):
    """Makes the swaps of a list one after the other, as the paper's algorithm is written."""
    image = image.copy()
    for number, _, first, second, size in _listed(record):
        a, b = _box(first, size), _box(second, size)
        check(image[number][a], image[number][b])
        image[number][a], image[number][b] = image[number][b].copy(), image[number][a].copy()
    return image


@each_case
def test_no_voxel_is_lost_and_the_form_stays(shape, config):
    image = _image(shape)
    found = _disorder(image, config=config).image
    assert found.shape == shape and found.dtype == tf.float32
    assert not np.array_equal(found, image)
    np.testing.assert_array_equal(
        np.sort(found.numpy().reshape(shape[0], -1)), np.sort(image.reshape(shape[0], -1))
    )


@each_case
def test_it_is_the_algorithm_of_the_paper(shape, config):
    image = _image(shape)
    found = _disorder(image, config=config)
    np.testing.assert_array_equal(found.image, _swap_in_numpy(image, found.swaps))


@each_case
def test_backwards_it_restores_the_image_exactly(shape, config):
    image = _image(shape)
    found = _disorder(image, num_swaps=20, config=config)
    np.testing.assert_array_equal(swaps.undo(found.image, found.swaps), image)
    np.testing.assert_array_equal(swaps.replay(image, found.swaps), found.image)


def test_forwards_again_it_does_not():
    image = _image((2, 1, 20, 20, 1))
    found = _disorder(image, num_swaps=15)
    assert not np.array_equal(swaps.replay(found.image, found.swaps), image)


@each_case
def test_patches_are_inside_disjoint_and_of_the_right_size(shape, config):
    found = _disorder(_image(shape), num_swaps=30, config=config)
    smallest, largest = swaps.size_range(shape[1:4], config)
    listed = list(_listed(found.swaps))
    assert len(listed) == 30 * shape[0]
    for *_, first, second, size in listed:
        assert (np.minimum(first, second) >= 0).all()
        assert (np.maximum(first, second) + size <= shape[1:4]).all()
        assert (np.abs(first - second) >= size).any()
        assert (size >= smallest).all() and (size <= largest).all()
    assert len({tuple(size) for *_, size in listed}) > 2


def test_sizes_of_patches():
    config = swaps.SwapConfig()
    assert swaps.size_range((1, 100, 200), config) == ((1, 6, 12), (1, 14, 28))
    assert swaps.size_range((9, 20, 20), config) == ((1, 3, 3), (3, 3, 3))
    assert swaps.size_range((9, 100, 100), COLUMNS) == ((9, 6, 6), (9, 14, 14))


def test_all_sizes_and_places_occur():
    found = _disorder(_image((60, 4, 8, 50, 1)), num_swaps=12)
    listed = list(_listed(found.swaps))
    for axis, sizes, corners in ((0, {1, 2, 3}, {0, 1, 2, 3}), (1, {3}, {0, 1, 2, 3, 4, 5})):
        assert {int(size[axis]) for *_, size in listed} == sizes
        assert {int(second[axis]) for *_, second, _ in listed} == corners
    assert {int(size[2]) for *_, size in listed} == {3, 4, 5, 6, 7}


@each_case
def test_changed_is_what_changed(shape, config):
    image = _image(shape)
    found = _disorder(image, config=config)
    for channel in range(shape[4]):
        changed = found.image.numpy()[..., channel] != image[..., channel]
        np.testing.assert_array_equal(found.changed, changed)


def test_channels_move_together():
    one = _image((2, 3, 20, 30, 1))
    image = np.concatenate([one, one + 0.5, -one], -1)
    found = _disorder(image).image.numpy()
    np.testing.assert_array_equal(found[..., 1], found[..., 0] + 0.5)
    np.testing.assert_array_equal(found[..., 2], -found[..., 0])


@pytest.mark.parametrize("dtype", [np.uint16, np.float64])
def test_types_stay(dtype):
    image = _image((1, 1, 20, 30, 2)).astype(dtype)
    found = _disorder(image)
    assert found.image.dtype == dtype
    np.testing.assert_array_equal(swaps.undo(found.image, found.swaps), image)


@pytest.mark.parametrize("shape", [(2, 1, 20, 30, 1), (2, 9, 20, 30, 2)])
def test_no_swaps_is_the_identity(shape):
    image = _image(shape)
    found = _disorder(image, num_swaps=0)
    np.testing.assert_array_equal(found.image, image)
    np.testing.assert_array_equal(swaps.undo(found.image, found.swaps), image)
    assert found.swaps.shape == (2, 0, 3, 3) and not found.changed.numpy().any()


def test_a_seed_gives_its_swaps_wherever_its_image_is():
    image = np.repeat(_image((1, 3, 20, 30, 1)), 3, 0)
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])
    found = _disorder(image, seeds=seeds)
    np.testing.assert_array_equal(found.image[0], found.image[2])
    assert not np.array_equal(found.swaps[0], found.swaps[1])
    again = _disorder(image[1:2], seeds=seeds[1:2])
    np.testing.assert_array_equal(again.swaps[0], found.swaps[1])
    np.testing.assert_array_equal(again.image[0], found.image[1])


@pytest.mark.parametrize("config", [swaps.SwapConfig(), COLUMNS])
def test_padding_is_not_touched(config):
    image = _image((3, 9, 24, 33, 2))
    valid = _mask(image.shape)
    valid[0, :3] = valid[0, 8] = False  # slices before and after
    valid[1, :, :, 20:] = False  # columns
    valid[2, 4:, np.arange(24)[:, None] > np.arange(33)] = False  # not a box
    found = _disorder(image, valid=valid, num_swaps=20, config=config)
    np.testing.assert_array_equal(found.image.numpy()[~valid], image[~valid])
    assert not found.changed.numpy()[~valid].any()
    for number, _, first, second, size in _listed(found.swaps):
        assert valid[number][_box(first, size)].all() and valid[number][_box(second, size)].all()
    assert {number for number, *_ in _listed(found.swaps)} >= {0, 1}
    if config.max_depth is None:
        depths = {
            (int(first[0]), int(size[0])) for n, _, first, _, size in _listed(found.swaps) if not n
        }
        assert depths == {(3, 5)}


def test_padding_of_large_images_is_not_touched():
    image = _image((2, 1, 300, 400, 1))
    valid = _mask(image.shape)
    valid[:, :, np.arange(300)[:, None] > np.arange(400)] = False
    config = swaps.SwapConfig(min_side=0.1, max_side=0.5, min_foreground=0.0)
    found = _disorder(image, valid=valid, config=config)
    np.testing.assert_array_equal(found.image.numpy()[~valid], image[~valid])
    assert found.changed.numpy().any()


def test_a_padded_image_gets_its_share_of_the_swaps():
    image = _image((2, 8, 30, 30, 1))
    valid = _mask(image.shape)
    valid[1, :6] = False
    record = _disorder(image, valid=valid, num_swaps=20).swaps.numpy()
    assert (record[:, :, 2].all(-1).sum(1) == [20, 5]).all()
    assert record[1, :5, 2].all() and not record[1, 5:].any()


def test_patches_are_half_foreground_before_and_when_they_are_swapped():
    image = _image((4, 3, 40, 50, 1))
    rows, columns = np.ogrid[:40, :50]
    disc = (rows - 20) ** 2 + (columns - 22) ** 2 < 14**2
    foreground = np.broadcast_to(disc, image.shape[:4]).copy()
    found = _disorder(image, foreground=foreground, num_swaps=25)
    listed = list(_listed(found.swaps))
    assert len(listed) > 90
    shares = []
    for number, _, first, second, size in listed:
        shares += [foreground[number][_box(corner, size)].mean() for corner in (first, second)]
    assert 0.5 <= min(shares) < 0.6

    def check(first, second):
        assert first.mean() >= 0.5 and second.mean() >= 0.5

    moved = _swap_in_numpy(foreground[..., None].astype(float), found.swaps, check)
    assert moved.sum() == foreground.sum()


def test_where_no_patch_will_do_nothing_is_swapped():
    image = _image((2, 1, 30, 40, 1))
    foreground = _mask(image.shape)
    foreground[0] = False
    found = _disorder(image, foreground=foreground)
    np.testing.assert_array_equal(found.image[0], image[0])
    assert not found.swaps.numpy()[0].any() and found.swaps.numpy()[1, :, 2].all()
    np.testing.assert_array_equal(swaps.undo(found.image, found.swaps), image)


def test_an_image_without_a_valid_voxel_stays():
    image = _image((1, 2, 30, 40, 1))
    found = _disorder(image, valid=~_mask(image.shape))
    np.testing.assert_array_equal(found.image, image)


def test_any_batch_size_runs_in_one_graph():
    shape = [None, 3, 20, 30, 2]
    traced = tf.function(
        functools.partial(swaps.disorder, num_swaps=5),
        input_signature=[
            tf.TensorSpec(shape, tf.float32),
            tf.TensorSpec(shape[:4], tf.bool),
            tf.TensorSpec(shape[:4], tf.bool),
            tf.TensorSpec([None, 2], tf.int32),
        ],
    )
    image = _image((3, 3, 20, 30, 2))
    expected = _disorder(image, num_swaps=5)
    for count in (3, 1):
        mask = _mask(image.shape)[:count]
        found = traced(image[:count], mask, mask, _seeds(3)[:count])
        np.testing.assert_array_equal(found.image, expected.image[:count])
        np.testing.assert_array_equal(found.swaps, expected.swaps[:count])
    assert traced.get_concrete_function().structured_outputs.swaps.shape == (None, 5, 3, 3)


def test_it_runs_in_a_data_pipeline():
    image = _image((4, 1, 20, 30, 1))
    mask = _mask(image.shape)

    def process(image, mask, seed):
        found = swaps.disorder(image, mask, mask, seed, num_swaps=5)
        return found.image, swaps.undo(found.image, found.swaps)

    data = tf.data.Dataset.from_tensor_slices((image, mask, _seeds(4))).batch(3).map(process)
    disordered, restored = (np.concatenate(part) for part in zip(*data, strict=True))
    np.testing.assert_array_equal(disordered, _disorder(image, num_swaps=5).image)
    np.testing.assert_array_equal(restored, image)


@pytest.mark.parametrize("config", [swaps.SwapConfig(), COLUMNS])
@pytest.mark.parametrize("shape", [(1, 64, 64), (1, 48, 80), (9, 40, 48)])
def test_the_share_of_changed_voxels_is_the_one_asked_for(shape, config):
    num_swaps = swaps.swaps_for_coverage(shape, 0.4, config)
    image = _image((32, *shape, 1))
    shares = _disorder(image, num_swaps=num_swaps, config=config).changed.numpy().mean((1, 2, 3))
    # One swap is 2 percent of a plane; the mean of 32 images is good to 1 percent.
    assert 0.385 < shares.mean() < 0.435
    assert 0.25 < shares.min() and shares.max() < 0.55


def test_more_coverage_takes_more_swaps():
    numbers = [swaps.swaps_for_coverage((1, 64, 64), share) for share in (0.01, 0.2, 0.4, 0.8)]
    assert numbers[0] == 1  # one swap of two patches of a hundredth each
    assert numbers == sorted(set(numbers))
    # log(1 - c) / log(1 - 2 h w / H W) is a first estimate; h and w are 4 to 9, 6.5 in the mean
    assert abs(numbers[2] - np.log(0.6) / np.log(1 - 2 * 6.5**2 / 64**2)) < 3


@pytest.mark.parametrize("coverage", [0.0, 0.95, -1.0])
def test_impossible_coverage_is_refused(coverage):
    with pytest.raises(ValueError, match=f"`coverage` must be above 0 .* got {coverage}"):
        swaps.swaps_for_coverage((1, 64, 64), coverage)


@pytest.mark.parametrize(
    "shape, config",
    [
        ((1, 5, 5), swaps.SwapConfig()),
        ((1, 2, 100), swaps.SwapConfig()),
        ((3, 5, 5), swaps.SwapConfig()),
        ((9, 5, 5), COLUMNS),
    ],
)
def test_an_image_smaller_than_two_patches_is_refused(shape, config):
    with pytest.raises(ValueError, match="`image` must hold two disjoint patches"):
        _disorder(_image((1, *shape, 1)), config=config)
    with pytest.raises(ValueError, match="`image` must hold two disjoint patches"):
        swaps.swaps_for_coverage(shape, 0.4, config)


@pytest.mark.parametrize("shape", [(1, 5, 6), (1, 3, 6), (6, 3, 3)])
def test_the_smallest_images_work(shape):
    image = _image((2, *shape, 1))
    found = _disorder(image)
    assert found.swaps.numpy()[:, :, 2].all(-1).any(1).all()
    np.testing.assert_array_equal(swaps.undo(found.image, found.swaps), image)


def test_a_negative_number_of_swaps_is_refused():
    with pytest.raises(ValueError, match="`num_swaps` must be at least 0, got -1"):
        _disorder(_image((1, 1, 20, 20, 1)), num_swaps=-1)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"min_side": 0.2}, "`min_side` and `max_side` must be .* got 0.2 and 0.14"),
        ({"max_side": 0.6}, "`min_side` and `max_side` must be .* got 0.06 and 0.6"),
        ({"max_depth": 0}, "`max_depth` must be at least 1 or None, got 0"),
        ({"min_foreground": 1.5}, "`min_foreground` must be 0 to 1, got 1.5"),
        ({"tries": 1}, "`tries` must be at least 2, got 1"),
    ],
)
def test_impossible_rules_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        swaps.SwapConfig(**options)
