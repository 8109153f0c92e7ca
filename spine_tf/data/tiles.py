"""Relative positions and jigsaw: tiles of an image, and where they come from.

A grid of cells lies over the box around the valid voxels, so that padding tells nothing; a tile is
cut from each cell at a random place that keeps a gap to the tiles of the next cells. So edges do
not go on from one tile to the next (methods, P11). Where the box is smaller than the image, its
tiles are, too, and are stretched to those of a whole image by repeating voxels.
Source: Chen 2019, related work (after Doersch 2015, Noroozi 2016); methods 3.4.
"""

import dataclasses
import itertools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from spine_tf.data import boxes

_MIN_CELL = (1, 6, 6)  # slices, rows, columns
MAX_JIGSAW_TILES = 9  # all permutations of them are looked at
_LEAST_DEVIATION = 1e-3


@dataclasses.dataclass(frozen=True)
class TileConfig:
    """The grid and its tiles.

    Attributes:
        grid: Cells along slices, rows and columns. (1, 3, 3) is nine tiles, in a volume through
            all slices; (3, 3, 3) is 27 tiles.
        gap: Least distance of tiles of neighbouring cells, as a share of the cell.
        jitter: Range of a tile's random place in its cell, as a share of the cell.
    """

    grid: tuple[int, int, int] = (1, 3, 3)
    gap: float = 1 / 6
    jitter: float = 1 / 6

    def __post_init__(self):
        if any(cells not in (1, 3) for cells in self.grid) or len(self.grid) != 3:
            raise ValueError(f"`grid` must hold three times 1 or 3, got {self.grid}.")
        if min(self.gap, self.jitter) < 0 or self.gap + self.jitter >= 1:
            raise ValueError(
                "`gap` and `jitter` must be at least 0 and together below 1, got"
                f" {self.gap} and {self.jitter}."
            )

    @property
    def num_cells(self) -> int:
        """Cells of the grid."""
        return math.prod(self.grid)


class Tiles(NamedTuple):
    """Tiles of each image of a batch.

    Attributes:
        tiles: [batch, tiles, slices, rows, columns, channels] as in the image.
        valid: [batch, tiles, slices, rows, columns] bool.
        corner: [batch, tiles, 3] int32 (slice, row, column) of a tile's first voxel in the image.
        labels: [batch] int32.
    """

    tiles: tf.Tensor
    valid: tf.Tensor
    corner: tf.Tensor
    labels: tf.Tensor


class _Axis(NamedTuple):
    """How cells and tiles lie along one axis of a box, in voxels."""

    start: int  # of the first cell, from the box
    cell: int
    tile: int
    gap: int
    jitter: int


class _Grid(NamedTuple):
    """How cells and tiles lie in each image, [batch, 3] int32 but for the last."""

    start: tf.Tensor  # of the first cell
    cell: tf.Tensor
    tile: tf.Tensor
    gap: tf.Tensor
    jitter: tf.Tensor
    is_whole: tf.Tensor  # [batch, cells] bool: the cell has voxels of its own and no padding


def relative_positions(
    image: tf.Tensor, valid: tf.Tensor, seeds: tf.Tensor, config: TileConfig = TileConfig()
) -> Tiles:
    """Cuts the middle tile and one other, which is drawn among cells without padding.

    Padding at the sides is in no cell; that of an oblique crop may be. Where every other cell is
    padded in part, it is drawn among all of them.

    Args:
        image: [batch, slices, rows, columns, channels], any type; a plain image has 1 slice.
        valid: [batch, slices, rows, columns] bool, false where the image is padded.
        seeds: [batch, 2] int32; the same seed gives the same tiles.
        config: The grid; its cells less one are the classes.

    Returns:
        Two tiles, the middle one first. The label is the class of `relative_offset`.

    Raises:
        ValueError: If the image is too small for the grid.

    Source: Chen 2019 (after Doersch 2015); methods 3.4.
    """
    grid = _grid(valid, boxes.volume_shape(image), config)
    draws = boxes.uniform(seeds, config.num_cells * 4)
    draws = tf.reshape(draws, [-1, config.num_cells, 4])
    middle = config.num_cells // 2
    score = draws[..., 3] + tf.cast(grid.is_whole, tf.float32)
    is_middle = tf.range(config.num_cells) == middle
    other = tf.argmax(tf.where(is_middle, -1.0, score), 1, tf.int32)
    cells = tf.stack([tf.fill(tf.shape(other), middle), other], 1)
    labels = other - tf.cast(other > middle, tf.int32)
    return _cut(image, valid, cells, draws, labels, grid, config)


def jigsaw(
    image: tf.Tensor,
    valid: tf.Tensor,
    seeds: tf.Tensor,
    permutations: tuple[tuple[int, ...], ...],
    config: TileConfig = TileConfig(),
) -> Tiles:
    """Cuts every tile and puts them into the order of a permutation drawn from a set.

    Args:
        image: [batch, slices, rows, columns, channels], any type; a plain image has 1 slice.
        valid: [batch, slices, rows, columns] bool, false where the image is padded.
        seeds: [batch, 2] int32; the same seed gives the same tiles.
        permutations: From `permutation_set`; a permutation lists the cells, in raster order of
            the grid, from which the first tile, the second and so on are cut.
        config: The grid.

    Returns:
        All tiles. The label is the number of the permutation.

    Raises:
        ValueError: If the image is too small for the grid, or the permutations are not of its
            cells.

    Source: Chen 2019 (after Noroozi 2016); methods 3.4.
    """
    grid = _grid(valid, boxes.volume_shape(image), config)
    if {tuple(sorted(each)) for each in permutations} != {tuple(range(config.num_cells))}:
        raise ValueError(
            f"`permutations` must be permutations of {config.num_cells} tiles, got"
            f" {permutations[:1]} and so on. Make them with `permutation_set`."
        )
    draws = boxes.uniform(seeds, config.num_cells * 3 + 1)
    labels = boxes.whole(draws[:, -1], len(permutations))
    cells = tf.gather(tf.constant(permutations, tf.int32), labels)
    draws = tf.reshape(draws[:, :-1], [-1, config.num_cells, 3])
    return _cut(image, valid, cells, draws, labels, grid, config)


def relative_offset(
    label: int, grid: tuple[int, int, int] = TileConfig.grid
) -> tuple[int, int, int]:
    """Returns where the second tile lies from the middle one, for a class of relative positions.

    Args:
        label: Class, from 0 to the cells of the grid less 2; cells in raster order.
        grid: Cells along slices, rows and columns.

    Returns:
        (slices, rows, columns), each -1, 0 or 1.

    Raises:
        ValueError: If there is no such class.
    """
    count = math.prod(grid)
    if not 0 <= label < count - 1:
        raise ValueError(f"`label` must be 0 to {count - 2} for the grid {grid}, got {label}.")
    cell = label + (label >= count // 2)
    place = np.unravel_index(cell, grid)
    along = (int(at) - cells // 2 for at, cells in zip(place, grid, strict=True))
    slices, rows, columns = along
    return slices, rows, columns


def standardise(tiles: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
    """Gives each channel of each tile mean 0 and deviation 1 over its valid voxels.

    So that brightness does not tell tiles apart. A tile of one value becomes 0.

    Args:
        tiles: [batch, tiles, slices, rows, columns, channels] float32.
        valid: [batch, tiles, slices, rows, columns] bool.

    Returns:
        As `tiles`, 0 where it is not valid.
    """
    inside = tf.cast(valid, tf.float32)[..., None]
    count = tf.maximum(tf.reduce_sum(inside, [2, 3, 4], keepdims=True), 1.0)
    mean = tf.reduce_sum(tiles * inside, [2, 3, 4], keepdims=True) / count
    centred = (tiles - mean) * inside
    variance = tf.reduce_sum(tf.square(centred), [2, 3, 4], keepdims=True) / count
    return centred / tf.maximum(tf.sqrt(variance), _LEAST_DEVIATION)


def permutation_set(
    count: int = 100, seed: int = 0, num_tiles: int = MAX_JIGSAW_TILES
) -> tuple[tuple[int, ...], ...]:
    """Chooses permutations that differ much, one after the other from a random first one.

    Each has the largest mean Hamming distance to those before it; among equals the one whose
    nearest is furthest, then the first in lexicographic order.

    Args:
        count: Number of permutations.
        seed: Of the first one.
        num_tiles: Tiles to permute.

    Returns:
        `count` different permutations of 0..num_tiles - 1. A model keeps the set it was trained
        with.

    Raises:
        ValueError: If there are too many tiles, or fewer permutations of them than `count`.

    Source: methods 3.4; the mean distance is the criterion of public re-implementations.
    """
    if not 2 <= num_tiles <= MAX_JIGSAW_TILES:
        raise ValueError(f"`num_tiles` must be 2 to {MAX_JIGSAW_TILES}, got {num_tiles}.")
    if not 1 <= count <= math.factorial(num_tiles):
        raise ValueError(
            f"`count` must be 1 to {math.factorial(num_tiles)}, the permutations of {num_tiles}"
            f" tiles, got {count}."
        )
    every = _all_permutations(num_tiles)
    chosen = [int(np.random.default_rng(seed).integers(every.shape[1]))]
    total, nearest = np.int32(0), np.int32(num_tiles)
    while len(chosen) < count:
        differs = every != every[:, chosen[-1:]]
        distance = np.sum(differs, axis=0, dtype=np.int32)
        total, nearest = total + distance, np.minimum(nearest, distance)
        score = np.where(nearest > 0, total * (num_tiles + 1) + nearest, -1)
        chosen.append(int(np.argmax(score)))
    return tuple(tuple(every[:, number].tolist()) for number in chosen)


def _all_permutations(num_tiles):
    """[num_tiles, permutations] int8 in lexicographic order."""
    listed = itertools.chain.from_iterable(itertools.permutations(range(num_tiles)))
    return np.fromiter(listed, np.int8).reshape(-1, num_tiles).T.copy()


def tile_shape(
    shape: tuple[int, int, int], config: TileConfig = TileConfig()
) -> tuple[int, int, int]:
    """Returns (slices, rows, columns) of a tile of an image of (slices, rows, columns).

    Raises:
        ValueError: If the image is too small for the grid.
    """
    _check(shape, config)
    slices, rows, columns = (
        _axis(side, cells, config).tile for side, cells in zip(shape, config.grid, strict=True)
    )
    return slices, rows, columns


def _check(shape, config) -> None:
    least = tuple(
        1 if cells == 1 else cells * pixels
        for cells, pixels in zip(config.grid, _MIN_CELL, strict=True)
    )
    if any(side < needed for side, needed in zip(shape, least, strict=True)):
        raise ValueError(
            f"`image` must have at least (slices, rows, columns) {least} for the grid"
            f" {config.grid}, got {tuple(shape)}. Give a larger image or"
            " `patch_size`."
        )


def _axis(side, cells, config) -> _Axis:
    if cells == 1 or side < cells:  # too few voxels to split: all cells are the whole side
        return _Axis(start=0, cell=0, tile=side, gap=0, jitter=0)
    cell = side // cells
    gap, jitter = int(cell * config.gap), int(cell * config.jitter)
    return _Axis((side - cells * cell) // 2, cell, max(cell - gap - jitter, 1), gap, jitter)


def _grid(valid, shape, config) -> _Grid:
    """Lays the grid over the box of each image; an axis of one cell is always cut whole."""
    _check(shape, config)
    corner, extent = boxes.around(valid)
    split = tf.constant(config.grid) > 1
    begin, size = tf.where(split, corner, 0), tf.where(split, extent, shape)
    axes = []
    for axis, cells in enumerate(config.grid):
        of_size = [_axis(side, cells, config) for side in range(shape[axis] + 1)]
        axes.append(tf.gather(tf.constant(of_size, tf.int32), size[:, axis]))
    start, cell, tile, gap, jitter = tf.unstack(tf.stack(axes, 1), axis=2)
    place = _places(config)
    has_voxels = tf.reduce_all((place == tf.constant(config.grid) // 2) | (cell > 0)[:, None], 2)
    first = (corner + start)[:, None] + place * cell[:, None]
    span = tf.where(cell > 0, cell, extent)  # an axis that is not split: all that is no padding
    padding = boxes.integral(tf.cast(~valid, tf.int32))
    is_whole = has_voxels & (boxes.sums(padding, first, span[:, None]) == 0)
    return _Grid(begin + start, cell, tile, gap, jitter, is_whole)


def _places(config) -> tf.Tensor:
    """[cells, 3] int32: each cell's place in the grid."""
    return tf.constant(np.argwhere(np.ones(config.grid)), tf.int32)


def _cut(image, valid, cells, draws, labels, grid: _Grid, config) -> Tiles:
    """Cuts a tile from each of `cells` [batch, tiles], at a place drawn by `draws`."""
    place = tf.gather(_places(config), cells)
    within = tf.gather(draws, cells, batch_dims=1)[..., :3]
    corner = (grid.start + grid.gap // 2)[:, None] + place * grid.cell[:, None]
    corner += boxes.whole(within, grid.jitter[:, None] + 1)
    shape = boxes.volume_shape(image)
    tile = tile_shape(shape, config)
    # The middle of each voxel of the tile falls into this voxel of the image's own tile.
    offsets = (2 * boxes.offsets(tile) + 1) * grid.tile[:, None] // (2 * tf.constant(tile))
    first = boxes.first_of_image(tf.shape(image)[0], shape)[:, None]
    first += boxes.flat_index(corner, shape)
    index = first[..., None] + boxes.flat_index(offsets, shape)[:, None]
    voxels = tf.reshape(image, [-1, tf.shape(image)[-1]])
    sizes = [-1, cells.shape[1], *tile]
    tiles = tf.reshape(tf.gather(voxels, index), [*sizes, image.shape[-1]])
    return Tiles(
        tiles, tf.reshape(tf.gather(tf.reshape(valid, [-1]), index), sizes), corner, labels
    )
