"""Signed distances of plane shapes in mm, positive inside, on any set of points."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Frame:
    """Where points lie in the coordinates of a structure.

    Attributes:
        u: [...] float32 mm.
        v: The same, across.
    """

    u: np.ndarray
    v: np.ndarray

    def local(self, centre_mm: Sequence[float], turn_deg: float = 0.0) -> "Frame":
        """Returns the points in a frame at `centre_mm` whose u axis is turned from u to v."""
        cosine, sine = np.float32(_cosine_sine(turn_deg))
        u, v = self.u - np.float32(centre_mm[0]), self.v - np.float32(centre_mm[1])
        return Frame(u * cosine + v * sine, v * cosine - u * sine)

    def mirrored(self) -> "Frame":
        """Returns the mirror image in v."""
        return Frame(self.u, -self.v)

    def scaled(self, factor: float) -> "Frame":
        """Returns a frame in which a structure of one mm is `factor` mm large."""
        return Frame(self.u / np.float32(factor), self.v / np.float32(factor))

    def angle_deg(self) -> np.ndarray:
        """Direction of every point, 0 along u, 90 along v, from -180 to 180."""
        return np.rad2deg(np.arctan2(self.v, self.u))

    def warped(self, random: np.random.Generator, amplitude_mm: float, length_mm: float) -> "Frame":
        """Returns the points moved by three smooth waves, at most about twice the amplitude."""
        moved = [self.u, self.v]
        for wave in range(6):
            turn, phase = random.uniform(0, 2 * np.pi, 2)
            number = np.float32(2 * np.pi / (length_mm * random.uniform(0.7, 1.5)))
            along = self.u * np.float32(np.cos(turn)) + self.v * np.float32(np.sin(turn))
            shift = np.float32(amplitude_mm / 2) * np.sin(number * along + np.float32(phase))
            moved[wave % 2] = moved[wave % 2] + shift
        return Frame(*moved)


def _cosine_sine(angle_deg: float) -> tuple[float, float]:
    return np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))


def ellipse(frame: Frame, semi_mm: Sequence[float]) -> np.ndarray:
    """Distance to the edge of an ellipse at the origin, exact for a circle."""
    first, second = np.float32(semi_mm)
    radius = np.hypot(frame.u / first, frame.v / second) + np.float32(1e-6)
    slope = np.hypot(frame.u / first**2, frame.v / second**2) / radius + np.float32(1e-6)
    return (1 - radius) / slope


def tube(
    frame: Frame, points_mm: Sequence[Sequence[float]], radii_mm: float | Sequence[float]
) -> np.ndarray:
    """Distance to the edge of a tube along a line of points.

    Args:
        frame: The points to look at.
        points_mm: [n, 2] (u, v) of the centre line, n at least 2.
        radii_mm: [n] of the tube at these points, or one radius.
    """
    points = np.asarray(points_mm, np.float32)
    radii = np.broadcast_to(np.asarray(radii_mm, np.float32), len(points))
    found = None
    for start, end, first, last in zip(points, points[1:], radii, radii[1:], strict=False):
        step = end - start
        share = (frame.u - start[0]) * step[0] + (frame.v - start[1]) * step[1]
        share = np.clip(share / np.float32(max(step @ step, 1e-6)), 0, 1)
        distance = np.hypot(
            frame.u - start[0] - share * step[0], frame.v - start[1] - share * step[1]
        )
        inside = first + share * (last - first) - distance
        found = inside if found is None else np.maximum(found, inside)
    return found


def curve(frame: Frame, points_mm: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance to a curve v(u) and the way along it.

    Args:
        frame: The points to look at.
        points_mm: [n, 2] (u, v), u rising; beyond its ends the curve goes on level.

    Returns:
        (distance to the curve in mm, positive for larger v; u in mm).
    """
    points = np.asarray(points_mm, np.float32)
    height = np.interp(frame.u, points[:, 0], points[:, 1]).astype(np.float32)
    slopes = np.gradient(points[:, 1], points[:, 0])
    slope = np.interp(frame.u, points[:, 0], slopes).astype(np.float32)
    return (frame.v - height) / np.sqrt(1 + slope**2), frame.u
