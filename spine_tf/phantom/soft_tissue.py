"""Paints muscle, fat, vessels, abdomen, skin and air."""

import numpy as np

from spine_tf.phantom import canvas, column_tables


def paint(
    image: canvas.Canvas,
    column: column_tables.Column,
    skin: np.ndarray,
    tissues: canvas.Tissues,
    random: np.random.Generator,
) -> None:
    """Paints muscle, fat, vessels, abdomen, skin and air over the whole canvas.

    Args:
        image: The canvas.
        column: Coordinates of the scan.
        skin: [4] factors of this visit: depth of the skin, thickness of the fat, muscle fat, bowel.
        tissues: Signals.
        random: Generator of the visit.
    """
    everything = (slice(None),) * 3
    streaks = _pattern(image, column.behind_mm, random, (1.0, 9.0, 0.8))
    streaks += 0.7 * _pattern(image, column.behind_mm, random, (0.8, 3.0, 3.0))
    midline = image.lateral(4.0, image.x_mm)
    fat_share = np.clip((streaks - 0.9 + 0.5 * midline) * 0.38 * np.float32(skin[2]), 0, 0.75)
    image.paint(everything, np.float32(1), tissues["muscle"])
    image.paint(everything, fat_share, tissues["fat"])
    _paint_abdomen(image, column, skin, tissues, random)
    _paint_skin(image, column, skin, tissues, random)


def _pattern(image, across_mm: np.ndarray, random, sigma: tuple) -> np.ndarray:
    """Noise that runs along the body: table of (slice, height, depth), 1 mm steps."""
    table = canvas.blobs(random, (image.t2.shape[0], 192, 160), sigma)
    rows = image.z_mm.astype(np.int32) % 192
    depths = (across_mm + 400.0).astype(np.int32) % 160
    slices = np.arange(image.t2.shape[0])[:, None, None]
    return table[slices, rows, depths]


def _paint_abdomen(image, column: column_tables.Column, skin, tissues, random) -> None:
    """Prevertebral fat, great vessels, and blotches of bowel and fat ahead of the spine."""
    everything = (slice(None),) * 3
    ahead = column.ahead_mm
    blotches = _pattern(image, ahead, random, (0.7, 7.0, 6.0)) * np.float32(0.8)
    blotches += 0.5 * _pattern(image, ahead, random, (0.7, 2.5, 2.0))
    near = image.lateral(21.0, image.x_mm)
    region = np.clip((ahead - 12.0 + 14.0 * near) * 0.4, 0, 1)
    share = 1 / (1 + np.exp(-2.2 * (blotches - 0.35)))
    signals = tuple(
        (0.85 * b + (0.6 * f - 0.85 * b) * share) * np.float32(skin[3])
        for b, f in zip(tissues["bowel"], tissues["fat"], strict=True)
    )
    image.paint(everything, region, signals)
    pelvis = column.at(np.clip(column.level - 8.2, 0, 1))
    presacral = np.exp(np.clip(ahead, 0, None) * np.float32(-1 / 16.0)) * (0.85 + 0.1 * blotches)
    image.paint(everything, region * pelvis * np.clip(presacral, 0, 0.9), tissues["fat"])
    gas = np.clip((blotches - 1.6) * 1.5, 0, 0.75) * np.clip((ahead - 34) * 0.2, 0, 1)
    image.paint(everything, gas, tissues["vessel"])
    lining = image.soft(2.6 - np.abs(ahead - 2.4)) * near
    image.paint(everything, 0.45 * lining, tissues["fat"])
    image.paint(everything, image.soft(0.8 - np.abs(ahead - 0.3)) * near, tissues["ligament"])
    above_fork = np.clip(6.9 - column.level, 0, 1)
    for x_mm, depth_mm, radius_mm in ((9.0, 15.0, 9.0), (-13.0, 14.0, 9.5)):
        half = np.sqrt(np.maximum(radius_mm**2 - (image.x_mm - np.float32(x_mm)) ** 2, 0))
        cover = image.soft(half - np.abs(ahead - np.float32(depth_mm)) - 0.5)
        image.paint(everything, cover * column.at(above_fork), tissues["vessel"])


def _paint_skin(image, column: column_tables.Column, skin, tissues, random) -> None:
    """The fascia, the fat under the skin with its septa, the skin, and the air behind it."""
    everything = (slice(None),) * 3
    fat_mm = np.interp(column.level, [0, 3, 6, 8, 9.2, 11], [9, 11, 15, 24, 30, 24]) * skin[1]
    fat_mm = np.minimum(fat_mm, np.interp(column.level, [7, 9, 11], [26, 34, 16]))
    curve = np.float32(0.006) * image.x_mm * image.x_mm
    skin_y_mm = column.skin_y_mm + 60.0 * (skin[0] - 1)
    depth = column.at(skin_y_mm) - curve - image.y_mm  # inside positive
    inner = column.at(fat_mm)
    fat = image.soft(inner - depth)
    septa = np.abs(_pattern(image, depth, random, (0.8, 4.0, 2.5)))
    share = 1 - 0.35 * np.exp(-((septa / 0.10) ** 2))
    image.paint(everything, fat, tuple(value * share for value in tissues["fat"]))
    image.paint(everything, image.soft(0.9 - np.abs(depth - inner)), tissues["ligament"])
    image.paint(everything, image.soft(1.6 - depth), tissues["skin"])
    image.paint(everything, image.soft(-depth), (0.0, 0.0))
