"""How a subject lies in the scanner at one visit, and how the slices are planned.

Body frame: x to the patient's left, y to the back, z to the head, mm at standard size; its
origin is the centre of L3 and x = 0 is the mid-sagittal surface of a straight spine.
"""

import dataclasses

import numpy as np

from spine_tf import geometry
from spine_tf.phantom import ageing, anatomy

_ORIGIN = anatomy.RENDERED.index("L3")
_LEAST_MM = 2.4
COLUMN_LENGTH_MM = 226.0  # T12 to S1 along z at standard size, typical


@dataclasses.dataclass(frozen=True)
class Pose:
    """Everything about position that changes from visit to visit.

    Attributes:
        scale: Size of the body; drawn per visit, so that size does not tell who it is.
        rotation_deg: [3] of the body about x (in plane), y and z.
        lordosis_deg: Change of the sacral tilt against the standard pose.
        flexion_deg: [12] tilt of single levels against the standard pose.
        scoliosis_mm: [2] amplitudes of two lateral curves.
        skin: [4] factors of the soft tissue behind and in front of the spine.
    """

    scale: float
    rotation_deg: np.ndarray
    lordosis_deg: float
    flexion_deg: np.ndarray
    scoliosis_mm: np.ndarray
    skin: np.ndarray


@dataclasses.dataclass(frozen=True)
class Acquisition:
    """The planned sagittal slices.

    Attributes:
        num_slices: Number of slices.
        matrix: Rows and columns.
        pixel_mm: In-plane spacing.
        slice_mm: Distance between slices.
        affine: [4, 4] index (slice, row, column) to patient mm, canonical.
    """

    num_slices: int
    matrix: int
    pixel_mm: float
    slice_mm: float
    affine: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""
        return (self.num_slices, self.matrix, self.matrix)


@dataclasses.dataclass(frozen=True)
class Spine:
    """Vertebrae laid out in the body frame.

    Attributes:
        shapes: One shape per rendered level, with this visit's lips and defects.
        centres_mm: [12, 2] (y, z).
        tilts: [12] radians.
        discs: One state per rendered level, the disc below it.
        flexion_deg: [12] tilt of single levels against the standard pose.
        scoliosis_mm: [2] amplitudes of the lateral curves.
    """

    shapes: tuple[anatomy.VertebraShape, ...]
    centres_mm: np.ndarray
    tilts: np.ndarray
    discs: tuple[ageing.DiscState, ...]
    scoliosis_mm: np.ndarray

    def corners_mm(self, level: int) -> np.ndarray:
        """[4, 2] corners (y, z) of one vertebra in the body frame."""
        return to_body(self.shapes[level].corners_mm, self.centres_mm[level], self.tilts[level])

    def disc_corners_mm(self, level: int) -> np.ndarray:
        """[4, 2] corners (y, z) of the disc below one vertebra."""
        above, below = self.corners_mm(level), self.corners_mm(level + 1)
        return np.stack([above[3], above[2], below[1], below[0]])

    def midline_x_mm(self, z_mm: np.ndarray) -> np.ndarray:
        """Where the mid-sagittal surface lies at a height, same shape as `z_mm`."""
        phase = np.asarray(z_mm) / 240.0 * np.pi
        first, second = self.scoliosis_mm
        return first * (np.cos(phase) - 0.7) + second * np.sin(2 * phase)


def to_body(points_mm: np.ndarray, centre_mm: np.ndarray, tilt: float) -> np.ndarray:
    """Maps [..., 2] (along, up) of a vertebra's frame to [..., 2] (y, z)."""
    along = np.array([np.cos(tilt), np.sin(tilt)])
    up = np.array([-np.sin(tilt), np.cos(tilt)])
    return centre_mm + points_mm[..., :1] * along + points_mm[..., 1:] * up


def draw_pose(random: np.random.Generator) -> Pose:
    """Draws how the subject lies at one visit."""
    return Pose(
        scale=float(np.clip(1 + 0.045 * random.standard_normal(), 0.91, 1.09)),
        rotation_deg=random.standard_normal(3) * np.array([3.0, 2.0, 4.0]),
        lordosis_deg=4.0 * float(random.standard_normal()),
        flexion_deg=1.7 * random.standard_normal(12),
        scoliosis_mm=random.standard_normal(2) * np.array([5.0, 1.5]),
        skin=np.exp(random.standard_normal(4) * np.array([0.08, 0.35, 0.15, 0.2])),
    )


def lay_out(subject: anatomy.Anatomy, discs: tuple[ageing.DiscState, ...], pose: Pose) -> Spine:
    """Stacks the vertebrae on their discs, L3 at the origin.

    Args:
        subject: Identity.
        discs: One state per rendered level.
        pose: This visit.

    Returns:
        The spine in the body frame.
    """
    shapes = tuple(
        _aged_shape(shape, discs[max(level - 1, 0)], discs[level])
        for level, shape in enumerate(subject.vertebrae)
    )
    bend = np.interp(np.arange(12), [0, 3, 6, 9, 11], [0.2, -0.3, -0.1, 1, 1])
    tilts = np.deg2rad(subject.tilts_deg + pose.lordosis_deg * bend + pose.flexion_deg)
    heights_mm = subject.disc_heights_mm * [disc.height_fraction for disc in discs]
    tilts = _with_room_behind(shapes, tilts, heights_mm)
    steps_mm = [
        _step_mm(shapes[i], shapes[i + 1], tilts[i : i + 2], heights_mm[i], discs[i].slip_mm)
        for i in range(len(shapes) - 1)
    ]
    centres_mm = np.concatenate([np.zeros((1, 2)), np.cumsum(steps_mm, axis=0)])
    return Spine(shapes, centres_mm - centres_mm[_ORIGIN], tilts, discs, pose.scoliosis_mm)


def _with_room_behind(shapes, tilts: np.ndarray, heights_mm: np.ndarray) -> np.ndarray:
    """Straightens the column where a disc would be thinner than `_LEAST_MM` at one side."""
    tilts = tilts.copy()
    for i in range(len(shapes) - 1):
        above = shapes[i].corners_mm[2] - shapes[i].corners_mm[3]
        below = shapes[i + 1].corners_mm[1] - shapes[i + 1].corners_mm[0]
        wedge = tilts[i + 1] + np.arctan2(*below[::-1]) - tilts[i] - np.arctan2(*above[::-1])
        room = 2 * max(heights_mm[i] - _LEAST_MM, 0.0) / np.linalg.norm(below)
        tilts[i + 1 :] -= wedge - np.clip(wedge, -room, room)
    return tilts


def _step_mm(upper, lower, tilts: np.ndarray, height_mm: float, slip_mm: float) -> np.ndarray:
    """[2] (y, z) from the centre of a vertebra to the centre of the one below."""
    back_above = (upper.corners_mm[2] + upper.corners_mm[3]) / 2
    front_below = (lower.corners_mm[0] + lower.corners_mm[1]) / 2
    # The back walls line up, but for the slip of the upper vertebra to the front.
    along_mm = upper.corners_mm[2, 0] - lower.corners_mm[1, 0] + slip_mm
    gap = np.array([along_mm - back_above[0] + front_below[0], -height_mm])
    above = to_body(back_above, np.zeros(2), tilts[0])
    below = to_body(front_below, np.zeros(2), tilts[1])
    return above + to_body(gap, np.zeros(2), tilts.mean()) - below


def _aged_shape(shape, disc_above, disc_below) -> anatomy.VertebraShape:
    """Adds the lips and endplate defects of the discs beside a vertebra."""
    position = anatomy.CURVE_POSITIONS
    curves_mm = shape.curves_mm.copy()
    lip = np.exp(-((position / 0.10) ** 2))
    curves_mm[3] -= disc_above.osteophyte_mm * lip[::-1] + disc_below.osteophyte_mm * lip
    depth, at, width = disc_above.defects_mm[1]
    curves_mm[0] += depth * np.exp(-(((position - at) / width) ** 2))
    depth, at, width = disc_below.defects_mm[0]
    curves_mm[2] += depth * np.exp(-(((position - 1 + at) / width) ** 2))
    return dataclasses.replace(shape, curves_mm=curves_mm)


def body_to_patient(pose: Pose) -> np.ndarray:
    """Returns the [4, 4] map from the body frame to patient mm (LPS)."""
    about_x, about_y, about_z = np.deg2rad(pose.rotation_deg)
    matrix = np.eye(4)
    matrix[:3, :3] = pose.scale * (
        _rotation(0, about_x) @ _rotation(1, about_y) @ _rotation(2, about_z)
    )
    return matrix


def _rotation(axis: int, angle: float) -> np.ndarray:
    first, second = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def plan_slices(
    spine: Spine, pose: Pose, matrices: tuple[int, ...], random: np.random.Generator
) -> Acquisition:
    """Plans the slices as a technologist does: roughly along the spine, T12 to S1 in view.

    Args:
        spine: What has to be in view.
        pose: How it lies.
        matrices: Matrix sizes to choose from.
        random: Draws what the technologist leaves to chance.

    Returns:
        The acquisition. None of its numbers depends on who the subject is.
    """
    num_slices = int(random.integers(10, 16))
    matrix = int(random.choice(matrices))
    column_mm = COLUMN_LENGTH_MM * pose.scale
    fov_mm = float(np.clip(column_mm * random.uniform(1.14, 1.26), 240, 300))
    pixel_mm, slice_mm = round(fov_mm / matrix, 4), round(float(random.uniform(4.4, 5.0)), 2)
    oblique_deg = np.array([0.0, 0.4, 0.3]) * pose.rotation_deg + random.normal(0, 1.0, 3) * [
        0,
        1,
        1,
    ]
    axes = _rotation(1, np.deg2rad(oblique_deg[1])) @ _rotation(2, np.deg2rad(oblique_deg[2]))
    transform = body_to_patient(pose)
    points_mm = np.concatenate([spine.corners_mm(k) for k in range(3, 10)])
    x_mm = spine.midline_x_mm(points_mm[:, 1])
    points_mm = geometry.to_patient(transform, np.column_stack([x_mm, points_mm]))
    planned = points_mm @ axes  # coordinates along the planned axes
    low, high = planned.min(axis=0), planned.max(axis=0)
    margin_mm = max((fov_mm - (high[2] - low[2])) / 2 - 3.0, 0.0)
    centre = np.array(
        [
            planned[:, 0].mean() + random.uniform(-0.5, 0.5) * slice_mm,
            (low[1] + high[1]) / 2 + 12.0 + random.uniform(-12, 12),
            (low[2] + high[2]) / 2 + random.uniform(-0.8, 0.8) * min(margin_mm, 15.0),
        ]
    )
    steps = axes * np.array([slice_mm, pixel_mm, -pixel_mm])  # columns: x, y, -z
    half = np.array([(num_slices - 1) / 2, (matrix - 1) / 2, (matrix - 1) / 2])
    origin_mm = axes @ centre - steps @ half
    affine = geometry.affine_from_axes(
        steps[:, 0], steps[:, 2], steps[:, 1], np.round(origin_mm, 4)
    )
    return Acquisition(num_slices, matrix, pixel_mm, slice_mm, affine)
