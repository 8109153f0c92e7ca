"""Context disordering: patches of an image change places, and the list of swaps undoes it.

The swaps of an image become one permutation of its voxels, and the image is gathered once. So all
channels move together, no value changes, and replaying the list backwards restores the image
exactly. Source: Chen 2019, algorithm 1; methods 3.1.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from spine_tf.data import boxes

MIN_SIDE_PIXELS = 3
_SHORTLIST = 6  # patches of one swap that are looked at in the current image
_SIMULATED_IMAGES = 64


@dataclasses.dataclass(frozen=True)
class SwapConfig:
    """Which patches change places. Every swap draws a new size.

    Attributes:
        min_side: Smallest height and width of a patch, as a share of the image's.
        max_side: Largest height and width of a patch, as a share of the image's.
        max_depth: Largest number of slices of a patch; None takes all valid slices.
        min_foreground: Smallest share of foreground in each of the two patches.
        tries: Patches drawn for each swap. Where no two of them will do, nothing is swapped.
    """

    min_side: float = 0.06
    max_side: float = 0.14
    max_depth: int | None = 3
    min_foreground: float = 0.5
    tries: int = 50

    def __post_init__(self):
        if not 0 < self.min_side <= self.max_side <= 0.5:
            raise ValueError(
                "`min_side` and `max_side` must be 0 < min_side <= max_side <= 0.5, got"
                f" {self.min_side} and {self.max_side}."
            )
        if self.max_depth is not None and self.max_depth < 1:
            raise ValueError(f"`max_depth` must be at least 1 or None, got {self.max_depth}.")
        if not 0 <= self.min_foreground <= 1:
            raise ValueError(f"`min_foreground` must be 0 to 1, got {self.min_foreground}.")
        if self.tries < 2:
            raise ValueError(f"`tries` must be at least 2, got {self.tries}.")


def check_size(rows: int, columns: int) -> None:
    """Checks that a slice can be disordered.

    Raises:
        ValueError: If it does not hold two patches of the smallest size beside each other.
    """
    if min(rows, columns) < MIN_SIDE_PIXELS or max(rows, columns) < 2 * MIN_SIDE_PIXELS:
        raise ValueError(
            f"is too small: {rows} x {columns} pixels do not hold two patches of"
            f" {MIN_SIDE_PIXELS} x {MIN_SIDE_PIXELS} that do not overlap; leave it out"
        )


class Disordered(NamedTuple):
    """What `disorder` returns.

    Attributes:
        image: As given, with patches swapped.
        swaps: [batch, swaps, 3, 3] int32 in the order in which they were made: corner of the
            first patch, corner of the second, size, each as (slices, rows, columns). All 0 where
            nothing was swapped.
        changed: [batch, slices, rows, columns] bool, where a voxel comes from another place.
    """

    image: tf.Tensor
    swaps: tf.Tensor
    changed: tf.Tensor


class _Candidates(NamedTuple):
    """Patches that fit the original image, all of one size for each swap."""

    corner: tf.Tensor  # [batch, swaps, shortlist, 3] int32
    fits: tf.Tensor  # [batch, swaps, shortlist] bool
    size: tf.Tensor  # [batch, swaps, 3] int32


def disorder(
    image: tf.Tensor,
    valid: tf.Tensor,
    foreground: tf.Tensor,
    seeds: tf.Tensor,
    *,
    num_swaps: int,
    config: SwapConfig = SwapConfig(),
) -> Disordered:
    """Swaps pairs of equal, disjoint patches at random, one pair after the other.

    A patch lies in valid voxels only, and its share of foreground is at least `min_foreground`
    both in the original image and in the image as it is when the patch is swapped. An image of
    which only a share is valid gets that share of the swaps, so that the part of its valid voxels
    that changes is about the same.

    Args:
        image: [batch, slices, rows, columns, channels], any type; a plain image has 1 slice.
        valid: [batch, slices, rows, columns] bool, false where the image is padded.
        foreground: [batch, slices, rows, columns] bool.
        seeds: [batch, 2] int32; the same seed gives the same swaps.
        num_swaps: Swaps of a wholly valid image, see `swaps_for_coverage`; 0 changes nothing.
        config: Which patches change places.

    Returns:
        The disordered images, their swaps and where they changed.

    Raises:
        ValueError: If two patches do not fit into the image, or `num_swaps` is negative.

    Source: Chen 2019, algorithm 1; methods 3.1.
    """
    shape = boxes.volume_shape(image)
    _, largest = size_range(shape, config)
    if num_swaps < 0:
        raise ValueError(f"`num_swaps` must be at least 0, got {num_swaps}.")
    valid, foreground = (tf.ensure_shape(mask, image.shape[:4]) for mask in (valid, foreground))
    candidates = _candidates(valid, foreground, seeds, num_swaps, config)
    places = _Places(tf.shape(image)[0], shape, largest)
    order, swaps = _swap(candidates, places, foreground, config)
    changed = tf.reshape(order != places.identity(), [-1, *shape])
    return Disordered(places.gather(image, order), swaps, changed)


def _swap(candidates, places, foreground, config):
    """The order of the voxels after all swaps, and the list of swaps."""
    num_swaps = candidates.size.shape[1]

    def step(number, content, record):
        corner, fits, size = (part[:, number] for part in candidates)
        image, index = places.voxels(corner, size)
        count = tf.math.segment_sum(tf.gather(content, index) % 2, image)
        fits &= tf.cast(count, tf.float32) >= _least_foreground(size, config)[:, None]
        pair, found = _first_pair(corner, size, fits)  # twice the same patch if there is none
        pair_index = tf.gather(index, tf.gather(pair, image), batch_dims=1)
        swap = tf.concat([tf.gather(corner, pair, batch_dims=1), size[:, None]], 1)
        record = record.write(number, tf.where(found[:, None, None], swap, 0))
        return number + 1, _exchange(content, pair_index), record

    # The lowest bit goes with a voxel and says whether it is foreground.
    content = 2 * places.identity() + tf.cast(tf.reshape(foreground, [-1]), tf.int32)
    record = tf.TensorArray(tf.int32, num_swaps, element_shape=[None, 3, 3])
    _, content, record = tf.while_loop(
        lambda number, *_: number < num_swaps, step, (0, content, record)
    )
    swaps = tf.reshape(record.stack(), [num_swaps, tf.shape(foreground)[0], 3, 3])
    return content // 2, tf.transpose(swaps, [1, 0, 2, 3])


def undo(image: tf.Tensor, swaps: tf.Tensor) -> tf.Tensor:
    """Restores disordered images: replays their swaps backwards.

    Args:
        image: [batch, slices, rows, columns, channels], as `disorder` returned it.
        swaps: [batch, swaps, 3, 3] int32, as `disorder` returned them.

    Returns:
        The images as they were before, exactly.
    """
    return replay(image, tf.reverse(swaps, [1]))


def replay(image: tf.Tensor, swaps: tf.Tensor) -> tf.Tensor:
    """Makes the swaps of a list in its order; a swap of size 0 does nothing.

    Args:
        image: [batch, slices, rows, columns, channels], any type.
        swaps: [batch, swaps, 3, 3] int32, see `Disordered`.

    Returns:
        As `image`.
    """
    swaps = tf.transpose(swaps, [1, 0, 2, 3])
    largest = tf.maximum(tf.reduce_max(swaps[:, :, 2], [0, 1]), 0)
    places = _Places(tf.shape(image)[0], boxes.volume_shape(image), largest)

    def step(number, order):
        _, index = places.voxels(swaps[number, :, :2], swaps[number, :, 2])
        return number + 1, _exchange(order, index)

    _, order = tf.while_loop(
        lambda number, _: number < tf.shape(swaps)[0], step, (0, places.identity())
    )
    return places.gather(image, order)


class _Places:
    """The voxels of a batch by their place in its raster order."""

    def __init__(self, batch, shape, largest):
        self._shape = shape
        self._first = boxes.first_of_image(batch, shape)
        self._offsets = boxes.offsets(largest)
        self._flat_offsets = boxes.flat_index(self._offsets, shape)

    def identity(self):
        """[voxels] int32: every voxel at its own place."""
        return tf.range(tf.size(self._first) * math.prod(self._shape))

    def voxels(self, corner, size):
        """Places in patches at [batch, patches, 3], of the size [batch, 3], one row per voxel.

        Returns the image [rows] of each row, ascending, and [rows, patches].
        """
        first = self._first[:, None] + boxes.flat_index(corner, self._shape)
        within = [self._offsets[:, axis] < size[:, axis, None] for axis in range(3)]
        inside = within[0] & within[1] & within[2]  # [batch, largest patch]
        image, voxel = tf.unstack(tf.where(inside), axis=1)
        index = tf.gather(first, image) + tf.gather(self._flat_offsets, voxel)[:, None]
        return image, index

    def gather(self, image, order):
        """The batch of images with every voxel from its place in `order`."""
        shape = tf.shape(image)
        voxels = tf.gather(tf.reshape(image, [-1, shape[-1]]), order)
        return tf.ensure_shape(tf.reshape(voxels, shape), image.shape)


def _exchange(content, index):
    """`content` with the values at the places [rows, 2] exchanged within each row."""
    values = tf.gather(content, tf.reverse(index, [1]))
    return tf.tensor_scatter_nd_update(content, index[..., None], values)


def _candidates(valid, foreground, seeds, num_swaps, config) -> _Candidates:
    """Draws sizes and patches, and keeps the first patches that fit the original image."""
    draws = boxes.uniform(seeds, num_swaps * (1 + config.tries) * 3)
    draws = tf.reshape(draws, [tf.shape(seeds)[0], num_swaps, 1 + config.tries, 3])
    start, extent = boxes.around(valid)
    start, extent = start[:, None, None], extent[:, None, None]  # [batch, 1, 1, 3]
    smallest, largest = size_range(valid.shape[1:], config)
    largest = tf.minimum(largest, extent)
    smallest = tf.minimum(smallest, largest)
    size = smallest + boxes.whole(draws[:, :, :1], largest - smallest + 1)
    corner = start + boxes.whole(draws[:, :, 1:], extent - size + 1)
    fits = _fits(valid, foreground, corner, size, config)
    fits &= _is_due(valid, num_swaps)[:, :, None]
    score = tf.where(fits, config.tries - tf.range(config.tries), 0)
    score, best = tf.math.top_k(score, min(_SHORTLIST, config.tries))
    return _Candidates(tf.gather(corner, best, batch_dims=2), score > 0, size[:, :, 0])


def _fits(valid, foreground, corner, size, config):
    """[batch, swaps, tries] bool: only valid voxels and enough foreground."""
    _, largest = size_range(valid.shape[1:], config)
    # One voxel that is not valid outweighs the foreground of any patch.
    weight = math.prod(largest)
    kind = tf.int32 if weight * math.prod(valid.shape[1:]) <= tf.int32.max else tf.int64
    values = tf.where(valid, tf.cast(foreground, kind), tf.constant(-weight, kind))
    counts = boxes.sums(boxes.integral(values), corner, size)
    return tf.cast(counts, tf.float32) >= _least_foreground(size, config)


def _is_due(valid, num_swaps):
    """[batch, swaps] bool: the first swaps, as many as the share of valid voxels asks for."""
    share = tf.reduce_mean(tf.cast(valid, tf.float32), [1, 2, 3])
    return tf.range(num_swaps) < tf.cast(tf.math.ceil(share * num_swaps), tf.int32)[:, None]


def _least_foreground(size, config):
    """[...] float32: the least foreground voxels of patches of size [..., 3]."""
    return config.min_foreground * tf.cast(tf.reduce_prod(size, -1), tf.float32)


def _first_pair(corner, size, fits):
    """Numbers [batch, 2] of the first two patches that fit and are disjoint; found [batch]."""
    distance = tf.abs(corner[:, :, None] - corner[:, None])
    apart = tf.reduce_any(distance >= size[:, None, None], -1)  # [batch, shortlist, shortlist]
    count = corner.shape[1]
    pairs = tf.reshape(apart & fits[:, :, None] & fits[:, None], [-1, count * count])
    best = tf.argmax(tf.cast(pairs, tf.int32), -1, tf.int32)
    return tf.stack([best // count, best % count], -1), tf.reduce_any(pairs, -1)


def size_range(
    shape: tuple[int, int, int], config: SwapConfig
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Returns the smallest and largest (slices, rows, columns) of patches.

    Args:
        shape: (slices, rows, columns) of the image.
        config: Which patches change places.

    Raises:
        ValueError: If two disjoint patches of the largest size do not fit into the image.
    """
    depths = (
        (shape[0], shape[0]) if config.max_depth is None else (1, min(config.max_depth, shape[0]))
    )
    smallest = (depths[0], *_sides(config.min_side, shape))
    largest = (depths[1], *_sides(config.max_side, shape))
    fit = all(part <= side for part, side in zip(largest, shape, strict=True))
    if not fit or all(2 * part > side for part, side in zip(largest, shape, strict=True)):
        raise ValueError(
            "`image` must hold two disjoint patches of (slices, rows, columns)"
            f" {largest}, got an image of {tuple(shape)}. Give a larger image."
        )
    return smallest, largest


def _sides(share: float, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Rows and columns of a patch that has a share of the image's, in whole pixels."""
    rows, columns = (max(MIN_SIDE_PIXELS, round(share * side)) for side in shape[1:])
    return rows, columns


@functools.cache
def swaps_for_coverage(
    shape: tuple[int, int, int], coverage: float = 0.4, config: SwapConfig = SwapConfig()
) -> int:
    """Returns the least number of swaps that are expected to change a share of the voxels.

    Found by simulation on images without background, always with the same draws.

    Args:
        shape: (slices, rows, columns) of the image.
        coverage: Expected share of voxels that come from another place.
        config: Which patches change places.

    Raises:
        ValueError: If `coverage` is not between 0 and 0.9, or the image is too small.

    Source: methods 3.1; the paper does not give the number.
    """
    if not 0 < coverage <= 0.9:
        raise ValueError(f"`coverage` must be above 0 and at most 0.9, got {coverage}.")
    rng = np.random.default_rng(0)
    identity = np.arange(np.prod(shape)).reshape(shape)
    orders = [identity.copy() for _ in range(_SIMULATED_IMAGES)]
    changed = num_swaps = 0
    while changed < coverage * identity.size * _SIMULATED_IMAGES:
        changed += sum(_simulate_swap(order, identity, config, rng) for order in orders)
        num_swaps += 1
    return num_swaps


def _simulate_swap(order, identity, config, rng) -> int:
    """Makes one swap in `order`; how many more voxels are changed after it than before."""
    smallest, largest = size_range(order.shape, config)
    size = rng.integers(smallest, largest, endpoint=True)
    first = second = np.zeros(3, int)
    while not np.any(np.abs(first - second) >= size):
        first, second = rng.integers(0, order.shape - size, (2, 3), endpoint=True)
    patches = [tuple(map(slice, corner, corner + size)) for corner in (first, second)]
    before = _num_moved(order, identity, patches)
    order[patches[0]], order[patches[1]] = order[patches[1]], order[patches[0]].copy()
    return _num_moved(order, identity, patches) - before


def _num_moved(order: np.ndarray, identity: np.ndarray, patches: list[tuple[slice, ...]]) -> int:
    return sum(int(np.count_nonzero(order[patch] != identity[patch])) for patch in patches)
