"""Identity of a subject: what persists from one visit to the next.

A vertebral body is a quad in its own sagittal frame (along: front to back, up: foot to head, in
mm) whose four edges bend inwards by a curve each, and whose corners are rounded. Lengths
are those of a body of standard size; a visit scales the whole subject.
"""

import dataclasses

import numpy as np

RENDERED = tuple("T9 T10 T11 T12 L1 L2 L3 L4 L5 S1 S2 S3".split())
ANNOTATED = tuple("T12 L1 L2 L3 L4 L5 S1".split())
STANDARD_WIDTH_MM = 36.0
CURVE_POSITIONS = np.linspace(0.0, 1.0, 33)

# Typical female column, supine: width of the upper and lower endplate, height in front and
# behind, tilt of the mean endplate against the horizontal (positive: the back is higher), and
# the height of the disc below. mm and degrees.
_TYPICAL = {
    "T9": (30.0, 31.0, 20.5, 22.0, -4.0, 4.5),
    "T10": (31.0, 32.0, 21.5, 23.0, -7.0, 5.0),
    "T11": (32.0, 33.0, 22.0, 24.0, -10.0, 5.5),
    "T12": (33.0, 34.5, 23.5, 26.0, -12.0, 6.5),
    "L1": (34.5, 35.5, 25.0, 27.0, -13.5, 7.5),
    "L2": (35.5, 36.5, 26.0, 27.0, -12.0, 8.5),
    "L3": (36.5, 37.5, 26.8, 26.8, -7.5, 9.5),
    "L4": (37.0, 37.5, 27.2, 26.0, 0.0, 10.5),
    "L5": (37.5, 36.5, 28.0, 23.5, 12.0, 10.0),
    "S1": (36.5, 19.5, 29.0, 22.5, 39.0, 3.0),
    "S2": (19.0, 13.5, 20.0, 19.0, 48.0, 1.6),
    "S3": (13.5, 10.0, 17.0, 16.5, 45.0, 1.0),
}
# Mean bend of the four edges (top, back, bottom, front), mm inwards at the middle.
_TYPICAL_BEND_MM = {
    "T": (1.0, 0.7, 1.1, 1.3),
    "L": (1.2, 1.1, 1.8, 1.9),
    "S": (0.6, 0.2, 0.3, 0.6),
}


@dataclasses.dataclass(frozen=True)
class Variation:
    """How much subjects differ; standard deviations, in mm unless the name says otherwise.

    Attributes:
        inherited: Share of the variance that members of a family have in common, 0 to 1.
        height_fraction: Height to width ratio of the whole column.
        level_height_fraction: The same for one level against the others.
        level_width_fraction: Width of one level against the others.
        wedge: Difference of the heights in front and behind, whole column.
        corner: Position of each corner.
        common_curve: Edge curves shared by all levels.
        level_curve: Edge curves of one level.
        lateral_curve: Change of the edge curves over 15 mm to the side.
        bevel: Loss or lip at a corner.
        tilt_deg: Tilt of one level.
        lordosis_deg: Tilt of the sacrum; the levels above follow in part.
        texture_fraction: Bone texture, relative to the marrow.
    """

    inherited: float = 0.5
    height_fraction: float = 0.042
    level_height_fraction: float = 0.025
    level_width_fraction: float = 0.012
    wedge: float = 0.9
    corner: float = 0.5
    common_curve: float = 0.35
    level_curve: float = 0.45
    lateral_curve: float = 0.35
    bevel: float = 0.6
    tilt_deg: float = 1.2
    lordosis_deg: float = 4.0
    texture_fraction: float = 0.10


@dataclasses.dataclass(frozen=True)
class Cleft:
    """The basivertebral vein: a bright wedge that enters the body from behind.

    Attributes:
        height: Where on the back wall, 0 (foot) to 1 (head).
        length_mm: How far it reaches to the front.
        thickness_mm: Its thickness at the back wall.
        slope: Rise per mm to the front.
        strength: Signal above the marrow, 1 = as bright as fluid.
    """

    height: float
    length_mm: float
    thickness_mm: float
    slope: float
    strength: float


@dataclasses.dataclass(frozen=True)
class VertebraShape:
    """One vertebral body in its own frame; see the module.

    Attributes:
        name: Level, one of `RENDERED`.
        corners_mm: [4, 2] (along, up), anterior-superior, then clockwise.
        curves_mm: [4, 33] inward bend of the edges top, back, bottom, front.
        lateral_curves_mm: [4, 33] what is added to them 15 mm to the patient's left.
        rounding_mm: Radius of the corners, about.
        half_width_mm: Half the transverse width.
        cleft: The vein cleft.
        texture: [5, 14, 11] unit variance, over x, along, up.
        spots: [n, 5] along, up, x, radius in mm and relative signal.
        process_mm: [4] length, height, drop and gap of the spinous process.
    """

    name: str
    corners_mm: np.ndarray
    curves_mm: np.ndarray
    lateral_curves_mm: np.ndarray
    rounding_mm: float
    half_width_mm: float
    cleft: Cleft
    texture: np.ndarray
    spots: np.ndarray
    process_mm: np.ndarray


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """A whole subject at standard size.

    Attributes:
        vertebrae: One shape per level of `RENDERED`.
        tilts_deg: [12] tilt of each level in the standard pose.
        disc_heights_mm: [12] height of the healthy disc below each level.
        canal_mm: [12] front to back width of the dural sac behind each level.
        conus: Where the cord ends, in levels below the centre of L1.
        marrow: Fat of the marrow against the mean, 1 = mean.
    """

    vertebrae: tuple[VertebraShape, ...]
    tilts_deg: np.ndarray
    disc_heights_mm: np.ndarray
    canal_mm: np.ndarray
    conus: float
    marrow: float


class Inherited:
    """Draws normal numbers of which the family shares a part."""

    def __init__(self, family: np.random.Generator, own: np.random.Generator, share: float):
        self._family, self._own = family, own
        self._weights = np.sqrt(share), np.sqrt(1 - share)

    def normal(self, *shape: int) -> np.ndarray:
        """Returns unit normal numbers of `shape`; a scalar array without one."""
        shared, own = self._family.standard_normal(shape), self._own.standard_normal(shape)
        return self._weights[0] * shared + self._weights[1] * own


def draw(family: np.random.Generator, own: np.random.Generator, variation: Variation) -> Anatomy:
    """Draws the anatomy of one subject.

    Args:
        family: Generator whose seed the members of the family share.
        own: Generator of the subject alone.
        variation: How much subjects differ.

    Returns:
        The anatomy; the mean width of T12 to S1 is `STANDARD_WIDTH_MM` for everybody, so that
        the size of a body does not tell who it is.
    """
    random = Inherited(family, own, variation.inherited)
    common = {
        "height": 1 + variation.height_fraction * float(random.normal()),
        "wedge_mm": variation.wedge * float(random.normal()),
        "curves_mm": variation.common_curve * _curves(random),
        "bevels_mm": variation.bevel * 0.7 * random.normal(4),
        "rounding_mm": 1.1 * float(np.exp(0.35 * random.normal())),
        "cleft": random.normal(5),
    }
    shapes = [_draw_vertebra(name, common, random, variation) for name in RENDERED]
    lordosis_deg = variation.lordosis_deg * float(random.normal())
    share = np.interp(np.arange(len(RENDERED)), [0, 3, 6, 9, 11], [0.1, -0.25, -0.15, 1, 1])
    typical = np.array([_TYPICAL[name] for name in RENDERED])
    return Anatomy(
        vertebrae=_at_standard_size(shapes),
        tilts_deg=typical[:, 4]
        + lordosis_deg * share
        + variation.tilt_deg * random.normal(len(RENDERED)),
        disc_heights_mm=typical[:, 5] * (1 + 0.05 * random.normal() + 0.04 * random.normal(12)),
        canal_mm=_canal_mm(random),
        conus=0.1 + 0.4 * float(random.normal()),
        marrow=1 + 0.05 * float(random.normal()),
    )


def _curves(random: Inherited) -> np.ndarray:
    """[4, 33] sums of sines with falling amplitude, zero at the corners."""
    orders = np.arange(1, 7)
    amplitudes = random.normal(4, 6) * np.array([1.0, 0.9, 0.8, 0.6, 0.45, 0.35])
    return amplitudes @ np.sin(np.pi * orders[:, None] * CURVE_POSITIONS)


def _bevels(heights_mm: np.ndarray) -> np.ndarray:
    """[4, 33] what bevels (positive) and lips at the four corners add to the edges."""
    start = np.exp(-(((CURVE_POSITIONS - 0.06) / 0.09) ** 2))
    end = start[::-1]
    # Corner k is where edge k starts and edge k-1 ends.
    return np.stack([heights_mm[k] * start + heights_mm[(k + 1) % 4] * end for k in range(4)])


def _draw_vertebra(
    name: str, common: dict, random: Inherited, variation: Variation
) -> VertebraShape:
    top, bottom, front, back, _, _ = _TYPICAL[name]
    width = 1 + variation.level_width_fraction * float(random.normal())
    height = common["height"] * (1 + variation.level_height_fraction * float(random.normal()))
    wedge_mm = common["wedge_mm"] + 0.5 * variation.wedge * float(random.normal())
    front, back = front * height + wedge_mm / 2, back * height - wedge_mm / 2
    rear = 0.5 * top * width
    corners_mm = np.array(
        [
            [-rear, front / 2],
            [rear, back / 2],
            [rear, -back / 2],
            [rear - bottom * width, -front / 2],
        ]
    )
    corners_mm = corners_mm + variation.corner * random.normal(4, 2)
    bend = np.array(_TYPICAL_BEND_MM[name[0]])[:, None] * np.sin(np.pi * CURVE_POSITIONS)
    size = 0.5 if name in ("S2", "S3") else 1.0
    bevels_mm = common["bevels_mm"] + 0.7 * variation.bevel * random.normal(4)
    curves_mm = bend + size * (
        common["curves_mm"] + variation.level_curve * _curves(random) + _bevels(bevels_mm)
    )
    return VertebraShape(
        name=name,
        corners_mm=corners_mm,
        curves_mm=curves_mm,
        lateral_curves_mm=size * variation.lateral_curve * _curves(random),
        rounding_mm=float(common["rounding_mm"]),
        half_width_mm=0.64 * top + float(random.normal()),
        cleft=_draw_cleft(name, common["cleft"], random),
        texture=variation.texture_fraction * _texture(random),
        spots=_draw_spots(random, top, front),
        process_mm=np.array([32.0, 27.0, 7.0, 2.5]) * (1 + 0.06 * random.normal(4)),
    )


def _texture(random: Inherited) -> np.ndarray:
    return random.normal(5, 14, 11)


def _draw_cleft(name: str, common: np.ndarray, random: Inherited) -> Cleft:
    own = 0.8 * common + 0.6 * random.normal(5)
    strength = {"T": 0.25, "L": 0.4, "S": 0.0}[name[0]] * np.exp(0.4 * own[4])
    return Cleft(
        height=float(0.5 + 0.06 * own[0]),
        length_mm=float(11.0 * np.exp(0.35 * own[1])),
        thickness_mm=float(3.2 * np.exp(0.3 * own[2])),
        slope=float(0.12 * own[3]),
        strength=float(strength),
    )


def _draw_spots(random: Inherited, width_mm: float, height_mm: float) -> np.ndarray:
    """Up to three bright or dark islands of bone; many bodies have none."""
    draws = random.normal(3, 6)
    spots = np.stack(
        [
            0.25 * width_mm * np.clip(draws[:, 0], -1.5, 1.5),
            0.25 * height_mm * np.clip(draws[:, 1], -1.5, 1.5),
            6.0 * draws[:, 2],
            2.0 * np.exp(0.3 * draws[:, 3]),
            0.45 * draws[:, 4],
        ],
        axis=1,
    )
    return spots[draws[:, 5] > 0.4]


def _canal_mm(random: Inherited) -> np.ndarray:
    typical = np.array([13.5, 13.5, 14, 15, 15.5, 15, 14.5, 14, 13, 10.5, 6, 3])
    return typical * (1 + 0.05 * random.normal() + 0.02 * random.normal(12))


def _at_standard_size(shapes: list[VertebraShape]) -> tuple[VertebraShape, ...]:
    widths = [mean_width_mm(shape) for shape in shapes if shape.name in ANNOTATED]
    factor = STANDARD_WIDTH_MM / np.mean(widths)
    return tuple(
        dataclasses.replace(
            shape,
            corners_mm=shape.corners_mm * factor,
            curves_mm=shape.curves_mm * factor,
            half_width_mm=float(shape.half_width_mm * factor),
        )
        for shape in shapes
    )


def mean_width_mm(shape: VertebraShape) -> float:
    """Returns the mean length of the upper and the lower edge."""
    top = np.linalg.norm(shape.corners_mm[1] - shape.corners_mm[0])
    bottom = np.linalg.norm(shape.corners_mm[2] - shape.corners_mm[3])
    return float((top + bottom) / 2)
