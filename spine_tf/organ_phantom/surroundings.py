"""What lies around the organs: wall, fat, bones, lungs, vessels, stomach and bowel."""

import dataclasses

import numpy as np

from spine_tf.organ_phantom import patient as patient_lib
from spine_tf.organ_phantom import solids
from spine_tf.phantom import canvas

_FAT_HU, _LUNG_HU, _GAS_HU, _MARROW_HU, _BONE_HU, _BILE_HU = -104, -830, -900, 170, 420, 12
_WALL_MM = 17.0  # muscle and ribs around the cavity


@dataclasses.dataclass(frozen=True)
class Body:
    """Parts that bound where organs can lie; signed distances, positive inside.

    Attributes:
        skin_mm: To the skin.
        muscle_mm: To the outside of the muscles.
        cavity_mm: To the inside of the wall, spine and psoas left out.
        below_diaphragm_mm: Below the diaphragm.
    """

    skin_mm: np.ndarray
    muscle_mm: np.ndarray
    cavity_mm: np.ndarray
    below_diaphragm_mm: np.ndarray


def body(space: solids.Space, who: patient_lib.Patient) -> Body:
    """Returns the bounds of one patient.

    Args:
        space: Points in the body frame.
        who: The patient.
    """
    narrow = 1 - 0.05 * np.exp(-(((space.z + 70) / 60) ** 2))  # the waist
    slim = solids.Space(space.x / narrow, space.y / narrow, space.z)
    muscle_mm = solids.column(slim, (150, 105), 2.4)
    front = np.clip(-space.y / 60, 0, 1)
    skin_mm = muscle_mm + who.fat_mm * (0.7 + 0.6 * front)
    back = _back(space)
    cavity_mm = np.minimum(muscle_mm - _WALL_MM, -back)
    return Body(skin_mm, muscle_mm, cavity_mm, _below_diaphragm(space, who))


def _back(space: solids.Space) -> np.ndarray:
    """Spine and muscles behind it and beside it."""
    spine = solids.column(space.local((0, 44, 0)), (25, 20))
    behind = solids.column(space.local((0, 88, 0)), (66, 32), 2.6)
    grown = np.clip((30 - space.z) / 130, 0, 1) * np.float32(26)
    found = np.maximum(spine, behind)
    for side in (-1, 1):
        offset = space.local((side * 40, 44, 0))
        found = np.maximum(found, grown - np.hypot(offset.x - side * grown * 0.4, offset.y))
    return found


def _below_diaphragm(space: solids.Space, who: patient_lib.Patient) -> np.ndarray:
    right, left = who.domes_mm
    top = np.full_like(space.x, 40.0)
    for centre, height in ((-66, right), (68, left)):
        away = ((space.x - centre) / 72) ** 2 + ((space.y + 12) / 88) ** 2
        top = np.maximum(top, height - 62 * away)
    return np.maximum(top, 78 - 0.9 * np.maximum(space.y + 10, 0)) - space.z


@dataclasses.dataclass
class Painter:
    """A volume being painted.

    Attributes:
        hu: [z, y, x] float32, changed in place.
        voxel_mm: Over which edges are soft.
    """

    hu: np.ndarray
    voxel_mm: float

    def fill(self, inside_mm: np.ndarray, hu: float | np.ndarray) -> None:
        """Fills a solid given by its signed distance."""
        share = np.clip(inside_mm / np.float32(self.voxel_mm) + np.float32(0.5), 0, 1)
        self.hu += share * (hu - self.hu)


def paint_body(
    image: Painter,
    space: solids.Space,
    who: patient_lib.Patient,
    bounds: Body,
    random: np.random.Generator,
) -> None:
    """Paints everything up to the organs.

    Args:
        image: Air.
        space: Points in the body frame.
        who: The patient.
        bounds: Of `body`.
        random: Of the case.
    """
    image.fill(bounds.skin_mm, 20.0)
    image.fill(bounds.skin_mm - 2.0, _FAT_HU)
    image.fill(bounds.muscle_mm, who.hu["muscle"])
    streaks = canvas.blobs(random, space.x.shape, (1.5, 1.2, 1.2))
    image.fill(bounds.cavity_mm, _FAT_HU + 14 * streaks)
    _paint_ribs(image, space, bounds)
    _paint_bowel(image, space, who, bounds, random)
    _paint_vessels(image, space, who)
    _paint_chest(image, space, who, bounds)
    _paint_spine(image, space)


def _paint_ribs(image, space, bounds) -> None:
    """Slanted arches in the wall, down to the lowest rib."""
    around = np.arctan2(np.abs(space.x), space.y)  # 0 at the spine
    phase = np.cos((space.z + 42 * around) * np.float32(2 * np.pi / 32))
    arch = 3.8 - np.abs(bounds.muscle_mm - 9) + 6 * (phase - 0.85)
    image.fill(np.minimum(arch, space.z + 55 - 24 * around), _BONE_HU)


def _paint_spine(image, space) -> None:
    """Bodies with end plates and discs, arches and processes."""
    along = np.abs((space.z + 17) % 34 - 17)  # 0 at the middle of a vertebra
    vertebra = solids.column(space.local((0, 42, 0)), (23, 18))
    image.fill(vertebra, 85.0)
    bone = np.minimum(vertebra, 13.5 - along)
    image.fill(bone, _BONE_HU)
    image.fill(bone - 2.6, _MARROW_HU)
    canal = solids.column(space.local((0, 68, 0)), (10, 9))
    arch = np.minimum(5.0 - np.abs(canal), 11 - along)
    process = np.minimum(solids.column(space.local((0, 90, 0)), (4.0, 17)), 10 - along)
    across = np.minimum(solids.column(space.local((0, 66, 0)), (40, 4.5)), 5 - along)
    for part in (arch, process, across):
        image.fill(part, _BONE_HU - 60)
    image.fill(canal, 25.0)


def _paint_vessels(image, space, who) -> None:
    """Aorta, vena cava, portal and splenic vein."""
    aorta = solids.column(space.local((9, 12, 0)), (10.5, 10.5))
    image.fill(aorta, who.hu["vessel"] * 1.1)
    cava = solids.column(space.local((-19, 15, 0)), (12.5, 10))
    image.fill(cava, who.hu["vessel"] * 0.95)
    portal = [(-48, -8, 36), (-14, -8, 12), (20, -2, 20), (70, 22, 44)]
    image.fill(solids.tube(space, portal, (7, 7, 5, 4)), who.hu["vessel"])


def _paint_chest(image, space, who, bounds) -> None:
    """Lungs above the diaphragm, a thin wall between, and the heart."""
    above = np.minimum(bounds.cavity_mm, -bounds.below_diaphragm_mm)
    image.fill(above, who.hu["muscle"])
    image.fill(above - 2.5, _LUNG_HU)
    heart = solids.ellipsoid(space.local((18, -42, 132), (0, 20, -30)), (62, 44, 44))
    image.fill(np.minimum(heart, above), who.hu["vessel"])
    image.fill(solids.column(space.local((9, 14, 0)), (10.5, 10.5)), who.hu["vessel"] * 1.1)


def _paint_bowel(image, space, who, bounds, random) -> None:
    """Stomach, colon, loops of small bowel and the gall bladder."""
    inside = np.minimum(bounds.cavity_mm, bounds.below_diaphragm_mm)
    for _ in range(34):
        centre = random.uniform((-95, -85, -150), (95, 15, 5))
        turns = random.uniform(-90, 90, 3)
        loop = solids.ellipsoid(
            space.local(centre, turns), random.uniform((10, 10, 18), (16, 16, 40))
        )
        content = who.oral_hu if random.random() < 0.5 else random.uniform(-20, 50)
        _hollow(image, np.minimum(loop, inside), who, content, 3.0)
    gas = random.random(3) < (0.6, 0.5, 0.5)
    shift = random.normal(0, 8, 3)
    transverse = [(-100, -30, -48), (-60, -74, -30), (0, -84, -42), (60, -72, -12), (100, -20, 14)]
    colon = (
        ([(-104, 0, -160), (-103, 0, -90), (-100, -18, -44)], (24, 24, 22)),
        (np.add(transverse, shift), (19, 17, 16, 17, 17)),
        ([(100, -14, 12), (106, 24, -40), (102, 18, -160)], (16, 14, 14)),
    )
    for (points, radii), has_gas in zip(colon, gas, strict=True):
        part = np.minimum(solids.tube(space, points, radii), inside)
        _hollow(image, part, who, _with_gas(space, 25.0, points[0][1] - 4, has_gas), 3.0)
    size = np.exp(random.normal(0, 0.22))
    points = np.add(
        [(58, -6, 78), (54, -30, 56), (40, -58, 24), (2, -62, 2), (-30, -38, -2)], shift
    )
    stomach = np.minimum(solids.tube(space, points, size * np.array((32, 33, 27, 20, 13))), inside)
    level = points[1][1] - random.uniform(-10, 22)
    _hollow(image, stomach, who, _with_gas(space, who.oral_hu, level, True), 4.5)
    if random.random() < 0.85:
        centre = np.array((-44, -48, -4)) + random.normal(0, 7, 3)
        bladder = solids.ellipsoid(space.local(centre, (25, 0, 0)), (15, 15, 30))
        image.fill(np.minimum(bladder, inside), _BILE_HU)


def _hollow(image, inside_mm, who, content, wall_mm: float) -> None:
    image.fill(inside_mm, who.hu["wall"])
    image.fill(inside_mm - wall_mm, content)


def _with_gas(space, hu: float, level_y_mm: float, has_gas: bool) -> np.ndarray | float:
    """Content with gas in front of a level; the patient lies on the back."""
    return np.where(space.y < level_y_mm, _GAS_HU, hu).astype(np.float32) if has_gas else hu
