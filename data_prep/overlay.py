"""A picture of the mid-sagittal slice with the outlines and names of what was found."""

import io

import numpy as np
from PIL import Image, ImageDraw

from spine_tf import geometry, vertebrae, volume

_PIXEL_MM = 0.5
_MOST_PIXELS = 1200
_PERCENTILES = (1.0, 99.0)
_OUTLINE, _UNNAMED, _TEXT = (124, 199, 255), (255, 196, 61), (255, 255, 160)
_HALO = {"stroke_width": 2, "stroke_fill": "black"}  # without it no text is read on bright fat


def draw(
    scan: volume.Volume, annotation: vertebrae.Annotation, pixel_mm: float = _PIXEL_MM
) -> bytes:
    """Returns a PNG of the slice nearest to the middle of the vertebrae.

    Args:
        scan: The volume.
        annotation: Its vertebrae, named (blue) or not (yellow), or none at all.
        pixel_mm: Size of the picture's pixels; larger where the picture would be over 1200 wide.
    """
    quads = [geometry.to_index(scan.affine, body.corners_mm) for body in annotation.vertebrae]
    number = float(np.median([quad[:, 0] for quad in quads])) if quads else len(scan.array) / 2
    plane = scan.array[int(np.clip(round(number), 0, len(scan.array) - 1))]
    spacing_mm = scan.spacing_mm[1:]
    size_mm = np.array(plane.shape) * spacing_mm
    scale = min(1 / pixel_mm, _MOST_PIXELS / size_mm.max())  # pixels of the picture for a mm
    picture = _picture(plane, np.maximum(np.round(size_mm * scale).astype(int), 1))
    pen = ImageDraw.Draw(picture)
    for body, quad in zip(annotation.vertebrae, quads, strict=True):
        points = [(float(x), float(y)) for y, x in (quad[:, 1:] + 0.5) * spacing_mm * scale]
        pen.polygon(points, outline=_OUTLINE if body.level else _UNNAMED)
        middle = np.mean(points, axis=0).tolist()
        pen.text(middle, _name(body), fill=_TEXT, anchor="mm", align="center", **_HALO)
    if annotation.status == vertebrae.UNKNOWN:
        pen.text((6, 6), "levels unknown", fill=_UNNAMED, **_HALO)
    content = io.BytesIO()
    picture.save(content, format="PNG", compress_level=3)  # a third of the time
    return content.getvalue()


def _picture(plane: np.ndarray, size: np.ndarray) -> Image.Image:
    """The slice in grey, of `size` (rows, columns) pixels."""
    finite = np.nan_to_num(plane)
    low, high = np.percentile(finite, _PERCENTILES)
    grey = np.clip((finite - low) / max(high - low, 1e-9), 0, 1)
    picture = Image.fromarray((255 * grey).astype(np.uint8))
    return picture.resize((int(size[1]), int(size[0])), Image.Resampling.BILINEAR).convert("RGB")


def _name(body: vertebrae.Vertebra) -> str:
    """Its name, and its probability on a line below."""
    if not body.level:
        return "" if body.probability is None else f"{body.probability:.2f}"
    if body.probability is None:
        return body.level.value
    return f"{body.level.value}\n{body.probability:.2f}"
