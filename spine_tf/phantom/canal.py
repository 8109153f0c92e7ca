"""Paints the spinal canal: epidural fat, dura, fluid, cord and roots."""

import numpy as np

from spine_tf.phantom import anatomy, canvas, column_tables, pose

_ALL = (slice(None),) * 3
_HALF_WIDTH_MM = 10.0


def paint(
    image: canvas.Canvas,
    spine: pose.Spine,
    subject: anatomy.Anatomy,
    behind_mm: np.ndarray,
    tissues: canvas.Tissues,
    random: np.random.Generator,
) -> None:
    """Paints the canal in the strip of pixels that can hold it.

    Args:
        image: The canvas.
        spine: The column.
        subject: Width of the sac and height of the conus.
        behind_mm: [slices, rows / 2, columns / 2] distance behind the back walls.
        tissues: Signals.
        random: Generator of the visit: where the roots lie.
    """
    columns = np.flatnonzero(np.any(np.abs(behind_mm - 11.0) < 14.0, axis=(0, 1)))
    near = np.abs(image.x_mm).min(axis=(1, 2)) < _HALF_WIDTH_MM + image.slice_mm
    slices = np.flatnonzero(near)
    if not columns.size or not slices.size:
        return
    strip = image.crop(
        (
            slice(slices[0], slices[-1] + 1),
            slice(None),
            slice(2 * columns[0], 2 * columns[-1] + 2),
        )
    )
    _paint_strip(strip, spine, subject, tissues, random)


def _paint_strip(strip, spine: pose.Spine, subject: anatomy.Anatomy, tissues, random) -> None:
    column = column_tables.make(strip, spine)
    level, behind, x_mm = column.at(column.level), column.behind_mm, strip.x_mm
    levels = np.arange(len(subject.canal_mm))
    half = column.at(np.interp(column.level, levels, subject.canal_mm) / 2)
    middle = half + 1.6 + np.clip(level - 8.0, 0, 2) * 2.0
    flavum_mm = [disc.flavum_mm for disc in spine.discs]
    flavum_mm = np.interp(column.level, levels + 0.5, flavum_mm)
    fat_mm = column.at(1.0 + (4.5 - 0.5 * flavum_mm) * column.disc_share)
    bony = strip.lateral(_HALF_WIDTH_MM, x_mm)
    back = half + fat_mm - (behind - middle)
    strip.paint(_ALL, strip.soft(back) * strip.soft(behind + 0.8) * bony, tissues["ligament"])
    strip.paint(_ALL, strip.soft(back - 0.9) * strip.soft(behind - 0.2) * bony, tissues["fat"])
    # A thick ligament behind a disc presses on the sac.
    pressed = half - column.at(0.5 * flavum_mm * column.disc_share**2)
    pressed = pressed * np.sqrt(np.clip(1 - (x_mm / 12.5) ** 2, 0.02, 1))
    inside = np.minimum(pressed - (behind - middle), pressed + (behind - middle))
    strip.paint(_ALL, strip.soft(inside + 0.6) * bony, tissues["ligament"])
    sac = strip.soft(inside) * bony * np.clip((10.0 - level) * 2, 0, 1)
    strip.paint(_ALL, sac, tissues["fluid"])
    offset = behind - middle
    _paint_roots(strip, column, offset, half, 4.0 + subject.conus, sac, tissues, random)
    _paint_cord(strip, level, offset, 4.0 + subject.conus, sac, tissues)


def _paint_roots(strip, column, offset, half, tip: float, sac, tissues, random) -> None:
    """Strands that lie in the back of the sac below the conus."""
    level = column.at(column.level)
    below = np.clip((level - tip + 1.3) * 1.5, 0, 1) * np.clip(9.6 - level, 0, 1)
    crowd = np.clip(1.1 * offset / np.maximum(half, 1) + 0.05 - 0.10 * (level - tip), -0.9, 0.7)
    table = canvas.blobs(random, (strip.t2.shape[0], 256, 96), (0.8, 14.0, 0.55))
    slices = np.arange(strip.t2.shape[0])[:, None, None]
    depths = ((offset + 30.0) * np.float32(1.5)).astype(np.int32) % 96
    strands = table[slices, (column.index // 2) % 256, depths]
    share = np.clip(0.12 + 0.32 * strands + 0.9 * crowd, 0, 0.85) * below * sac
    strip.paint(_ALL, share, tissues["root"])


def _paint_cord(strip, level, offset, tip: float, sac, tissues) -> None:
    """The cord and its conus."""
    radius = 4.4 * np.clip((tip - level) / 0.9, 0, 1) ** 0.6 + 0.4 * np.sin(level)
    cord = strip.soft(radius - np.abs(offset - 0.6)) * strip.lateral(4.5, strip.x_mm)
    strip.paint(_ALL, cord * np.clip((tip - level) * 8, 0, 1) * sac, tissues["cord"])
