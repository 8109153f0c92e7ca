"""Paints what lies beside and behind the canal: foramina, pedicles, joints, spinous processes."""

import numpy as np

from spine_tf.phantom import anatomy, canvas, pose

_SACRUM = anatomy.RENDERED.index("S1")
# x range of the left and of the right side.
_SIDES_MM = ((8.5, 23.0), (-23.0, -8.5))
# Corners in mm behind and above the middle of the back wall.
_UPPER_JOINT_MM = np.array([[11.0, 20.0], [16.5, 19.0], [20.0, -2.0], [10.0, -1.0]])
_LOWER_JOINT_MM = np.array([[12.0, 3.0], [20.0, 2.0], [27.0, -20.0], [19.0, -24.0]])
_PEDICLE_MM = np.array([[-6.0, 9.5], [15.0, 8.5], [15.0, -3.0], [-6.0, -1.0]])


def paint_sides(image: canvas.Canvas, spine: pose.Spine, tissues: canvas.Tissues) -> None:
    """Paints the foramina with their roots and the joints, left and right."""
    for level in range(len(spine.shapes)):
        size = 1.0 if level < _SACRUM else 0.45
        for side in _SIDES_MM:
            window = image.window(_behind(spine, level, 13.0, -4.0), 30.0 * size, side)
            if window is not None:
                along, up = _frame(image, window, spine, level)
                _paint_foramen(image, window, along / size, up / size, size, tissues)
                joint = image.between(9.0, 22.0, image.x_mm[window])
                for corners_mm in (_UPPER_JOINT_MM, _LOWER_JOINT_MM):
                    _paint_bone(image, window, along, up, size * corners_mm, joint, tissues)


def paint_pedicles(image: canvas.Canvas, spine: pose.Spine, tissues: canvas.Tissues) -> None:
    """Paints the bridges from the bodies to the joints; call it after the bodies."""
    for level in range(len(spine.shapes)):
        size = 1.0 if level < _SACRUM else 0.5
        for side in _SIDES_MM:
            window = image.window(_behind(spine, level, 4.0, 3.0), 15.0 * size, side)
            if window is None:
                continue
            along, up = _frame(image, window, spine, level)
            edges = canvas.quad_distances(along, up, size * _PEDICLE_MM)
            distance = canvas.smooth_minimum([edges[0], edges[2]], 1.0)
            ends = image.soft(np.minimum(edges[1], edges[3]))
            cover = image.between(11.5, 19.0, image.x_mm[window]) * ends
            image.paint(window, image.soft(distance) * cover, tissues["cortex"])
            image.paint(window, image.soft(distance - np.float32(1.0)) * cover, tissues["marrow"])


def paint_processes(
    image: canvas.Canvas,
    spine: pose.Spine,
    tissues: canvas.Tissues,
    random: np.random.Generator,
) -> None:
    """Paints the spinous processes, mottled anew at every visit."""
    mottle = canvas.blobs(random, (len(spine.shapes), 96, 96), (0, 2.2, 2.2))
    for level, shape in enumerate(spine.shapes):
        corners_mm = _process_mm(shape, level)
        middle_mm = corners_mm.mean(axis=0)
        radius_mm = np.abs(corners_mm - middle_mm).max() + 4.0
        window = image.window(_behind(spine, level, *middle_mm), radius_mm, (-3.5, 3.5))
        if window is not None:
            along, up = _frame(image, window, spine, level)
            middle = image.lateral(3.5, image.x_mm[window])
            rows, columns = (up + 60).astype(np.int32) % 96, along.astype(np.int32) % 96
            mottled = mottle[level, rows, columns]
            bent = corners_mm + 1.5 * mottle[level, :4, :2]
            _paint_bone(image, window, along, up, bent, middle, tissues, 1 + 0.13 * mottled)


def _behind(spine: pose.Spine, level: int, along_mm: float, up_mm: float) -> np.ndarray:
    """(y, z) of a point given from the middle of a back wall."""
    point_mm = np.array([spine.shapes[level].corners_mm[1, 0] + along_mm, up_mm])
    return pose.to_body(point_mm, spine.centres_mm[level], spine.tilts[level])


def _frame(image: canvas.Canvas, window: canvas.Window, spine: pose.Spine, level: int):
    """(along, up) in mm from the middle of a back wall."""
    along, up = canvas.local_frame(image, window, spine.centres_mm[level], spine.tilts[level])
    return along - np.float32(spine.shapes[level].corners_mm[1, 0]), up


def _paint_bone(image, window, along, up, corners_mm, cover, tissues, mottle=1) -> None:
    """One piece of bone with a dark rim."""
    distance = canvas.smooth_minimum(canvas.quad_distances(along, up, corners_mm), 2.3)
    image.paint(window, image.soft(distance) * cover, tissues["cortex"])
    marrow = tuple(signal * mottle for signal in tissues["marrow"])
    image.paint(window, image.soft(distance - np.float32(1.1)) * cover, marrow)


def _paint_foramen(image, window, along, up, size: float, tissues) -> None:
    """A hole full of fat, wide above and narrow below; the root in its upper half."""
    beside = image.between(9.5, 20.0, image.x_mm[window])
    across = (along - 6.5) / (6.5 + 0.12 * np.clip(up + 10, -12, 12))
    hole = 1 - np.hypot(across, (up + 11.0) / np.float32(13.5))
    image.paint(window, image.soft(hole * (6.0 * size)) * beside, tissues["fat"])
    root = 3.2 - np.hypot(along - 6.0, (up + 6.0) * np.float32(0.75))
    image.paint(window, image.soft(root * size) * beside, tissues["root"])


def _process_mm(shape: anatomy.VertebraShape, level: int) -> np.ndarray:
    """[4, 2] corners from the middle of the back wall; of the sacrum a low crest."""
    length, height, drop, gap = shape.process_mm
    start, top = 19.0 + gap, -2.0
    if shape.name[0] == "S":
        start, length, height, drop, top = 16.0 - 3 * (level - _SACRUM), 13.0, 15.0, 2.0, 2.0
    if shape.name[0] == "T":
        drop, height, top = 16.0, 0.75 * height, 2.0
    return np.array(
        [
            [start, top],
            [start + length, top - drop],
            [start + length - 1.5, top - drop - 0.95 * height],
            [start + 2.0, top - 0.62 * height],
        ]
    )
