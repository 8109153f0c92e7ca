"""Quads of bodies from their outlines: of true masks, and of what the network finds.

Both are cut by one rule, so that a body found just as it was marked has the same corners. Points
are (to the back, to the foot) in mm from the first pixel.
"""

import numpy as np
import scipy.ndimage
import scipy.spatial

HALF_SLAB_MM = 4.0  # slices this near the mid-slice vote on the outline
_UPSAMPLING = 4


def largest_part(shown: np.ndarray) -> np.ndarray:
    """Returns [rows, columns] bool, the largest part of a mask that hangs together."""
    parts, count = scipy.ndimage.label(shown)
    if count == 0:
        return np.zeros(np.shape(shown), bool)
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax()


def outline_points(shown: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Returns the convex hull of what is shown, at a fraction of a pixel.

    Args:
        shown: [rows, columns] a mask or probabilities. The outline is where they pass one half.
        spacing_mm: [2] of rows and columns.

    Returns:
        [n, 2] points, in order.
    """
    rows, columns = (slice(max(i.min() - 2, 0), i.max() + 3) for i in np.nonzero(shown > 0.5))
    part = shown[rows, columns].astype(float)
    fine = scipy.ndimage.zoom(part, _UPSAMPLING, order=1) > 0.5
    index = np.argwhere(fine) * (np.array(part.shape) - 1) / (np.array(fine.shape) - 1)
    foot_mm = (index[:, 0] + rows.start) * spacing_mm[0]
    back_mm = (index[:, 1] + columns.start) * spacing_mm[1]
    points = np.stack([back_mm, foot_mm], axis=1)
    return points[scipy.spatial.ConvexHull(points).vertices]


def largest_quad(points: np.ndarray) -> np.ndarray:
    """Returns the largest quad whose corners are corners of a convex polygon.

    A vertebral body is nearly a quad with waisted sides, so the largest quad in its hull has the
    body's own corners, where a rectangle around it has not.

    Args:
        points: [n, 2] a convex polygon, in order.

    Returns:
        [4, 2], in the order of the polygon.
    """
    best_area, best = -1.0, None
    for first in range(len(points) - 2):
        for third in range(first + 2, len(points)):
            sides = cross(points[third] - points[first], points - points[first])
            second = first + 1 + int(np.argmax(np.abs(sides[first + 1 : third])))
            rest = np.r_[third + 1 : len(points), 0:first]
            if len(rest) == 0:
                continue
            fourth = int(rest[np.argmax(np.abs(sides[rest]))])
            area = abs(sides[second]) + abs(sides[fourth])
            if area > best_area:
                best_area, best = area, [first, second, third, fourth]
    return points[best]


def in_corner_order(quad: np.ndarray, towards_foot: np.ndarray) -> np.ndarray:
    """Returns a quad turned so that it is in `vertebrae.CORNER_ORDER`.

    Args:
        quad: [4, 2], in order around it.
        towards_foot: [2] about the way that the spine runs there.
    """
    area = np.sum(cross(quad, np.roll(quad, -1, axis=0)))
    quad = quad if area > 0 else quad[::-1]
    towards_back = np.array([towards_foot[1], -towards_foot[0]])
    turned = [np.roll(quad, -start, axis=0) for start in range(4)]
    return max(turned, key=lambda q: float((q[1] - q[0] + q[2] - q[3]) @ towards_back))


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the cross product of vectors [..., 2]."""
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
