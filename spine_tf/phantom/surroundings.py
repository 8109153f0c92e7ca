"""Paints everything around the column: canal, posterior elements, soft tissue, air."""

import dataclasses

import numpy as np

from spine_tf.phantom import anatomy, canvas, pose

_STEP_MM = 0.5


@dataclasses.dataclass(frozen=True)
class Column:
    """What depends on the height alone, looked up per pixel.

    Attributes:
        index: [slices, rows, columns] int32 position of each pixel in the tables.
        z_mm: [n] heights of the tables.
        behind_mm: [slices, rows, columns] float32 distance behind the line of the back walls.
        ahead_mm: The same, ahead of the line of the front walls.
        sac_mm: [n] front to back width of the dural sac.
        skin_y_mm: [n] where the skin of the back lies.
        disc_share: [n] 1 beside a disc, 0 beside the middle of a vertebra.
        level: [n] height counted in rendered levels.
    """

    index: np.ndarray
    z_mm: np.ndarray
    behind_mm: np.ndarray
    ahead_mm: np.ndarray
    sac_mm: np.ndarray
    skin_y_mm: np.ndarray
    disc_share: np.ndarray
    level: np.ndarray

    def at(self, table: np.ndarray, window=...) -> np.ndarray:
        """Looks a table up at every pixel, float32."""
        return table.astype(np.float32)[self.index[window]]


def make_column(image: canvas.Canvas, spine: pose.Spine, canal_mm: np.ndarray) -> Column:
    """Makes the tables and coordinates for one scan."""
    low, high = float(image.z_mm.min()) - 1, float(image.z_mm.max()) + 1
    z_mm = np.arange(low, high + _STEP_MM, _STEP_MM)
    corners_mm = np.stack([spine.corners_mm(k) for k in range(len(spine.shapes))])
    back_y, back_slope = _wall(corners_mm[:, 1:3].reshape(-1, 2), z_mm)
    front_y, front_slope = _wall(corners_mm[:, [0, 3]].reshape(-1, 2), z_mm)
    centre_z = corners_mm[:, 1:3, 1].mean(axis=1)
    level = np.interp(-z_mm, -centre_z, np.arange(len(centre_z)))
    index = ((image.z_mm - np.float32(low)) * np.float32(1 / _STEP_MM)).astype(np.int32)

    def look_up(table):
        return table.astype(np.float32)[index]

    return Column(
        index=index,
        z_mm=z_mm,
        behind_mm=(image.y_mm - look_up(back_y)) * look_up(1 / np.hypot(1, back_slope)),
        ahead_mm=(look_up(front_y) - image.y_mm) * look_up(1 / np.hypot(1, front_slope)),
        sac_mm=np.interp(level, np.arange(len(canal_mm)), canal_mm),
        skin_y_mm=_skin_line(back_y, level),
        disc_share=0.5 - 0.5 * np.cos(2 * np.pi * level),
        level=level,
    )


def _wall(points_mm: np.ndarray, z_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y, dy/dz) of a smooth line through wall points that run from head to foot."""
    ends = np.array([points_mm[0] + [15.0, 120.0], points_mm[-1] + [60.0, -120.0]])
    points_mm = np.concatenate([ends[:1], points_mm, ends[1:]])
    order = np.argsort(points_mm[:, 1])
    y_mm = np.interp(z_mm, points_mm[order, 1], points_mm[order, 0])
    width = int(round(14.0 / _STEP_MM))
    kernel = np.hanning(2 * width + 1)
    padded = np.pad(y_mm, width, mode="reflect", reflect_type="odd")
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return smooth, np.gradient(smooth, _STEP_MM)


def _skin_line(back_y_mm: np.ndarray, level: np.ndarray) -> np.ndarray:
    """y of the skin: hollow behind L4, full behind the sacrum, smooth."""
    offset_mm = np.interp(level, [0, 3, 6, 8, 9, 10, 11], [66, 66, 66, 66, 62, 50, 38])
    width = int(round(45.0 / _STEP_MM))
    kernel = np.hanning(2 * width + 1)
    padded = np.pad(back_y_mm + offset_mm, width, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def paint_soft_tissue(image, column: Column, skin: np.ndarray, tissues, random) -> None:
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


def _paint_abdomen(image, column: Column, skin, tissues, random) -> None:
    """Prevertebral fat, great vessels, and blotches of bowel and fat ahead of the spine."""
    everything = (slice(None),) * 3
    ahead = column.ahead_mm
    blotches = _pattern(image, ahead, random, (0.7, 7.0, 6.0)) * np.float32(0.8)
    blotches += 0.5 * _pattern(image, ahead, random, (0.7, 2.5, 2.0))
    near = image.lateral(21.0, image.x_mm)
    region = np.clip((ahead - 12.0 + 14.0 * near) * 0.4, 0, 1)
    share = 1 / (1 + np.exp(-2.2 * (blotches - 0.6)))
    signals = tuple(
        (b + (0.5 * f - b) * share) * np.float32(skin[3])
        for b, f in zip(tissues["bowel"], tissues["fat"], strict=True)
    )
    image.paint(everything, region, signals)
    pelvis = column.at(np.clip(column.level - 8.6, 0, 1))
    image.paint(everything, region * pelvis * 0.75, tissues["fat"])
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


def _paint_skin(image, column: Column, skin, tissues, random) -> None:
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


# === Canal ===


def paint_canal(image, column: Column, spine: pose.Spine, conus: float, tissues, random) -> None:
    """Paints epidural fat, dura, fluid, cord and the roots below it, in a strip behind the bodies."""
    columns = np.flatnonzero(np.any(np.abs(column.behind_mm - 12.0) < 14.0, axis=(0, 1)))
    if not columns.size:
        return
    window = (slice(None), slice(None), slice(columns[0], columns[-1] + 1))
    behind, x_mm = column.behind_mm[window], image.x_mm[window]
    level = column.at(column.level, window)
    disc_share = column.at(column.disc_share, window)
    half = column.at(column.sac_mm, window) / 2
    middle = half + 1.6 + np.clip(level - 8.0, 0, 2) * 2.0
    flavum_mm = np.mean([disc.flavum_mm for disc in spine.discs[4:9]])
    fat_mm = 1.0 + (4.5 - 0.5 * flavum_mm) * disc_share
    bony = image.lateral(10.5, x_mm)
    outer = image.soft(half + fat_mm - (behind - middle)) * image.soft(behind + 0.8)
    image.paint(window, outer * bony, tissues["ligament"])
    outer = image.soft(half + fat_mm - 0.9 - (behind - middle)) * image.soft(behind - 0.2)
    image.paint(window, outer * bony, tissues["fat"])
    round_half = half * np.sqrt(np.clip(1 - (x_mm / 12.5) ** 2, 0.02, 1))
    inside = round_half - np.abs(behind - middle)
    image.paint(window, image.soft(inside + 0.6) * bony, tissues["ligament"])
    sac = image.soft(inside) * bony * np.clip((10.0 - level) * 2, 0, 1)
    image.paint(window, sac, tissues["fluid"])
    _paint_roots(image, window, column, behind - middle, half, level, conus, sac, tissues, random)


def _paint_roots(
    image, window, column, offset, half, level, conus, sac, tissues, random
) -> None:
    """The cord down to the conus, and strands of roots that lie at the back below it."""
    x_mm = image.x_mm[window]
    tip = 4.0 + conus
    radius = 4.4 * np.clip((tip - level) / 0.9, 0, 1) ** 0.6 + 0.4 * np.sin(level)
    cord = image.soft(radius - np.abs(offset - 0.6)) * image.lateral(4.5, x_mm)
    cord = cord * np.clip((tip - level) * 8, 0, 1)
    below = np.clip((level - tip + 1.3) * 1.5, 0, 1) * np.clip(9.6 - level, 0, 1)
    depth = offset / np.maximum(half, 1.0)
    crowd = np.clip(1.1 * depth + 0.05 - 0.10 * (level - tip), -0.9, 0.7)
    table = canvas.blobs(random, (image.t2.shape[0], 256, 96), (0.8, 14.0, 0.55))
    rows = (column.index[window] // 2) % 256
    slices = np.arange(image.t2.shape[0])[:, None, None]
    strands = table[slices, rows, ((offset + 30.0) * np.float32(1.5)).astype(np.int32) % 96]
    share = np.clip(0.12 + 0.32 * strands + 0.9 * crowd, 0, 0.85) * below * sac
    image.paint(window, share, tissues["root"])
    image.paint(window, cord * sac, tissues["cord"])


# === Posterior elements ===


def paint_posterior(image, spine: pose.Spine, tissues) -> None:
    """Paints foramina, joints and spinous processes of every level."""
    for level in range(len(spine.shapes)):
        window = image.window(_behind(spine, level, 24.0, -8.0), 38.0)
        if window is None:
            continue
        along, up = canvas.local_frame(
            image, window, spine.centres_mm[level], spine.tilts[level]
        )
        along = along - np.float32(spine.shapes[level].corners_mm[1, 0])  # from the back wall
        size = 1.0 if level < 9 else 0.45
        _paint_side(image, window, along, up, size, tissues)
        _paint_process(image, window, along, up, spine.shapes[level], level, tissues)


def _behind(spine: pose.Spine, level: int, along_mm: float, up_mm: float) -> np.ndarray:
    back_mm = spine.shapes[level].corners_mm[1, 0]
    return pose.to_body(
        np.array([back_mm + along_mm, up_mm]), spine.centres_mm[level], spine.tilts[level]
    )


def _bone(image, window, along, up, corners_mm, cover, tissues, rounding_mm=2.0) -> None:
    """Paints one piece of bone with a dark rim."""
    edges = canvas.quad_distances(along, up, np.array(corners_mm, np.float64))
    distance = canvas.smooth_minimum(edges, rounding_mm)
    image.paint(window, image.soft(distance) * cover, tissues["cortex"])
    image.paint(window, image.soft(distance - np.float32(1.1)) * cover, tissues["marrow"])


def _paint_side(image, window, along, up, size: float, tissues) -> None:
    """Foraminal fat with its root, the pedicle and the articular pillar, left and right."""
    x_mm = image.x_mm[window]
    beside = image.between(9.5, 20.0, x_mm)
    # The hole is wide above, behind the body, and narrow below, behind the disc.
    across = (along - 6.5 * size) / (np.float32(size) * (6.5 + 0.12 * np.clip(up + 10, -12, 12)))
    hole = 1 - np.hypot(across, (up + 11.0 * size) / np.float32(13.5 * size))
    image.paint(window, image.soft(hole * 6.0) * beside, tissues["fat"])
    root = 3.2 * size - np.hypot(along - 6.0 * size, (up + 6.0 * size) * np.float32(0.75))
    image.paint(window, image.soft(root) * beside, tissues["root"])
    joint = image.between(9.0, 22.0, x_mm)
    upper = size * np.array([[11.0, 20.0], [16.5, 19.0], [20.0, -2.0], [10.0, -1.0]])
    lower = size * np.array([[12.0, 3.0], [20.0, 2.0], [27.0, -20.0], [19.0, -24.0]])
    _bone(image, window, along, up, upper, joint, tissues, 2.2)
    _bone(image, window, along, up, lower, joint, tissues, 2.5)


def paint_pedicles(image, spine: pose.Spine, tissues) -> None:
    """Paints the bridges from the bodies to the joints, after the bodies."""
    for level in range(len(spine.shapes)):
        window = image.window(_behind(spine, level, 4.0, 5.0), 18.0)
        if window is None:
            continue
        along, up = canvas.local_frame(
            image, window, spine.centres_mm[level], spine.tilts[level]
        )
        along = along - np.float32(spine.shapes[level].corners_mm[1, 0])
        size = 1.0 if level < 9 else 0.5
        corners_mm = size * np.array([[-6.0, 9.5], [15.0, 8.5], [15.0, -3.0], [-6.0, -1.0]])
        edges = canvas.quad_distances(along, up, corners_mm)
        distance = canvas.smooth_minimum([edges[0], edges[2]], 1.0)
        ends = image.soft(np.minimum(edges[1], edges[3]))
        cover = image.between(10.0, 18.5, image.x_mm[window]) * ends
        image.paint(window, image.soft(distance) * cover, tissues["cortex"])
        image.paint(window, image.soft(distance - np.float32(1.0)) * cover, tissues["marrow"])


def _paint_process(image, window, along, up, shape, level: int, tissues) -> None:
    """The spinous process; of the sacrum a low crest."""
    length, height, drop, gap = shape.process_mm
    start = 19.0 + gap
    if shape.name[0] == "S":
        start, length, height, drop = 16.0 - 3 * (level - 9), 13.0, 15.0, 2.0
    if shape.name[0] == "T":
        drop, height = 16.0, 0.75 * height
    top = -2.0 if shape.name[0] == "L" else 2.0
    corners_mm = [
        [start, top],
        [start + length, top - drop],
        [start + length - 1.5, top - drop - 0.95 * height],
        [start + 2.0, top - 0.62 * height],
    ]
    middle = image.lateral(3.2, image.x_mm[window])
    _bone(image, window, along, up, corners_mm, middle, tissues, 2.2)
