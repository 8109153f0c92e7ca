"""SPIDER's instance masks to mean quads of vertebral bodies.

A mask value is one whole vertebra, the posterior elements with it. The body is what lies in front
of the spinal canal. In-plane points are (to the back, to the foot) in mm from the first voxel.

Source: van der Graaf et al., Scientific Data 2024 (SPIDER).
"""

import numpy as np
import scipy.ndimage

from spine_tf import geometry, levels, vertebrae
from spine_tf.detection import quads

_MIN_AREA_MM2 = 100.0  # a smaller body is cut off by the edge of the scan
_EDGE_MM = 3.0  # a body this near the upper or lower edge of the scan is cut off, too
_THIN = 2  # voxels; what is thinner than twice this is no part of a body
_COLLAPSED = 0.25  # of the length of the edge above, by which the mask of a disc is too short
_COLLAPSED_HEIGHT_MM = 2.0
_DISC_ENDS = 0.15  # of a disc's length: its rounded ends say nothing about the endplates


def annotation_from_mask(
    mask: np.ndarray,
    affine: np.ndarray,
    sacrum: vertebrae.Vertebra | None = None,
    numbers: levels.LabelNumbers = levels.SPIDER_LABELS,
) -> vertebrae.Annotation:
    """Reduces a mask to one mean quad per vertebra.

    Args:
        mask: [slices, rows, columns] integers, canonical orientation.
        affine: [4, 4] of the mask, index to LPS mm.
        sacrum: S1, which SPIDER does not label, and others only with the rest of the sacrum.
            Without it the quad of L5-S1 (L6-S1) is made from the mask of that disc.
        numbers: What the integers are.

    Returns:
        The vertebrae that the mask shows whole, and the lowest disc where S1 is not given.

    Raises:
        ValueError: If there is no canal or no vertebra in the mask.
    """
    is_front = in_front_of_canal(mask, numbers)
    outlines = {
        level: _body_outline((mask == value) & is_front, affine)
        for value, level in numbers.vertebrae.items()
        if level is not levels.VertebraLevel.S1 and np.any(mask == value)
    }
    outlines = {level: found for level, found in outlines.items() if found is not None}
    found = [_vertebra(level, outlines, affine) for level in outlines]
    if sacrum is not None:
        found.append(sacrum)
    annotation = vertebrae.Annotation(tuple(found), source=f"{numbers.name} masks")
    lowest = annotation.vertebrae[-1].known_level
    disc = levels.DiscLevel.between(lowest, levels.VertebraLevel.S1)
    if sacrum is not None or disc is None:
        return annotation
    values = [value for value, found in numbers.discs.items() if found is disc]
    discs = _lumbosacral_disc(np.isin(mask, values), disc, affine, annotation.vertebrae[-1])
    return vertebrae.Annotation(annotation.vertebrae, discs, source=annotation.source)


def in_front_of_canal(
    mask: np.ndarray, numbers: levels.LabelNumbers = levels.SPIDER_LABELS
) -> np.ndarray:
    """Returns [rows, columns] bool: what lies in front of the middle of the canal of a mask.

    Raises:
        ValueError: If there is no canal in the mask.
    """
    canal = np.isin(mask, numbers.canal)
    if not canal.any():
        wanted = " or ".join(map(str, numbers.canal))
        raise ValueError(f"`mask` must hold the spinal canal ({wanted}), got none.")
    canal_back = _canal_centre_columns(canal)
    return np.arange(mask.shape[2]) < canal_back[:, np.newaxis]


def _canal_centre_columns(canal: np.ndarray) -> np.ndarray:
    """[rows] column of the canal's centre; behind the scan above and below the canal."""
    counts = canal.sum(axis=(0, 2))
    columns = np.arange(canal.shape[2])
    rows = np.flatnonzero(counts)
    centres = canal.sum(axis=0)[rows] @ columns / counts[rows]
    return np.interp(
        np.arange(canal.shape[1]), rows, centres, left=canal.shape[2], right=canal.shape[2]
    )


def _body_outline(body: np.ndarray, affine: np.ndarray) -> tuple[int, np.ndarray] | None:
    """The mid-slice and [n, 2] outline points of a body, or None if the scan cuts it off."""
    areas = body.sum(axis=(1, 2))
    if not areas.any():
        return None
    mid_slice = int(np.searchsorted(np.cumsum(areas), areas.sum() / 2))
    outline = _slab_mask(body, mid_slice, affine)
    _, row_mm, column_mm = geometry.spacing_mm(affine)
    edge = max(int(_EDGE_MM / row_mm), 1)
    is_cut_off = outline[:edge].any() or outline[-edge:].any()
    if is_cut_off or outline.sum() * row_mm * column_mm < _MIN_AREA_MM2:
        return None
    return mid_slice, quads.outline_points(outline, np.array([row_mm, column_mm]))


def _slab_mask(mask: np.ndarray, mid_slice: int, affine: np.ndarray) -> np.ndarray:
    """[rows, columns] what most slices near the mid-slice show, its largest part, without holes."""
    reach = int(quads.HALF_SLAB_MM / geometry.spacing_mm(affine)[0])
    shown = mask[max(mid_slice - reach, 0) : mid_slice + reach + 1].mean(axis=0) > 0.5
    largest = quads.largest_part(scipy.ndimage.binary_opening(shown, iterations=_THIN))
    # The opening took the corners off; they come back, thin bridges do not.
    square = np.ones((3, 3), bool)
    grown = scipy.ndimage.binary_dilation(largest, square, iterations=_THIN)
    return scipy.ndimage.binary_fill_holes(grown & shown)


def _vertebra(
    level: levels.VertebraLevel, outlines: dict, affine: np.ndarray
) -> vertebrae.Vertebra:
    """The quad of one body, its corners in order."""
    mid_slice, points = outlines[level]
    quad = quads.largest_quad(points)
    corners = quads.in_corner_order(quad, _towards_foot(level, outlines))
    return vertebrae.Vertebra(level, _to_patient(corners, mid_slice, affine))


def _towards_foot(level: levels.VertebraLevel, outlines: dict) -> np.ndarray:
    """[2] the direction of the spine at a level, from the centres of its neighbours."""
    centres = {
        other: points.mean(axis=0)
        for other, (_, points) in outlines.items()
        if abs(other.order - level.order) <= 1
    }
    if len(centres) < 2:
        return np.array([0.0, 1.0])
    upper = min(centres, key=lambda item: item.order)
    lower = max(centres, key=lambda item: item.order)
    return centres[lower] - centres[upper]


def _to_patient(points: np.ndarray, mid_slice: int, affine: np.ndarray) -> np.ndarray:
    """[n, 2] in-plane mm to [n, 3] LPS mm."""
    _, row_mm, column_mm = geometry.spacing_mm(affine)
    rows, columns = points[:, 1] / row_mm, points[:, 0] / column_mm
    return geometry.to_patient(
        affine, np.stack([np.full(len(points), mid_slice), rows, columns], 1)
    )


def _in_plane(corners_mm: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """[n, 3] LPS mm to [n, 2] in-plane mm."""
    _, row_mm, column_mm = geometry.spacing_mm(affine)
    index = geometry.to_index(affine, corners_mm)
    return np.stack([index[:, 2] * column_mm, index[:, 1] * row_mm], axis=1)


def _lumbosacral_disc(
    mask: np.ndarray, disc: levels.DiscLevel, affine: np.ndarray, l5: vertebrae.Vertebra
) -> dict:
    """The L5-S1 (L6-S1) quad: the lower edge of L5 (L6) and the lower edge of the disc's mask."""
    mid_slice = int(round(float(geometry.to_index(affine, l5.corners_mm)[:, 0].mean())))
    outline = _slab_mask(mask, mid_slice, affine)
    if not outline.any():
        return {}
    lower_edge = _in_plane(l5.corners_mm[[3, 2]], affine)
    corners = np.concatenate([lower_edge, _lower_edge(outline, lower_edge, affine)])
    if not _is_convex(corners):  # a vertebra that has slipped far
        corners = _disc_box(outline, lower_edge, affine)
    return {disc: _to_patient(corners, mid_slice, affine)}


def _lower_edge(outline: np.ndarray, upper_edge: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """[2, 2] the foot side of a disc: its posterior end, its anterior end.

    `upper_edge` is [2, 2], the edge above from front to back. Where the mask ends long before
    it does, the disc has collapsed and the edges lie close together.
    """
    centre, along, across = _disc_axes(outline, upper_edge, affine)
    points = _mask_points(outline, affine) - centre
    forward, down = points @ along, points @ across
    lower_line = _lower_line(forward, down, geometry.spacing_mm(affine)[2])
    edge_forward = (upper_edge - centre) @ along
    collapsed_mm = _COLLAPSED * (edge_forward[1] - edge_forward[0])
    corners = []
    for side, sign, mask_end in ((1, 1, forward.max()), (0, -1, forward.min())):
        if sign * (edge_forward[side] - mask_end) > collapsed_mm:
            corners.append(upper_edge[side] + _COLLAPSED_HEIGHT_MM * across)
        else:
            end = sign * max(sign * edge_forward[side], sign * mask_end)
            corners.append(centre + end * along + np.polyval(lower_line, end) * across)
    return np.array(corners)


def _is_convex(quad: np.ndarray) -> bool:
    """Whether a quad in corner order turns the same way at every corner."""
    sides = np.roll(quad, -1, axis=0) - quad
    return bool(np.all(quads.cross(sides, np.roll(sides, -1, axis=0)) > 0))


def _disc_box(outline: np.ndarray, upper_edge: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """[4, 2] the box around a disc's mask along its own axes, in corner order."""
    centre, along, across = _disc_axes(outline, upper_edge, affine)
    points = _mask_points(outline, affine) - centre
    front, back = (points @ along).min(), (points @ along).max()
    head, foot = (points @ across).min(), (points @ across).max()
    corners = ((front, head), (back, head), (back, foot), (front, foot))
    return np.array([centre + t * along + h * across for t, h in corners])


def _mask_points(outline: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """[n, 2] in-plane mm of the voxels of a mask."""
    return np.argwhere(outline)[:, ::-1] * geometry.spacing_mm(affine)[[2, 1]]


def _disc_axes(outline: np.ndarray, upper_edge: np.ndarray, affine: np.ndarray) -> tuple:
    """The centre of a disc's mask and its unit axes, to the back and to the foot."""
    points = _mask_points(outline, affine)
    centre = points.mean(axis=0)
    along = np.linalg.svd(points - centre, full_matrices=False)[2][0]
    along = along if along @ (upper_edge[1] - upper_edge[0]) > 0 else -along
    return centre, along, np.array([-along[1], along[0]])


def _lower_line(forward: np.ndarray, down: np.ndarray, bin_mm: float) -> np.ndarray:
    """Slope and offset of a line along the lowest points, without the rounded ends."""
    front, back = forward.min(), forward.max()
    margin = _DISC_ENDS * (back - front)
    bins = np.floor((forward - front) / bin_mm).astype(int)
    centres = front + (np.unique(bins) + 0.5) * bin_mm
    lowest = np.array([down[bins == b].max() for b in np.unique(bins)]) + bin_mm / 2
    inner = (centres >= front + margin) & (centres <= back - margin)
    return np.polyfit(centres[inner], lowest[inner], 1)
