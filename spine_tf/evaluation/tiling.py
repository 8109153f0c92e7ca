"""Overlapping tiles that cover an image, and weights that sum to one at every pixel.

Along an axis, a tile's weight is 0 in a margin at its ends, rises smoothly over the rest of the
overlap and is then 1; at an end of the image it is 1 up to the end. The weight of a pixel is the
product over rows and columns.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How an image is cut.

    Attributes:
        tile_size: Rows and columns of a tile.
        overlap: Least overlap of neighbours, in pixels.
        margin: Pixels at an inner end of a tile that are not used. If it is at least the radius of
            the network's receptive field, the result is that of the whole image.
        multiple: Tiles begin at multiples of this, so that pooling meets the same pixels.
    """

    tile_size: tuple[int, int] = (64, 64)
    overlap: int = 32
    margin: int = 8
    multiple: int = 16

    def __post_init__(self):
        if self.multiple < 1:
            raise ValueError(f"`multiple` must be at least 1, got {self.multiple!r}.")
        for name in ("tile_size", "overlap"):
            if np.any(np.asarray(getattr(self, name)) % self.multiple):
                raise ValueError(
                    f"`{name}` must be a multiple of {self.multiple}, got {getattr(self, name)!r}."
                )
        if not 0 < self.overlap < min(self.tile_size):
            raise ValueError(
                f"`overlap` must be between 0 and the tile's {self.tile_size}, got {self.overlap}."
            )
        if not 0 <= 2 * self.margin < self.overlap:
            raise ValueError(
                f"`margin` must be below half the overlap of {self.overlap}, got {self.margin!r}."
            )


@dataclasses.dataclass(frozen=True)
class Axis:
    """Tiles along one axis.

    Attributes:
        length: Pixels of the padded image.
        begin: [tiles] int, first pixel of each tile.
        weight: [tiles, tile size] float32; the weights of a pixel sum to 1.
    """

    length: int
    begin: np.ndarray
    weight: np.ndarray


def padded_length(length: int, multiple: int) -> int:
    """Returns the least multiple that is at least `length`."""
    return -(-length // multiple) * multiple


def axis(length: int, size: int, tiling: Tiling) -> Axis:
    """Returns the tiles along one axis of an image, which is padded at its end where needed.

    Args:
        length: Pixels of the image.
        size: Pixels of a tile.
        tiling: Overlap, margin and multiple.
    """
    length = max(size, padded_length(length, tiling.multiple))
    last = length - size
    begin = np.append(np.arange(0, last, size - tiling.overlap), last)
    weight = np.ones((len(begin), size))
    weight[1:] *= _rise(size, tiling)
    weight[:-1] *= _rise(size, tiling)[::-1]
    total = np.zeros(length)
    for first, one in zip(begin, weight, strict=True):
        total[first : first + size] += one
    share = [w / total[first : first + size] for first, w in zip(begin, weight, strict=True)]
    return Axis(length, begin, np.asarray(share, np.float32))


def _rise(size: int, tiling: Tiling) -> np.ndarray:
    """0 in the margin, then sin^2 up to the end of the overlap, then 1: [size]."""
    ramp = tiling.overlap - 2 * tiling.margin
    place = (np.arange(size) + 0.5 - tiling.margin) / ramp
    return np.sin(np.pi / 2 * np.clip(place, 0, 1)) ** 2
