"""A fully convolutional network applied to whole slices, one after another.

Slices come from an iterable and results leave through an iterator, so memory does not grow with
their number. A result is float32 [rows, columns, outputs] of the slice as it came. Padding repeats
the last row and column, because 0 is no background of an image with z-scores.

Source: Ronneberger 2015 (overlapping tiles); methods 3.7 (whole slices of a size divisible by 16).
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from spine_tf.evaluation import tiling as tiling_lib

Network = Callable[[tf.Tensor], tf.Tensor]


def whole(
    network: Network, slices: Iterable[np.ndarray], *, multiple: int = 16, batch_size: int = 8
) -> Iterator[np.ndarray]:
    """Applies a network to slices padded to a multiple of its pooling.

    Args:
        network: From float32 [batch, rows, columns, channels] to [batch, rows, columns, outputs],
            for any rows and columns that `multiple` divides. It is compiled.
        slices: float32 [rows, columns, channels] each, all of one size; an array
            [slices, rows, columns, channels] is one, too.
        multiple: What rows and columns are padded to.
        batch_size: Slices per step.

    Yields:
        The network's output for each slice, [rows, columns, outputs] float32.

    Raises:
        ValueError: If the output has not the rows and columns of the input.
    """
    compiled = tf.function(network, reduce_retracing=True)
    slices = iter(slices)
    while batch := list(itertools.islice(slices, batch_size)):
        images = np.stack(batch)
        rows, columns = images.shape[1:3]
        size = tuple(tiling_lib.padded_length(length, multiple) for length in (rows, columns))
        yield from _apply(compiled, _padded(images, size))[:, :rows, :columns]


def tiled(
    network: Network,
    slices: Iterable[np.ndarray],
    tiling: tiling_lib.Tiling,
    *,
    batch_size: int = 8,
) -> Iterator[np.ndarray]:
    """Applies a network to overlapping tiles of slices and blends what it returns.

    The network meets one shape only, [batch_size, *tile_size, channels], and never more pixels at
    once, whatever the size of the slices.

    Args:
        network: From float32 [batch, rows, columns, channels] to [batch, rows, columns, outputs].
            It is compiled. Give it a softmax to blend probabilities.
        slices: float32 [rows, columns, channels] each, of any sizes.
        tiling: Size, overlap and margin of the tiles.
        batch_size: Tiles per step.

    Yields:
        The blended output for each slice, [rows, columns, outputs] float32.

    Raises:
        ValueError: If the output has not the rows and columns of the input.
    """
    compiled = tf.function(network, reduce_retracing=True)
    for image in slices:
        yield _blended(compiled, np.asarray(image), tiling, batch_size)


def _blended(
    network: Network, image: np.ndarray, tiling: tiling_lib.Tiling, batch_size: int
) -> np.ndarray:
    rows, columns = (
        tiling_lib.axis(length, size, tiling)
        for length, size in zip(image.shape[:2], tiling.tile_size, strict=True)
    )
    padded = _padded(image[None], (rows.length, columns.length))[0]
    tiles = list(itertools.product(range(len(rows.begin)), range(len(columns.begin))))
    for first in range(0, len(tiles), batch_size):
        batch = tiles[first : first + batch_size]
        windows = [_window(rows.begin[i], columns.begin[j], tiling) for i, j in batch]
        crops = np.stack([padded[window] for window in windows])
        found = _apply(network, np.resize(crops, (batch_size, *crops.shape[1:])))
        if first == 0:
            blended = np.zeros((rows.length, columns.length, found.shape[-1]), np.float32)
        for (i, j), window, output in zip(batch, windows, found, strict=False):
            blended[window] += output * np.outer(rows.weight[i], columns.weight[j])[..., None]
    return blended[: image.shape[0], : image.shape[1]]


def _window(row: int, column: int, tiling: tiling_lib.Tiling) -> tuple[slice, slice]:
    rows, columns = tiling.tile_size
    return slice(row, row + rows), slice(column, column + columns)


def _padded(images: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Repeats the last row and column of [batch, rows, columns, channels] up to a size."""
    missing = [(0, wanted - now) for wanted, now in zip(size, images.shape[1:3], strict=True)]
    return np.pad(images, [(0, 0), *missing, (0, 0)], mode="edge")


def _apply(network: Network, images: np.ndarray) -> np.ndarray:
    found = network(tf.convert_to_tensor(images, tf.float32))
    if found.shape.rank != 4 or found.shape[1:3] != images.shape[1:3]:
        raise ValueError(
            "`network` must return [batch, rows, columns, outputs] of the input's rows and columns "
            f"{images.shape[1:3]}, got {tuple(found.shape)}. Is it fully convolutional?"
        )
    return tf.cast(found, tf.float32).numpy()
