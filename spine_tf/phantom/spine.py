"""Paints vertebral bodies and discs."""

import numpy as np
from scipy import ndimage

from spine_tf.phantom import anatomy, canvas, pose

_CORTEX_MM = 0.9
_TEXTURE_SHAPE = (17, 79, 61)


def paint_discs(
    image: canvas.Canvas,
    spine: pose.Spine,
    tissues: canvas.Tissues,
    random: np.random.Generator,
) -> None:
    """Paints all discs; the bodies are painted over their edges afterwards."""
    for level in range(len(spine.shapes) - 1):
        _paint_disc(image, spine, level, tissues, random)


def paint_vertebrae(image: canvas.Canvas, spine: pose.Spine, tissues: canvas.Tissues) -> None:
    """Paints all vertebral bodies."""
    for level in range(len(spine.shapes)):
        _paint_vertebra(image, spine, level, tissues)


def _mix(first: tuple, second: tuple, share) -> tuple:
    return tuple(a + (b - a) * share for a, b in zip(first, second, strict=True))


# === Discs ===


def _disc_curves_mm(bulge_mm: float) -> np.ndarray:
    """[4, 33] bend of a disc's edges: into the endplates, and out at the front and the back."""
    arch = np.sin(np.pi * anatomy.CURVE_POSITIONS)
    return np.stack([-4.5 * arch, 0 * arch, -4.5 * arch, -(0.8 + 0.3 * bulge_mm) * arch])


def _paint_disc(image, spine: pose.Spine, level: int, tissues, random) -> None:
    disc = spine.discs[level]
    corners_mm = spine.disc_corners_mm(level)
    centre_mm = corners_mm.mean(axis=0)
    tilt = (spine.tilts[level] + spine.tilts[level + 1]) / 2
    half_mm = spine.shapes[level].half_width_mm
    window = image.window(centre_mm, 27.0, (-half_mm, half_mm))
    if window is None:
        return
    local_mm = _to_local(corners_mm - centre_mm, tilt)
    along, up = canvas.local_frame(image, window, centre_mm, tilt)
    x_mm = image.x_mm[window]
    shrink = _lateral_shrink(x_mm, half_mm)
    edges = canvas.quad_distances(along, up, local_mm, _disc_curves_mm(disc.bulge_mm))
    height_mm = np.linalg.norm(local_mm[1] - local_mm[2])
    dome = 1 - (2 * up / np.float32(height_mm + 3.0)) ** 2
    reach = disc.bulge_mm * np.exp(-(((x_mm - np.float32(disc.bulge_x_mm)) / 9.0) ** 2))
    edges[1] = edges[1] + reach * np.clip(dome, 0, 1) - 0.35 * shrink
    edges[3] = edges[3] - shrink
    cover = image.soft(canvas.smooth_minimum(edges, 0.8))
    cover = cover * image.lateral(half_mm, x_mm)
    image.paint(window, cover, _disc_signal(along, up, edges, local_mm, disc, tissues, random))
    rim = image.soft(0.7 - np.abs(edges[1])) * cover  # the back of the annulus and its ligament
    image.paint(window, rim * 0.8, tissues["ligament"])


def _to_local(points_mm: np.ndarray, tilt: float) -> np.ndarray:
    cosine, sine = np.cos(tilt), np.sin(tilt)
    return np.column_stack(
        [
            points_mm[:, 0] * cosine + points_mm[:, 1] * sine,
            points_mm[:, 1] * cosine - points_mm[:, 0] * sine,
        ]
    )


def _lateral_shrink(x_mm: np.ndarray, half_width_mm: float) -> np.ndarray:
    """How far the front of a body lies behind its mid-sagittal front, mm."""
    part = np.clip(np.abs(x_mm) / np.float32(half_width_mm), 0, 1)
    return np.float32(13.0) * (1 - np.sqrt(1 - 0.93 * part * part))


def _disc_signal(along, up, edges, corners_mm, disc, tissues, random) -> tuple:
    """(T2, T1) of every pixel of a disc: bright nucleus, dark annulus, fissures and clefts."""
    front, back = corners_mm[[0, 3], 0].mean(), corners_mm[[1, 2], 0].mean()
    height_mm = np.linalg.norm((corners_mm[0] + corners_mm[1] - corners_mm[2] - corners_mm[3]) / 2)
    position = (along - np.float32((front + back) / 2 + 1.0)) / np.float32((back - front) / 2)
    level = up / np.float32(height_mm / 2 + 1.2)
    distance = np.sqrt((position / 0.70) ** 4 + np.abs(level / 0.95) ** 3 + 1e-6)
    inside = 1 / (1 + np.exp(np.clip((distance - 0.75) * 7.0, -30, 30)))
    blotch = 1 + (0.10 + 0.12 * (1 - disc.signal)) * _blotches(along, up, random)
    nucleus = _mix(tissues["worn"], tissues["nucleus"], max(disc.signal, 0.0))
    signal = _mix(tissues["annulus"], nucleus, inside * blotch)
    cleft = np.exp(-((up / 0.9) ** 2)) * inside * np.float32(0.45 * max(disc.signal - 0.2, 0))
    signal = _mix(signal, tissues["annulus"], cleft)
    if disc.fissure:
        spot = np.exp(-((edges[1] - 2.2) ** 2) / 1.6 - (up - 1.0) ** 2 / 4.0)
        signal = _mix(signal, tissues["fluid"], 0.6 * spot)
    return signal


def _blotches(along, up, random) -> np.ndarray:
    """Smooth noise over a disc, drawn anew at every visit."""
    table = canvas.blobs(random, (64, 64), (2.0, 2.0))
    rows = ((up + 24.0) * np.float32(1.3)).astype(np.int32) % 64
    return table[rows, ((along + 24.0) * np.float32(1.3)).astype(np.int32) % 64]


# === Vertebral bodies ===


def _paint_vertebra(image, spine: pose.Spine, level: int, tissues) -> None:
    shape = spine.shapes[level]
    window = image.window(
        spine.centres_mm[level], 27.0, (-shape.half_width_mm, shape.half_width_mm)
    )
    if window is None:
        return
    along, up = canvas.local_frame(image, window, spine.centres_mm[level], spine.tilts[level])
    x_mm = image.x_mm[window]
    weight = np.clip(x_mm / np.float32(15.0), -1.6, 1.6)
    edges = canvas.quad_distances(
        along, up, shape.corners_mm, shape.curves_mm, (shape.lateral_curves_mm, weight)
    )
    shrink = _lateral_shrink(x_mm, shape.half_width_mm)
    edges[3] = edges[3] - shrink
    edges[1] = edges[1] - 0.2 * shrink
    distance = canvas.smooth_minimum(edges, shape.rounding_mm * 0.6)
    side = image.lateral(shape.half_width_mm, x_mm)
    image.paint(window, image.soft(distance) * side, tissues["cortex"])
    inner = image.soft(distance - np.float32(_CORTEX_MM)) * side
    image.paint(window, inner, _marrow_signal(along, up, x_mm, edges, spine, level, tissues))


def _marrow_signal(along, up, x_mm, edges, spine: pose.Spine, level: int, tissues) -> tuple:
    shape = spine.shapes[level]
    texture = _bone_texture(shape, along, up, x_mm)
    for spot_along, spot_up, spot_x, radius, strength in shape.spots.astype(np.float32):
        apart = (along - spot_along) ** 2 + (up - spot_up) ** 2 + ((x_mm - spot_x) / 2) ** 2
        texture = texture + strength * np.exp(-apart / (2 * radius * radius))
    signal = tuple(
        value * (1 + texture * share)
        for value, share in zip(tissues["marrow"], (1, 0.7), strict=True)
    )
    signal = _with_cleft(signal, shape, along, up, x_mm, tissues)
    # Modic change: beside the worn disc, type 1 like fluid, type 2 like fat.
    above = spine.discs[max(level - 1, 0)].marrow[1]
    below = spine.discs[level].marrow[0]
    for kind, distance in ((above, edges[0]), (below, edges[2])):
        if kind:
            share = 0.45 / (1 + np.exp(np.clip((distance - 6.5) / 1.2, -30, 30)))
            signal = _mix(signal, tissues["fluid" if kind == 1 else "fat"], share)
    return signal


def _bone_texture(shape, along, up, x_mm) -> np.ndarray:
    """Texture of the marrow at every pixel; it moves with the bone."""
    zooms = [
        (fine - 1) / (n - 1) for fine, n in zip(_TEXTURE_SHAPE, shape.texture.shape, strict=True)
    ]
    table = ndimage.zoom(shape.texture.astype(np.float32), zooms, order=1)
    positions = [
        np.clip((values + np.float32(half)) * np.float32((n - 1) / (2 * half)) + 0.5, 0, n - 1)
        for values, half, n in zip(
            (x_mm, along, up), (24.0, 20.0, 16.0), _TEXTURE_SHAPE, strict=True
        )
    ]
    return table[tuple(position.astype(np.int32) for position in positions)]


def _with_cleft(signal, shape, along, up, x_mm, tissues) -> tuple:
    """Adds the vein cleft in the middle of the back wall."""
    cleft = shape.cleft
    if cleft.strength <= 0:
        return signal
    back = shape.corners_mm[1:3, 0].mean()
    low, high = shape.corners_mm[2, 1], shape.corners_mm[1, 1]
    depth = np.float32(back) - along
    middle = np.float32(low + cleft.height * (high - low)) + np.float32(cleft.slope) * depth
    remaining = np.clip(1 - depth / np.float32(cleft.length_mm), 0, 1)
    half_mm = np.float32(cleft.thickness_mm / 2) * np.sqrt(remaining) + 0.2
    share = np.exp(-(((up - middle) / half_mm) ** 2)) * np.clip(remaining * 3, 0, 1)
    share = share * np.exp(-((x_mm / 7.0) ** 2)) * np.float32(min(cleft.strength, 0.9))
    return _mix(signal, (tissues["fluid"][0], tissues["fat"][1] * 0.6), share)
