"""The mid-sagittal slice with the outlines of vertebrae and discs, and pictures of crops."""

import base64
import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.data import crops

_MARGIN_MM = (18.0, 18.0, 62.0, 50.0)  # shown around the corners: head, foot, front, back
_BRIGHTEST = 96.0  # percentile of the shown slice that becomes white
_CROP_WHITE = 1.4  # crop intensity that becomes white; the median of the bodies is 0.5
_FOR, _AGAINST = (255, 140, 0), (40, 150, 255)  # colours of saliency
_MOST_OPAQUE = 170  # of 255
_LEAST_SCALE = 0.1  # so that noise of a model that does not care is not painted strongly


@dataclasses.dataclass(frozen=True)
class Outline:
    """A quad in the figure's mm, x to the back and y to the foot.

    Attributes:
        name: Level.
        points: "x,y x,y x,y x,y".
        label: (x, y) of its label: the middle of a vertebra, the front of a disc.
    """

    name: str
    points: str
    label: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Figure:
    """The slice and what is drawn on it.

    Attributes:
        png: Base64 of the picture.
        width_mm: Its width.
        height_mm: Its height.
        slice_number: Which slice it is, counted from 1, from right to left.
        num_slices: Slices of the series.
        bodies: Outlines of the vertebrae.
        discs: Outlines of the discs.
    """

    png: str
    width_mm: float
    height_mm: float
    slice_number: int
    num_slices: int
    bodies: tuple[Outline, ...]
    discs: tuple[Outline, ...]


@dataclasses.dataclass(frozen=True)
class Overlay:
    """Saliency as a picture to lay over a crop.

    Attributes:
        png: Base64, transparent where nothing matters; orange speaks for the grade, blue against.
        largest: The largest drop of the probability by covering a place.
        scale: The change that is painted in full colour.
    """

    png: str = dataclasses.field(repr=False)
    largest: float
    scale: float


def draw(
    scan: volume.Volume, annotation: vertebrae.Annotation, discs: Sequence[levels.DiscLevel]
) -> Figure:
    """Draws the slice that passes nearest to the middle of the annotated vertebrae.

    Args:
        scan: The scan.
        annotation: Its vertebrae; those without a level get no label.
        discs: The discs to outline; each lies between annotated neighbours or has its own quad.

    Returns:
        The figure, cut to the annotated part of the spine.
    """
    quads = [(v.level.value if v.level else "", v.corners_mm) for v in annotation.vertebrae]
    disc_quads = [(disc.value, _disc_corners_mm(annotation, disc)) for disc in discs]
    shown = np.concatenate([corners_mm for _, corners_mm in (*quads, *disc_quads)])
    index = geometry.to_index(scan.affine, shown)
    number = int(np.clip(np.round(np.median(index[:, 0])), 0, scan.array.shape[0] - 1))
    spacing_mm = scan.spacing_mm
    top, bottom, left, right = _window(index, spacing_mm, scan.array.shape)
    plane = scan.array[number, top:bottom, left:right]

    def outline(name: str, corners_mm: np.ndarray, in_front: bool) -> Outline:
        corners = geometry.to_index(scan.affine, corners_mm)[:, 1:]
        x, y = ((corners - (top, left) + 0.5) * spacing_mm[1:]).T[::-1]
        label = (x[[0, 3]].mean(), y[[0, 3]].mean()) if in_front else (x.mean(), y.mean())
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        return Outline(name, points, (round(float(label[0]), 1), round(float(label[1]), 1)))

    return Figure(
        png=png_base64(plane, float(np.percentile(plane, _BRIGHTEST))),
        width_mm=round(plane.shape[1] * float(spacing_mm[2]), 1),
        height_mm=round(plane.shape[0] * float(spacing_mm[1]), 1),
        slice_number=number + 1,
        num_slices=scan.array.shape[0],
        bodies=tuple(outline(name, quad, False) for name, quad in quads),
        discs=tuple(outline(name, quad, True) for name, quad in disc_quads),
    )


def crop_png(crop: np.ndarray) -> str:
    """Returns base64 of the middle slice of a network crop [slices, rows, columns] in [0, 2]."""
    return png_base64(crop[crop.shape[0] // 2], _CROP_WHITE)


def overlays(maps: Sequence[np.ndarray]) -> list[Overlay]:
    """Returns pictures of saliency maps [rows, columns], all in one scale."""
    scale = max(_LEAST_SCALE, *(float(np.abs(found).max()) for found in maps))
    return [Overlay(_coloured(found / scale), float(found.max()), scale) for found in maps]


def _coloured(strength: np.ndarray) -> str:
    colours = np.where(strength[..., None] >= 0, _FOR, _AGAINST)
    opaque = np.round(_MOST_OPAQUE * np.abs(strength))[..., None]
    return _png(np.concatenate([colours, opaque], -1).astype(np.uint8))


def png_base64(plane: np.ndarray, white: float) -> str:
    """Returns base64 of a grey PNG of [rows, columns], 0 black and `white` white."""
    grey = np.clip(plane * (255 / max(white, 1e-9)), 0, 255).astype(np.uint8)
    return _png(grey[..., None])


def _png(pixels: np.ndarray) -> str:
    return base64.b64encode(tf.io.encode_png(pixels).numpy()).decode()


def _disc_corners_mm(annotation: vertebrae.Annotation, disc: levels.DiscLevel) -> np.ndarray:
    by_level = annotation.by_level
    if disc.upper in by_level and disc.lower in by_level:
        upper, lower = by_level[disc.upper], by_level[disc.lower]
        return crops.disc_corners_mm(upper.corners_mm, lower.corners_mm).numpy()
    return annotation.disc_corners_mm[disc]


def _window(index: np.ndarray, spacing_mm: np.ndarray, shape) -> tuple[int, int, int, int]:
    """Rows and columns around the corners: top, bottom, left, right."""
    head, foot, front, back = _MARGIN_MM
    top = int(max(index[:, 1].min() - head / spacing_mm[1], 0))
    bottom = int(min(index[:, 1].max() + foot / spacing_mm[1] + 1, shape[1]))
    left = int(max(index[:, 2].min() - front / spacing_mm[2], 0))
    right = int(min(index[:, 2].max() + back / spacing_mm[2] + 1, shape[2]))
    return top, bottom, left, right
