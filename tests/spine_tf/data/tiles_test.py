import collections
import itertools

import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import tiles

CUBE = tiles.TileConfig(grid=(3, 3, 3))
# Slices, rows, columns and grid: 2-D, volumes in plane and whole; never square or cubic.
CASES = [
    ((1, 36, 54), tiles.TileConfig()),
    ((1, 38, 29), tiles.TileConfig()),
    ((5, 36, 54), tiles.TileConfig()),
    ((9, 24, 40), CUBE),
    ((20, 36, 20), CUBE),
]
each_case = pytest.mark.parametrize("shape, config", CASES)


def _seeds(count):
    return tf.stack([tf.range(count), tf.range(count) + 5], 1)


def _coordinates(count, shape):
    """Images whose three channels are the slice, row and column of a voxel."""
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).astype(np.float32)
    return np.broadcast_to(places, (count, *places.shape))


def _valid(count, shape):
    return np.ones((count, *shape), bool)


def _cells(found, shape, config):
    """[batch, tiles, 3]: the cell of the grid in which a tile lies, read from its own pixels."""
    pixels = found.tiles.numpy()
    shape, grid = np.array(shape), np.array(config.grid)
    cell = shape // grid
    start = (shape - cell * grid) // 2
    first, last = pixels[:, :, 0, 0, 0], pixels[:, :, -1, -1, -1]
    cells = (first - start) // cell
    np.testing.assert_array_equal(cells, (last - start) // cell)  # the tile is in one cell
    return cells.astype(int)


def _least_gap(first, second, axis):
    """Pixels between two tiles along an axis, from their coordinates."""
    low, high = sorted([first[..., axis], second[..., axis]], key=np.min)
    return high.min() - low.max() - 1


def _permutations():
    return tiles.permutation_set(20)


@each_case
def test_the_label_says_where_the_second_tile_lies(shape, config):
    count = 64
    found = tiles.relative_positions(
        _coordinates(count, shape), _valid(count, shape), _seeds(count), config
    )
    assert found.tiles.shape == (count, 2, *tiles.tile_shape(shape, config), 3)
    cells = _cells(found, shape, config)
    np.testing.assert_array_equal(
        cells[:, 0], np.broadcast_to(np.array(config.grid) // 2, (count, 3))
    )
    for label, offset in zip(found.labels.numpy(), cells[:, 1] - cells[:, 0], strict=True):
        assert tiles.relative_offset(label, config.grid) == tuple(offset)


@each_case
def test_tiles_are_cut_whole_from_where_they_say(shape, config):
    image = np.random.default_rng(0).normal(size=(3, *shape, 2)).astype(np.float32)
    valid = np.random.default_rng(1).uniform(size=(3, *shape)) < 0.5
    found = tiles.relative_positions(image, valid, _seeds(3), config)
    for place in np.ndindex(3, 2):
        size = tiles.tile_shape(shape, config)
        box = tuple(slice(c, c + s) for c, s in zip(found.corner.numpy()[place], size, strict=True))
        np.testing.assert_array_equal(found.tiles[place], image[place[0]][box])
        np.testing.assert_array_equal(found.valid[place], valid[place[0]][box])


@pytest.mark.parametrize("config, classes", [(tiles.TileConfig(), 8), (CUBE, 26)])
def test_every_class_occurs_about_as_often(config, classes):
    count, shape = 100 * classes, (9, 18, 18)
    image = np.zeros((count, *shape, 1), np.float32)
    cut = tf.function(lambda *given: tiles.relative_positions(*given, config).labels)
    counts = np.bincount(cut(image, _valid(count, shape), _seeds(count)), minlength=classes)
    assert len(counts) == classes and counts.min() > 60 and counts.max() < 140


def test_offsets_of_the_classes():
    expected = [(0, -1, -1), (0, -1, 0), (0, -1, 1), (0, 0, -1), (0, 0, 1), (0, 1, -1), (0, 1, 0)]
    assert [tiles.relative_offset(label) for label in range(8)] == [*expected, (0, 1, 1)]
    every = [tiles.relative_offset(label, CUBE.grid) for label in range(26)]
    assert every == [o for o in itertools.product((-1, 0, 1), repeat=3) if o != (0, 0, 0)]


@pytest.mark.parametrize("label, grid", [(-1, (1, 3, 3)), (8, (1, 3, 3)), (26, (3, 3, 3))])
def test_a_class_outside_the_list_is_refused(label, grid):
    with pytest.raises(ValueError, match=f"`label` must be 0 to .* got {label}"):
        tiles.relative_offset(label, grid)


def test_cells_with_padding_inside_are_not_asked_for():
    """Padding that no box leaves out, as that of an oblique crop."""
    count, shape = 200, (9, 36, 54)
    valid = _valid(count, shape)
    valid[:, 8, :14, :3] = False  # in the first and second cell of the rows, the first of columns
    found = tiles.relative_positions(_coordinates(count, shape), valid, _seeds(count), CUBE)
    offsets = _cells(found, shape, CUBE)[:, 1] - 1
    asked = set(map(tuple, offsets.tolist()))
    assert asked == set(map(tiles.relative_offset, range(26), [CUBE.grid] * 26)) - {
        (1, -1, -1),
        (1, 0, -1),
    }


# An image of (slices, rows, columns), the box of what is not padding, and the grid.
PADDED = [
    ((1, 36, 54), ((0, 1), (0, 36), (9, 45)), tiles.TileConfig()),
    ((1, 36, 54), ((0, 1), (1, 35), (0, 54)), tiles.TileConfig()),
    ((1, 36, 54), ((0, 1), (30, 36), (50, 54)), tiles.TileConfig()),
    ((5, 36, 54), ((1, 3), (0, 36), (0, 40)), tiles.TileConfig()),
    ((9, 36, 54), ((2, 7), (0, 36), (0, 54)), CUBE),
]


def _padded(count, shape, box):
    valid = np.zeros((count, *shape), bool)
    valid[(slice(None), *(slice(*side) for side in box))] = True
    return valid


@pytest.mark.parametrize("shape, box, config", PADDED)
def test_padding_at_the_sides_tells_nothing_of_positions(shape, box, config):
    count = 60 * (config.num_cells - 1)
    valid = _padded(count, shape, box)
    found = tiles.relative_positions(_coordinates(count, shape), valid, _seeds(count), config)
    assert found.tiles.shape[2:5] == tiles.tile_shape(shape, config)
    counts = np.bincount(found.labels.numpy(), minlength=config.num_cells - 1)
    assert counts.min() > 30 and counts.max() < 100  # every answer, about as often
    _check_only_slices_are_padded(found, valid)
    middle = found.tiles.numpy().mean((2, 3, 4))
    for label, offset in zip(found.labels.numpy(), middle[:, 1] - middle[:, 0], strict=True):
        expected = np.array(tiles.relative_offset(label, config.grid))
        # Across the side that tiles share they may be jittered apart, by less than along it.
        np.testing.assert_array_equal(np.sign(np.round(offset / _cell_of(box, config))), expected)


def _cell_of(box, config):
    return np.array(
        [(end - begin) // cells for (begin, end), cells in zip(box, config.grid, strict=True)]
    )


def _check_only_slices_are_padded(found, valid):
    """A slice of a tile is padded if it is so in the whole image; nothing else is."""
    inside = found.valid.numpy()
    assert (inside == inside[..., :1, :1]).all()
    assert (inside == inside[:1, :1]).all()
    assert inside.any()
    if valid.shape[1] == inside.shape[2]:
        np.testing.assert_array_equal(inside[0, 0, :, 0, 0], valid[0].any((1, 2)))
    else:
        assert inside.all()


@pytest.mark.parametrize("shape, box, config", PADDED[:4])
def test_padding_at_the_sides_tells_nothing_of_the_order(shape, box, config):
    count = 50
    valid = _padded(count, shape, box)
    found = tiles.jigsaw(_coordinates(count, shape), valid, _seeds(count), _permutations(), config)
    _check_only_slices_are_padded(found, valid)
    middle = found.tiles.numpy().mean((2, 3, 4))[..., 1:]
    begin, cell = np.array(box)[1:, 0], _cell_of(box, config)[1:]
    place = ((middle - begin) // cell).astype(int)
    number = place[..., 0] * 3 + place[..., 1]
    np.testing.assert_array_equal(number, np.array(_permutations())[found.labels.numpy()])


def test_tiles_of_a_smaller_box_are_stretched():
    """A tile of 2 of 4 columns: each is there twice."""
    shape, config = (1, 18, 18), tiles.TileConfig(gap=1 / 3, jitter=0.0)
    valid = _padded(1, shape, ((0, 1), (0, 18), (0, 9)))
    found = tiles.jigsaw(_coordinates(1, shape), valid, _seeds(1), (tuple(range(9)),), config)
    assert tiles.tile_shape(shape, config) == (1, 4, 4)
    columns = found.tiles.numpy()[0, :, 0, 0, :, 2]
    np.testing.assert_array_equal(columns[:3], [[0, 0, 1, 1], [3, 3, 4, 4], [6, 6, 7, 7]])
    np.testing.assert_array_equal(found.tiles.numpy()[0, 0, 0, :, 0, 1], [1, 2, 3, 4])


def test_slices_too_few_to_split_are_not_asked_about():
    count, shape = 200, (9, 36, 54)
    valid = _padded(count, shape, ((7, 9), (0, 36), (0, 54)))
    found = tiles.relative_positions(_coordinates(count, shape), valid, _seeds(count), CUBE)
    offsets = [tiles.relative_offset(label, CUBE.grid) for label in found.labels.numpy()]
    assert {slices for slices, _, _ in offsets} == {0} and len(set(offsets)) == 8
    np.testing.assert_array_equal(np.unique(found.tiles.numpy()[..., 0]), [7, 8])


def test_where_all_cells_are_padded_any_is_asked_for():
    shape = (1, 36, 54)
    image = _coordinates(100, shape)
    found = tiles.relative_positions(image, ~_valid(100, shape), _seeds(100))
    assert set(found.labels.numpy()) == set(range(8))


@pytest.mark.parametrize("shape, config", [CASES[0], CASES[4]])
def test_tiles_of_neighbouring_cells_keep_a_gap_and_jitter(shape, config):
    count = 300
    found = tiles.relative_positions(
        _coordinates(count, shape), _valid(count, shape), _seeds(count), config
    )
    cells, corner = _cells(found, shape, config), found.corner.numpy()
    for axis in range(3):
        cell = shape[axis] // config.grid[axis]
        if config.grid[axis] == 1:
            assert (corner[..., axis] == 0).all()
            continue
        gaps = [
            _least_gap(*pair, axis)
            for pair, places in zip(found.tiles.numpy(), cells, strict=True)
            if abs(places[1] - places[0])[axis] == 1
        ]
        assert min(gaps) == cell // 6 and max(gaps) == 3 * (cell // 6)
        middle = corner[:, 0, axis]
        assert np.ptp(middle) == cell // 6 and len(set(middle)) == cell // 6 + 1


def test_no_gap_and_no_jitter_is_the_grid_itself():
    shape = (1, 36, 54)
    config = tiles.TileConfig(gap=0.0, jitter=0.0)
    assert tiles.tile_shape(shape, config) == (1, 12, 18)
    found = tiles.relative_positions(_coordinates(5, shape), _valid(5, shape), _seeds(5), config)
    np.testing.assert_array_equal(found.corner[:, 0], np.broadcast_to([0, 12, 18], (5, 3)))


@pytest.mark.parametrize("shape", [(1, 36, 54), (5, 38, 29)])
def test_the_label_says_the_order_of_the_puzzle(shape):
    count = 64
    found = tiles.jigsaw(
        _coordinates(count, shape), _valid(count, shape), _seeds(count), _permutations()
    )
    assert found.tiles.shape == (count, 9, *tiles.tile_shape(shape), 3)
    cells = _cells(found, shape, tiles.TileConfig())
    number = cells[..., 1] * 3 + cells[..., 2]
    np.testing.assert_array_equal(number, np.array(_permutations())[found.labels.numpy()])
    assert (cells[..., 0] == 0).all()
    assert len(set(found.labels.numpy())) > 15


def test_each_tile_of_a_puzzle_has_its_own_place_in_its_cell():
    shape = (1, 36, 54)
    found = tiles.jigsaw(_coordinates(200, shape), _valid(200, shape), _seeds(200), _permutations())
    within = found.corner.numpy() - _cells(found, shape, tiles.TileConfig()) * [1, 12, 18]
    places = collections.Counter(map(tuple, within.reshape(-1, 3).tolist()))
    assert set(places) == {(0, 1 + row, 1 + column) for row in range(3) for column in range(4)}
    assert abs(np.corrcoef(within[:, 0, 1], within[:, 1, 1])[0, 1]) < 0.2


@pytest.mark.parametrize("permutations", [((0, 1, 2),), (tuple(range(9)), (0,) * 9), ()])
def test_other_permutations_are_refused(permutations):
    shape = (1, 36, 54)
    with pytest.raises(ValueError, match="`permutations` must be permutations of 9 tiles"):
        tiles.jigsaw(_coordinates(1, shape), _valid(1, shape), _seeds(1), permutations)


@pytest.mark.parametrize("cut", [tiles.relative_positions, tiles.jigsaw])
def test_a_seed_gives_its_tiles_wherever_its_image_is(cut):
    shape = (1, 36, 54)
    seeds = tf.constant([[1, 2], [3, 4], [1, 2]])
    more = [_permutations()] if cut is tiles.jigsaw else []
    found = cut(_coordinates(3, shape), _valid(3, shape), seeds, *more)
    np.testing.assert_array_equal(found.tiles[0], found.tiles[2])
    assert not np.array_equal(found.corner[0], found.corner[1])
    again = cut(_coordinates(1, shape), _valid(1, shape), seeds[1:2], *more)
    np.testing.assert_array_equal(again.tiles[0], found.tiles[1])


@pytest.mark.parametrize("cut", [tiles.relative_positions, tiles.jigsaw])
def test_any_batch_size_runs_in_one_graph_and_in_a_data_pipeline(cut):
    shape = (9, 36, 54)
    more = [_permutations()] if cut is tiles.jigsaw else []
    image, valid, seeds = _coordinates(4, shape), _valid(4, shape), _seeds(4)
    expected = cut(image, valid, seeds, *more)
    data = tf.data.Dataset.from_tensor_slices((image, valid, seeds)).batch(3)
    data = data.map(lambda *item: cut(*item, *more))
    assert data.element_spec.tiles.shape[1:] == expected.tiles.shape[1:]
    found = np.concatenate([batch.tiles for batch in data])
    np.testing.assert_array_equal(found, expected.tiles)


def test_tiles_are_standardised_one_by_one_and_channel_by_channel():
    rng = np.random.default_rng(0)
    cut = rng.normal(rng.uniform(-9, 9, (2, 3, 1, 1, 1, 2)), 3, (2, 3, 4, 5, 6, 2))
    valid = np.ones((2, 3, 4, 5, 6), bool)
    valid[1, 2, 0] = False
    cut[1, 2, 0] = 99.0  # padding counts for nothing
    cut[0, 0, ..., 1] = 0.3
    found = tiles.standardise(tf.constant(cut, tf.float32), tf.constant(valid)).numpy()
    assert (found[~valid] == 0).all() and np.abs(found[0, 0, ..., 1]).max() < 1e-3
    for place in np.ndindex(2, 3):
        values = found[place][valid[place]]
        np.testing.assert_allclose(values.mean(0), 0, atol=1e-3)
        np.testing.assert_allclose(values.std(0), [1, place != (0, 0)], atol=1e-3)


def test_permutations_are_different_and_far_apart():
    found = tiles.permutation_set()
    assert len(set(found)) == 100
    assert {tuple(sorted(each)) for each in found} == {tuple(range(9))}
    distance = np.count_nonzero(np.array(found)[:, None] != np.array(found), axis=-1)
    pairs = distance[np.triu_indices(100, 1)]
    assert pairs.mean() > 8.05  # 8 for permutations drawn at random
    assert pairs.min() >= 3


def test_a_small_set_by_hand():
    # The only two that differ everywhere from each other and the first are its rotations.
    found = tiles.permutation_set(3, seed=3, num_tiles=3)
    first = found[0]
    rotations = {(first[1], first[2], first[0]), (first[2], first[0], first[1])}
    assert set(found[1:]) == rotations
    assert set(tiles.permutation_set(6, num_tiles=3)) == set(itertools.permutations(range(3)))


def test_a_set_follows_from_its_seed():
    assert tiles.permutation_set(10, seed=1) == tiles.permutation_set(10, seed=1)
    assert tiles.permutation_set(10, seed=1) != tiles.permutation_set(10, seed=2)
    assert tiles.permutation_set(10, seed=1) == tiles.permutation_set(20, seed=1)[:10]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_tiles": 27}, "`num_tiles` must be 2 to 9, got 27"),
        ({"count": 7, "num_tiles": 3}, "`count` must be 1 to 6, .* got 7"),
        ({"count": 0}, "`count` must be 1 to 362880, .* got 0"),
    ],
)
def test_impossible_sets_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiles.permutation_set(**options)


@pytest.mark.parametrize(
    "shape, config",
    [((1, 17, 40), tiles.TileConfig()), ((1, 40, 17), tiles.TileConfig()), ((2, 40, 40), CUBE)],
)
def test_too_small_an_image_is_refused(shape, config):
    with pytest.raises(ValueError, match="`image` must have at least .slices, rows, columns."):
        tiles.relative_positions(_coordinates(1, shape), _valid(1, shape), _seeds(1), config)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"grid": (1, 2, 3)}, "`grid` must hold three times 1 or 3, got .1, 2, 3."),
        ({"grid": (3, 3)}, "`grid` must hold three times 1 or 3, got .3, 3."),
        ({"gap": 0.5, "jitter": 0.5}, "`gap` and `jitter` must be .* got 0.5 and 0.5"),
        ({"jitter": -0.1}, "`gap` and `jitter` must be .* and -0.1"),
    ],
)
def test_impossible_grids_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tiles.TileConfig(**options)
