"""Images of standard planes of fetal ultrasound: 13 planes and background, per examination.

Every number depends on the seed, the examination and the class alone. The classes are those of the
SonoNet release (Baumgartner et al. 2017), as Chen et al. 2019 use them.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from spine_tf.organ_phantom import (
    fetus,
    heads,
    hearts,
    limbs,
    off_planes,
    shapes,
    trunks,
    ultrasound,
)

_Painter = Callable[[ultrasound.Scene, shapes.Frame, fetus.Fetus, np.random.Generator], None]
_ANY_TURN = 180.0
_SUBJECT, _IMAGE = range(2)  # streams of random numbers
_LEAST_TOP_MM = -3.0


@dataclasses.dataclass(frozen=True)
class Plane:
    """One class.

    Attributes:
        paint: Paints its anatomy.
        extent_mm: What the sonographer fits into the picture, 20 weeks.
        turn_deg: How far it turns from lying level; 180 for any way.
    """

    paint: _Painter
    extent_mm: float
    turn_deg: float


PLANES = {
    "3VV": Plane(hearts.three_vessels, 33, _ANY_TURN),
    "4CH": Plane(hearts.four_chambers, 33, _ANY_TURN),
    "Abdominal": Plane(trunks.abdominal, 48, _ANY_TURN),
    "Background": Plane(off_planes.paint, 44, _ANY_TURN),
    "Brain(Cb)": Plane(heads.brain_cb, 54, 35),
    "Brain(Tv)": Plane(heads.brain_tv, 54, 35),
    "Femur": Plane(limbs.femur, 42, 40),
    "Kidneys": Plane(trunks.kidneys, 48, _ANY_TURN),
    "LVOT": Plane(hearts.lvot, 33, _ANY_TURN),
    "Lips": Plane(heads.lips, 36, _ANY_TURN),
    "Profile": Plane(heads.profile, 60, 30),
    "RVOT": Plane(hearts.rvot, 33, _ANY_TURN),
    "Spine(cor)": Plane(limbs.spine_coronal, 52, 35),
    "Spine(sag)": Plane(limbs.spine_sagittal, 52, 35),
}


@dataclasses.dataclass(frozen=True)
class Examination:
    """What the images of one examination share."""

    fetus: fetus.Fetus
    mother: fetus.Mother
    machine: ultrasound.Machine


def draw_examination(seed: int, number: int) -> Examination:
    """Draws examination `number` of a seed."""
    random = np.random.default_rng([seed, _SUBJECT, number])
    return Examination(
        fetus.draw_fetus(random), fetus.draw_mother(random), fetus.draw_machine(random)
    )


def make_image(seed: int, number: int, label: str) -> np.ndarray:
    """Makes the image of one class of one examination.

    Args:
        seed: Of the whole set.
        number: Of the examination.
        label: A key of `PLANES`.

    Returns:
        [112, 144] uint8, black outside the sector.

    Raises:
        ValueError: If there is no such class.
    """
    if label not in PLANES:
        raise ValueError(f"`label` must be among {', '.join(PLANES)}, got {label!r}.")
    plane, shared = PLANES[label], draw_examination(seed, number)
    random = np.random.default_rng([seed, _IMAGE, number, list(PLANES).index(label)])
    machine = dataclasses.replace(
        shared.machine,
        half_angle_deg=shared.machine.half_angle_deg * random.uniform(0.7, 1.2),
        gain_db=shared.machine.gain_db + random.normal(0, 2.5),
    )
    middle_mm = random.uniform(42, 80)
    window = _window(plane.extent_mm, middle_mm, random)
    scene = ultrasound.make_scene(machine, window, clarity=random.uniform(0.72, 1.0))
    fetus.paint_mother(scene, shared.mother, middle_mm, random)
    frame = _pose(scene, plane, middle_mm, random)
    fetus.paint_neighbours(scene, frame, plane.extent_mm, shared.fetus, random)
    plane.paint(scene, frame, shared.fetus, random)
    scene.texture(random, 0.16, 3.0)
    return ultrasound.acquire(scene, machine, window, random)


def _window(extent_mm: float, middle_mm: float, random: np.random.Generator) -> ultrasound.Window:
    """A part of the scan around the middle, never much above the probe."""
    height_mm = extent_mm / random.uniform(0.6, 1.0)
    width_mm = height_mm * ultrasound.COLUMNS / ultrasound.ROWS
    top_mm = middle_mm - height_mm * random.uniform(0.40, 0.58)
    left_mm = -width_mm * random.uniform(0.40, 0.60)
    return ultrasound.Window(left_mm, max(top_mm, _LEAST_TOP_MM), height_mm)


def _pose(
    scene: ultrasound.Scene, plane: Plane, middle_mm: float, random: np.random.Generator
) -> shapes.Frame:
    """How the structure lies: shifted, turned, perhaps mirrored, bent."""
    turn_deg = random.uniform(-plane.turn_deg, plane.turn_deg)
    turn_deg += 180.0 * int(random.integers(2))
    frame = scene.frame.local((random.normal(0, 3), middle_mm), turn_deg)
    if random.random() < 0.5:
        frame = frame.mirrored()
    return frame.warped(random, 0.9, 38.0)
