"""Tables of what depends on the height along the column alone, looked up per pixel."""

import dataclasses

import numpy as np

from spine_tf.phantom import canvas, pose

_STEP_MM = 0.5


@dataclasses.dataclass(frozen=True)
class Column:
    """What depends on the height alone, looked up per pixel.

    Attributes:
        index: [slices, rows, columns] int32 position of each pixel in the tables.
        z_mm: [n] heights of the tables.
        behind_mm: [slices, rows, columns] float32 distance behind the line of the back walls.
        ahead_mm: The same, ahead of the line of the front walls.
        skin_y_mm: [n] where the skin of the back lies.
        disc_share: [n] 1 beside a disc, 0 beside the middle of a vertebra.
        level: [n] height counted in rendered levels.
    """

    index: np.ndarray
    z_mm: np.ndarray
    behind_mm: np.ndarray
    ahead_mm: np.ndarray
    skin_y_mm: np.ndarray
    disc_share: np.ndarray
    level: np.ndarray

    def at(self, table: np.ndarray) -> np.ndarray:
        """Looks a table up at every pixel, float32."""
        return table.astype(np.float32)[self.index]


def make(image: canvas.Canvas, spine: pose.Spine) -> Column:
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
