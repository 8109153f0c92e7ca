"""Shapes of bodies and of what lies between them, free of place and size.

All features are logarithms of ratios or angles in units of 10 degrees, so moving or scaling a
column changes nothing. Lengths are 3-D; angles are those of the sagittal plane (y to the
back, z to the head). Names: a body has an upper and a lower endplate, a front and a back wall.
"""

import numpy as np

BODY_FEATURES = (
    "log upper width / lower width",  # the sacrum tapers
    "log front height / back height",
    "log height / width",
    "tilt, 10 degrees; positive: the back is higher",
)
PAIR_FEATURES = (
    "log distance of centres / median distance",
    "log disc height / body height",
    "disc wedge, 10 degrees; positive: open to the front",
    "change of tilt, 10 degrees",
    "log width below / width above",
)
_LEAST_DISC_MM = 0.5  # a thinner disc has no logarithm worth anything
_UNIT_DEG = 10.0


def body_features(corners_mm: np.ndarray) -> np.ndarray:
    """Returns [n, 4] `BODY_FEATURES` of quads.

    Args:
        corners_mm: [n, 4, 3] `vertebrae.CORNER_ORDER`, LPS mm.
    """
    upper, back, lower, front = _edge_lengths_mm(corners_mm)
    return np.stack(
        [
            np.log(upper / lower),
            np.log(front / back),
            np.log(heights_mm(corners_mm) / widths_mm(corners_mm)),
            tilts_deg(corners_mm) / _UNIT_DEG,
        ],
        axis=1,
    )


def pair_features(corners_mm: np.ndarray, median_spacing_mm: float) -> np.ndarray:
    """Returns [n, n, 5] `PAIR_FEATURES`; index (above, below).

    Args:
        corners_mm: [n, 4, 3] `vertebrae.CORNER_ORDER`, LPS mm.
        median_spacing_mm: Typical distance of neighbours in this column.
    """
    corners_mm = np.asarray(corners_mm, np.float64)
    centres = corners_mm.mean(axis=1)
    floor, roof = corners_mm[:, [3, 2]], corners_mm[:, [0, 1]]  # front to back
    disc_mm = _distances(floor.mean(axis=1), roof.mean(axis=1))
    heights, tilts, widths = heights_mm(corners_mm), tilts_deg(corners_mm), widths_mm(corners_mm)
    body_mm = (heights[:, np.newaxis] + heights) / 2
    wedge = _turn(_slopes_deg(roof) - _slopes_deg(floor)[:, np.newaxis])
    spacing = np.maximum(_distances(centres, centres), _LEAST_DISC_MM)
    return np.stack(
        [
            np.log(spacing / median_spacing_mm),
            np.log(np.maximum(disc_mm, _LEAST_DISC_MM) / body_mm),
            wedge / _UNIT_DEG,
            _turn(tilts - tilts[:, np.newaxis]) / _UNIT_DEG,
            np.log(widths / widths[:, np.newaxis]),
        ],
        axis=2,
    )


def median_spacing_mm(corners_mm: np.ndarray) -> float:
    """Returns the median distance of successive centres [n, 4, 3]; NaN for less than two."""
    centres = np.asarray(corners_mm, np.float64).mean(axis=1)
    if len(centres) < 2:
        return float("nan")
    return float(np.median(np.linalg.norm(np.diff(centres, axis=0), axis=1)))


def widths_mm(corners_mm: np.ndarray) -> np.ndarray:
    """Returns [n] the mean width of both endplates."""
    upper, _, lower, _ = _edge_lengths_mm(corners_mm)
    return (upper + lower) / 2


def heights_mm(corners_mm: np.ndarray) -> np.ndarray:
    """Returns [n] the distance of the middles of both endplates."""
    corners_mm = np.asarray(corners_mm, np.float64)
    middle = corners_mm[:, [0, 1]].mean(axis=1) - corners_mm[:, [3, 2]].mean(axis=1)
    return np.maximum(np.linalg.norm(middle, axis=1), _LEAST_DISC_MM)


def tilts_deg(corners_mm: np.ndarray) -> np.ndarray:
    """Returns [n] the mean slope of both endplates; positive: the back is higher."""
    corners_mm = np.asarray(corners_mm, np.float64)
    edges = corners_mm[:, [1, 2]] - corners_mm[:, [0, 3]]
    units = edges / np.maximum(np.linalg.norm(edges, axis=2, keepdims=True), _LEAST_DISC_MM)
    middle = units.sum(axis=1)
    return np.degrees(np.arctan2(middle[:, 2], middle[:, 1]))


def towards_foot(corners_mm: np.ndarray) -> np.ndarray:
    """Returns [n, 3] the unit direction from the upper to the lower endplate of each body."""
    corners_mm = np.asarray(corners_mm, np.float64)
    axis = corners_mm[:, [3, 2]].mean(axis=1) - corners_mm[:, [0, 1]].mean(axis=1)
    return axis / np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), _LEAST_DISC_MM)


def _edge_lengths_mm(corners_mm: np.ndarray) -> np.ndarray:
    """[4, n] upper endplate, back wall, lower endplate, front wall."""
    edges = np.roll(corners_mm, -1, axis=1) - np.asarray(corners_mm, np.float64)
    return np.maximum(np.linalg.norm(edges, axis=2), _LEAST_DISC_MM).T


def _slopes_deg(edges_mm: np.ndarray) -> np.ndarray:
    """[n] slope of edges [n, 2, 3] that run from front to back."""
    along = edges_mm[:, 1] - edges_mm[:, 0]
    return np.degrees(np.arctan2(along[:, 2], along[:, 1]))


def _turn(angle_deg: np.ndarray) -> np.ndarray:
    """The same angle between -180 and 180 degrees."""
    return (angle_deg + 180) % 360 - 180


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[n, m] distances of points [n, 3] and [m, 3]."""
    return np.linalg.norm(one[:, np.newaxis] - other, axis=2)
