"""What the network learns of a slice: a class for each pixel, and where its body's corners are.

Quads are [4, 2] (row, column) in pixels of `slices.SPACING_MM`, in `vertebrae.CORNER_ORDER`. What
no annotation says is UNKNOWN and has no weight in the loss: the sacrum where S1 is not marked,
bodies that the scan cuts off, and, where there are quads and no masks, what lies around them.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from spine_tf import levels, vertebrae
from spine_tf.detection import candidates, slices

BACKGROUND, CANAL, DISC = 0, 1, 2
UNKNOWN = 255
# L6 is no class of its own: as in SPIDER the last lumbar vertebra is L5, and the others follow
# upwards. Which name it has is for the labelling of the whole column to say.
BODY_LEVELS = tuple(name for name in candidates.LEVELS if name != levels.VertebraLevel.L6.value)
CLASSES = ("background", "canal", "disc", *BODY_LEVELS)
FIRST_BODY = CLASSES.index(BODY_LEVELS[0])
OFFSET_PIXELS = 16.0  # an offset of 1 is so many pixels
NUM_OFFSETS = 2 * len(vertebrae.CORNER_ORDER)

_L5, _S1, _S2 = (CLASSES.index(name) for name in ("L5", "S1", candidates.BELOW_S1))
_FAR_PIXELS = 40.0 / slices.SPACING_MM  # of a centre: background, if only quads are known
# Of the sacrum below S1 or L5, which is not marked: its length, and its reach to either side.
_SACRUM_PIXELS = 100.0 / slices.SPACING_MM
_SACRUM_FRONT_PIXELS, _SACRUM_BACK_PIXELS = 30.0 / slices.SPACING_MM, 50.0 / slices.SPACING_MM
# S2 is not marked. It is taken to follow S1: its ends in shares of S1's height, half its upper and
# lower edge in shares of S1's lower edge; and how much of it is taken for sure.
_S2_BEGIN, _S2_END, _S2_UPPER, _S2_LOWER, _S2_CORE = 0.12, 0.85, 0.48, 0.4, 0.7


def inside(quad: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns [rows, columns] bool, the pixels whose centre lies in a convex quad."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    found = np.ones(shape, bool)
    for begin, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        along = end - begin
        found &= along[1] * (rows - begin[0]) - along[0] * (columns - begin[1]) >= 0
    return found


def label_map(
    quads: Mapping[int, np.ndarray], shape: tuple[int, int], masks: np.ndarray | None = None
) -> np.ndarray:
    """Paints what is known of a slice.

    Args:
        quads: Class of a body -> its quad.
        shape: Rows and columns.
        masks: [rows, columns] uint8 classes from masks of everything but the sacrum; None where
            there are quads alone.

    Returns:
        [rows, columns] uint8, indices of CLASSES or UNKNOWN.
    """
    marked = {number: quad for number, quad in quads.items() if number != _S2}
    painted = np.copy(masks) if masks is not None else _from_quads(marked, shape)
    free = painted == BACKGROUND if masks is not None else np.ones(shape, bool)
    if _S1 not in quads:
        if _L5 in quads:
            painted[free & _below(quads[_L5], shape)] = UNKNOWN
        return painted
    painted[free & _below(quads[_S1], shape)] = UNKNOWN
    if _S2 in quads:
        middle = quads[_S2].mean(axis=0)
        painted[free & inside(middle + _S2_CORE * (quads[_S2] - middle), shape)] = _S2
    free = free | (painted == UNKNOWN)
    painted[free & inside(quads[_S1], shape)] = _S1
    return painted


def _from_quads(quads: Mapping[int, np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Bodies and the discs between them; background is what is far from all of them."""
    painted = np.full(shape, UNKNOWN, np.uint8)
    pixels = np.moveaxis(np.mgrid[: shape[0], : shape[1]], 0, -1)
    centres = [quad.mean(axis=0) for quad in quads.values()]
    nearest = np.min([np.linalg.norm(pixels - centre, axis=-1) for centre in centres], axis=0)
    painted[nearest > _FAR_PIXELS] = BACKGROUND
    for upper, lower in zip(sorted(quads), sorted(quads)[1:], strict=False):
        if lower == upper + 1:
            disc = np.concatenate([quads[upper][[3, 2]], quads[lower][[1, 0]]])
            painted[inside(disc, shape)] = DISC
    for number, quad in quads.items():
        painted[inside(quad, shape)] = number
    return painted


def _axes(quad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle of a quad's lower edge, the edge from front to back, the unit vector to the foot."""
    front, back = quad[3], quad[2]
    edge = back - front
    down = np.array([edge[1], -edge[0]]) / np.linalg.norm(edge)
    return (front + back) / 2, edge, down


def _below(quad: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[rows, columns] bool: the sacrum below a body, generously."""
    middle, edge, down = _axes(quad)
    side = edge / np.linalg.norm(edge)
    front, back = -_SACRUM_FRONT_PIXELS * side, _SACRUM_BACK_PIXELS * side
    end = middle + _SACRUM_PIXELS * down
    return inside(np.array([middle + front, middle + back, end + back, end + front]), shape)


def with_s2(quads: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Returns the quads of a slice and, below S1, a guess at S2 from the shape of S1."""
    if _S1 not in quads:
        return dict(quads)
    middle, edge, down = _axes(quads[_S1])
    height = np.linalg.norm(middle - quads[_S1][:2].mean(axis=0))
    begin, end = middle + _S2_BEGIN * height * down, middle + _S2_END * height * down
    upper, lower = _S2_UPPER * edge, _S2_LOWER * edge
    return {**quads, _S2: np.array([begin - upper, begin + upper, end + lower, end - lower])}


def corner_offsets(classes: tf.Tensor, labels: tf.Tensor, quads: tf.Tensor) -> tf.Tensor:
    """Returns where the corners of each pixel's own body are.

    Args:
        classes: [rows, columns] int32, indices of CLASSES.
        labels: [n] class of each quad.
        quads: [n, 4, 2] (row, column).

    Returns:
        [rows, columns, 9] float32: row and column of each corner less those of the pixel, over
        OFFSET_PIXELS; last 1 where the pixel is of a body with a quad, else 0.
    """
    num = UNKNOWN + 1
    index = tf.cast(labels, tf.int32)[:, tf.newaxis]
    flat = tf.reshape(quads, [-1, NUM_OFFSETS])
    table = tf.scatter_nd(index, flat, [num, NUM_OFFSETS])
    is_there = tf.scatter_nd(index, tf.ones_like(flat[:, :1]), [num, 1])
    weight = tf.gather(is_there, classes)
    corners = tf.gather(table, classes)
    offsets = (corners - pixel_grid(tf.shape(classes))) / OFFSET_PIXELS
    return tf.concat([offsets * weight, weight], -1)


def pixel_grid(shape: tf.Tensor) -> tf.Tensor:
    """Returns [rows, columns, 8] float32: row and column of each pixel, once per corner."""
    rows, columns = tf.meshgrid(tf.range(shape[0]), tf.range(shape[1]), indexing="ij")
    one = tf.cast(tf.stack([rows, columns], -1), tf.float32)
    return tf.tile(one, [1, 1, len(vertebrae.CORNER_ORDER)])
