"""Signed distances of solids in mm, positive inside, on any set of points."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from spine_tf.phantom import canvas


@dataclasses.dataclass(frozen=True)
class Space:
    """Where points lie: x to the patient's left, y to the back, z to the head.

    Attributes:
        x: [...] float32 mm.
        y: The same.
        z: The same.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    def local(self, centre_mm: Sequence[float], turns_deg: Sequence[float] = (0, 0, 0)) -> "Space":
        """Returns the points in a frame at `centre_mm`, turned about x, then y, then z."""
        axes = [
            axis - np.float32(at)
            for axis, at in zip((self.x, self.y, self.z), centre_mm, strict=True)
        ]
        for axis, angle in enumerate(np.deg2rad(turns_deg)):
            if angle:
                first, second = (axis + 1) % 3, (axis + 2) % 3
                cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
                axes[first], axes[second] = (
                    axes[first] * cosine + axes[second] * sine,
                    axes[second] * cosine - axes[first] * sine,
                )
        return Space(*axes)

    def stretched(self, factors: Sequence[float]) -> "Space":
        """Returns a frame in which a solid of one mm is `factors` mm large along x, y, z."""
        x, y, z = np.float32(factors)
        return Space(self.x / x, self.y / y, self.z / z)

    def warped(self, random: np.random.Generator, amplitude_mm: float, share: float) -> "Space":
        """Returns the points moved smoothly.

        Args:
            random: Generator.
            amplitude_mm: Standard deviation of the movement along each axis.
            share: Length of the movement's waves as a share of the grid.
        """
        shape = np.array(self.x.shape)
        coarse = tuple(np.maximum(shape // 8, 2))
        sigma = tuple(np.maximum(share * np.array(coarse), 0.7))
        axes = []
        for axis in (self.x, self.y, self.z):
            field = amplitude_mm * canvas.blobs(random, coarse, sigma)
            field = ndimage.zoom(field, shape / coarse, order=1, grid_mode=True, mode="nearest")
            axes.append(axis + field.astype(np.float32))
        return Space(*axes)


def ellipsoid(space: Space, semi_mm: Sequence[float]) -> np.ndarray:
    """Distance to the surface of an ellipsoid at the origin, exact for a ball."""
    a, b, c = np.float32(semi_mm)
    squares = [(axis / semi) ** 2 for axis, semi in ((space.x, a), (space.y, b), (space.z, c))]
    radius = np.sqrt(sum(squares)) + np.float32(1e-6)
    weighted = [square / semi**2 for square, semi in zip(squares, (a, b, c), strict=True)]
    return (1 - radius) * radius / (np.sqrt(sum(weighted)) + np.float32(1e-6))


def column(space: Space, semi_mm: Sequence[float], power: float = 2.0) -> np.ndarray:
    """Distance to an endless column along z, an ellipse or squarer; not for its axis itself."""
    a, b = np.float32(semi_mm)
    first, second = np.abs(space.x) / a, np.abs(space.y) / b
    radius = (first**power + second**power) ** np.float32(1 / power) + np.float32(1e-6)
    return (1 - radius) * np.hypot(space.x, space.y) / radius


def tube(
    space: Space, points_mm: Sequence[Sequence[float]], radii_mm: Sequence[float]
) -> np.ndarray:
    """Distance to the surface of a tube.

    Args:
        space: The points to look at.
        points_mm: [n, 3] of the centre line, n at least 2.
        radii_mm: [n] of the tube at these points.
    """
    points = np.asarray(points_mm, np.float32)
    found = None
    for start, end, first, last in zip(points, points[1:], radii_mm, radii_mm[1:], strict=False):
        step = end - start
        offsets = [axis - at for axis, at in zip((space.x, space.y, space.z), start, strict=True)]
        share = sum(offset * way for offset, way in zip(offsets, step, strict=True))
        share = np.clip(share / np.float32(step @ step), 0, 1)
        apart = [offset - share * way for offset, way in zip(offsets, step, strict=True)]
        inside = np.float32(first) + share * np.float32(last - first)
        inside = inside - np.sqrt(sum(axis**2 for axis in apart))
        found = inside if found is None else np.maximum(found, inside)
    return found


def joined(first: np.ndarray, second: np.ndarray, radius_mm: float) -> np.ndarray:
    """Union of two solids with the crease rounded over about `radius_mm`."""
    return -canvas.smooth_minimum([-first, -second], radius_mm)
