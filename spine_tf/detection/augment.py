"""Augmentation of slices for the detector: one warp, then what scanners and sequences change.

Everything is stateless. Strong changes of intensity and resolution are there so that a network
trained on one sequence of one data set carries over to others.
"""

import dataclasses
import math

import tensorflow as tf

from spine_tf.data import augmentation


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How much slices are changed; each is drawn uniformly unless said otherwise.

    Attributes:
        rotation_deg: Largest rotation either way.
        scale: Smallest and largest scale.
        shift_rows: Largest distance of the window's middle from that of the column, in pixels.
        shift_columns: The same along the columns.
        remap: Share of slices whose grey values follow a curve that need not rise.
        gamma: Largest logarithm of the exponent either way.
        bias: Standard deviation of the logarithm of the coil's sensitivity.
        blur: Share of slices that are blurred or sampled coarsely.
        noise: Largest standard deviation of noise.
        hide: Share of slices of which a rectangle is hidden.
        cut: Share of slices that are cut off above or below.
    """

    rotation_deg: float = 15.0
    scale: tuple[float, float] = (0.8, 1.25)
    shift_rows: float = 35.0
    shift_columns: float = 25.0
    remap: float = 0.15
    gamma: float = 0.7
    bias: float = 0.4
    blur: float = 0.5
    noise: float = 0.06
    hide: float = 0.3
    cut: float = 0.35


_KNOTS = 6
_BIAS_GRID = 4
_MOST_BLUR_PIXELS = 1.2
_KERNEL = 7
_LEAST_SAMPLING = 0.45  # of the pixels along an axis
_HIDDEN = (0.08, 0.3)  # sides of a hidden rectangle, of those of the window
_MOST_CUT = 0.45  # of the rows


def _uniform(seed, shape=(), low=0.0, high=1.0):
    return tf.random.stateless_uniform(shape, seed, low, high)


def window(size: tuple[int, int], shape: tf.Tensor) -> tf.Tensor:
    """Returns the [8] transform from the pixels of a window to those of the image around it.

    Args:
        size: Rows and columns of the window, which has the image's middle.
        shape: [2] rows and columns of the image.
    """
    return _warp(size, shape, (tf.cast(shape, tf.float32) - 1) / 2, tf.zeros([]), tf.ones([]))


def random_window(
    size: tuple[int, int], shape: tf.Tensor, middle: tf.Tensor, ranges: Ranges, seed: tf.Tensor
) -> tf.Tensor:
    """Returns the [8] transform of a turned, scaled window near `middle`, [2] (row, column)."""
    draws = _uniform(seed, [4], -1.0)
    reach = tf.constant([ranges.shift_rows, ranges.shift_columns], tf.float32)
    low, high = (math.log(value) for value in ranges.scale)
    scale = tf.exp((low + high) / 2 + (high - low) / 2 * draws[3])
    angle_rad = draws[2] * ranges.rotation_deg * (math.pi / 180)
    return _warp(size, shape, middle + draws[:2] * reach, angle_rad, scale)


def _warp(size, shape, middle, angle_rad, scale) -> tf.Tensor:
    shape = tf.cast(shape, tf.float32)
    shift = middle - (shape - 1) / 2
    return augmentation.warp(
        angle_rad=angle_rad,
        scale=scale,
        shift_rows=shift[0],
        shift_columns=shift[1],
        from_size=(shape[0], shape[1]),
        to_size=size,
    )


def moved(points: tf.Tensor, transform: tf.Tensor) -> tf.Tensor:
    """Returns where points [..., 2] (row, column) of the image are in the window."""
    matrix = tf.reshape(tf.concat([transform, [1.0]], 0), [3, 3])[:2]  # to (column, row)
    flat = tf.reshape(points, [-1, 2])[:, ::-1] - matrix[:, 2]
    inverse = tf.linalg.inv(matrix[:, :2])
    return tf.reshape(tf.linalg.matmul(flat, inverse, transpose_b=True)[:, ::-1], tf.shape(points))


def appearance(image: tf.Tensor, ranges: Ranges, seed: tf.Tensor) -> tf.Tensor:
    """Changes contrast, sensitivity, resolution and noise of [rows, columns] in [0, 1]."""
    image = _curve(image, ranges, seed)
    image = image * _sensitivity(image.shape, ranges.bias, seed + 10)
    image = _resolution(image, ranges.blur, seed + 20)
    strength = _uniform(seed + 30, high=ranges.noise)
    image += strength * tf.random.stateless_normal(image.shape, seed + 31)
    return tf.clip_by_value(_rescaled(image), 0.0, 1.0)


def _rescaled(image: tf.Tensor) -> tf.Tensor:
    """Scales so that nearly all is below 1, as `slices.from_volume` does."""
    top = tf.math.top_k(tf.reshape(image, [-1]), image.shape[0] * image.shape[1] // 200).values[-1]
    return image / tf.maximum(top, 1e-3)


def _curve(image: tf.Tensor, ranges: Ranges, seed: tf.Tensor) -> tf.Tensor:
    """Gamma, and a random curve through 0 that rises, or in a share of all draws need not."""
    gamma = tf.exp(_uniform(seed, low=-ranges.gamma, high=ranges.gamma))
    image = tf.pow(tf.maximum(image, 1e-6), gamma)
    steps = _uniform(seed + 1, [_KNOTS], 0.3, 1.0)
    rising = tf.cumsum(steps) / tf.reduce_sum(steps)
    any_way = _uniform(seed + 2, [_KNOTS])
    knots = tf.where(_uniform(seed + 3) < ranges.remap, any_way, rising)
    knots = tf.concat([[0.0], knots], 0)
    place = tf.clip_by_value(image, 0.0, 1.0) * _KNOTS
    below = tf.minimum(tf.cast(place, tf.int32), _KNOTS - 1)
    share = place - tf.cast(below, tf.float32)
    return tf.gather(knots, below) * (1 - share) + tf.gather(knots, below + 1) * share


def _sensitivity(shape, deviation: float, seed: tf.Tensor) -> tf.Tensor:
    grid = tf.random.stateless_normal([_BIAS_GRID, _BIAS_GRID, 1], seed, stddev=deviation)
    return tf.exp(tf.image.resize(grid, shape, "bicubic")[..., 0])


def _resolution(image: tf.Tensor, share: float, seed: tf.Tensor) -> tf.Tensor:
    """Leaves an image as it is, blurs it, or samples it coarsely along either axis."""
    draws = _uniform(seed, [4])

    def blurred():
        place = tf.range(_KERNEL, dtype=tf.float32) - _KERNEL // 2
        width = 0.3 + draws[1] * (_MOST_BLUR_PIXELS - 0.3)
        kernel = tf.nn.softmax(-0.5 * tf.square(place / width))
        plane = tf.nn.conv2d(image[None, ..., None], kernel[:, None, None, None], 1, "SAME")
        return tf.nn.conv2d(plane, kernel[None, :, None, None], 1, "SAME")[0, ..., 0]

    def coarse():
        shares = _LEAST_SAMPLING + (1 - _LEAST_SAMPLING) * draws[2:]
        size = tf.cast(shares * tf.constant([*image.shape], tf.float32), tf.int32)
        small = tf.image.resize(image[..., None], size, antialias=True)
        return tf.image.resize(small, image.shape)[..., 0]

    changed = tf.cond(draws[1] < 0.5, blurred, coarse)
    return tf.where(draws[0] < share, changed, image)


def hidden(shape: tuple[int, int], ranges: Ranges, seed: tf.Tensor) -> tf.Tensor:
    """Returns [rows, columns] bool: the rectangle that is hidden, if any."""
    draws = _uniform(seed, [5])
    sides = _HIDDEN[0] + (_HIDDEN[1] - _HIDDEN[0]) * draws[:2]
    begin = draws[2:4] * (1 - sides)
    is_in = _between(shape[0], begin[0], sides[0])[:, None] & _between(shape[1], begin[1], sides[1])
    return is_in & (draws[4] < ranges.hide)


def _between(count: int, begin, length) -> tf.Tensor:
    place = (tf.range(count, dtype=tf.float32) + 0.5) / count
    return (place >= begin) & (place < begin + length)


def cut_off(shape: tuple[int, int], ranges: Ranges, seed: tf.Tensor) -> tf.Tensor:
    """Returns [rows, columns] bool: the rows that a shorter field of view does not show."""
    draws = _uniform(seed, [3])
    length = draws[0] * _MOST_CUT
    begin = tf.where(draws[1] < 0.5, 0.0, 1 - length)
    rows = _between(shape[0], begin, length) & (draws[2] < ranges.cut)
    return tf.broadcast_to(rows[:, None], shape)
