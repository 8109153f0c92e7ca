"""What the images of one examination share: the fetus, the mother and the machine."""

import dataclasses

import numpy as np

from spine_tf.organ_phantom import shapes, ultrasound

FLUID, BLOOD = 0.015, 0.025  # amplitudes


@dataclasses.dataclass(frozen=True)
class Fetus:
    """One fetus of 18 to 22 weeks.

    Attributes:
        scale: Its size; 1 is 20 weeks.
        head_ratio: Width of the head over its length.
        trunk_ratio: Depth of the trunk over its width.
        axis_deg: Of the heart against the way to the front.
        heart: Size of the heart.
        ventricle, stomach, kidney, nose, chin, vein: Sizes of parts, 1 is typical.
        bone: Amplitude of bone.
        brain, liver, lung, muscle: Amplitudes of tissue.
    """

    scale: float
    head_ratio: float
    trunk_ratio: float
    axis_deg: float
    heart: float
    ventricle: float
    stomach: float
    kidney: float
    nose: float
    chin: float
    vein: float
    bone: float
    brain: float
    liver: float
    lung: float
    muscle: float


@dataclasses.dataclass(frozen=True)
class Mother:
    """What lies around the fetus.

    Attributes:
        wall_mm: Thickness of the wall of abdomen and womb.
        bands_mm: Distance of its bright layers.
        placenta_mm: Thickness of the placenta.
        placenta_is_near: Whether it lies on the side of the probe.
        tissue: Amplitude of wall and placenta.
        haze: Amplitude of what blurs the fluid.
    """

    wall_mm: float
    bands_mm: float
    placenta_mm: float
    placenta_is_near: bool
    tissue: float
    haze: float


def draw_fetus(random: np.random.Generator) -> Fetus:
    """Draws a fetus."""
    size = np.exp(0.13 * random.standard_normal(7))
    tissue = np.exp(0.22 * random.standard_normal(5))
    return Fetus(
        scale=random.uniform(0.86, 1.14),
        head_ratio=random.uniform(0.72, 0.86),
        trunk_ratio=random.uniform(0.86, 1.08),
        axis_deg=random.normal(45, 9),
        heart=size[0],
        ventricle=size[1],
        stomach=size[2],
        kidney=size[3],
        nose=size[4],
        chin=size[5],
        vein=size[6],
        bone=3.2 * tissue[0],
        brain=0.10 * tissue[1],
        liver=0.42 * tissue[2],
        lung=0.55 * tissue[3],
        muscle=0.38 * tissue[4],
    )


def draw_mother(random: np.random.Generator) -> Mother:
    """Draws a mother."""
    return Mother(
        wall_mm=random.uniform(14, 34),
        bands_mm=random.uniform(2.5, 6),
        placenta_mm=random.uniform(12, 30),
        placenta_is_near=bool(random.random() < 0.5),
        tissue=float(np.exp(random.normal(np.log(0.45), 0.25))),
        haze=float(np.exp(random.normal(np.log(0.02), 0.5))),
    )


def draw_machine(random: np.random.Generator) -> ultrasound.Machine:
    """Draws a probe and its settings."""
    return ultrasound.Machine(
        radius_mm=random.uniform(38, 62),
        half_angle_deg=random.uniform(22, 38),
        axial_mm=random.uniform(0.28, 0.5),
        lateral_deg=random.uniform(0.28, 0.6),
        range_db=random.uniform(36, 48),
        gain_db=random.uniform(-3, 5),
        noise=float(np.exp(random.normal(np.log(0.02), 0.5))),
        smoothing=random.uniform(0.3, 1.0),
    )


def paint_mother(
    scene: ultrasound.Scene, mother: Mother, middle_mm: float, random: np.random.Generator
) -> None:
    """Paints fluid, the wall, the placenta and what lies behind the womb.

    Args:
        scene: An empty scan.
        mother: Whose.
        middle_mm: Depth of the middle of the fetus.
        random: Of the image.
    """
    scene.fill(np.full_like(scene.depth_mm, 9), mother.haze)
    waves = [_wave(scene, random) for _ in range(4)]
    wall_mm = mother.wall_mm + 2 * waves[0]
    far_mm = middle_mm + random.uniform(24, 42) + 4 * waves[1]
    placenta_mm = mother.placenta_mm * (0.75 + 0.3 * waves[2])
    if mother.placenta_is_near:
        scene.fill(wall_mm + placenta_mm - scene.depth_mm, 1.1 * mother.tissue)
    else:
        scene.fill(scene.depth_mm - far_mm + placenta_mm, 1.1 * mother.tissue)
    scene.fill(scene.depth_mm - far_mm, 1.5 * mother.tissue, loss=0.15)
    scene.surface(scene.depth_mm - far_mm, 1.5, 1.6)
    phase = (scene.depth_mm + 1.5 * waves[3]) * np.float32(2 * np.pi / mother.bands_mm)
    bands = mother.tissue * (0.55 + 0.45 * np.sin(phase) ** 3)
    scene.fill(wall_mm - scene.depth_mm, bands)
    scene.surface(scene.depth_mm - wall_mm, 1.2, 1.3)


def _wave(scene: ultrasound.Scene, random: np.random.Generator) -> np.ndarray:
    """A smooth curve over the beams, about -1 to 1."""
    angles = scene.angles
    waves = [np.sin(angles * random.uniform(2, 9) + random.uniform(0, 2 * np.pi)) for _ in range(2)]
    return (0.6 * sum(waves)).astype(np.float32)


def paint_neighbours(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    extent_mm: float,
    fetus: Fetus,
    random: np.random.Generator,
) -> None:
    """Paints what touches or hides the structure: other parts of the fetus, and limbs.

    Args:
        scene: A scan of the mother.
        frame: Of the structure that will be painted.
        extent_mm: Its size.
        fetus: Whose.
        random: Of the image.
    """
    for _ in range(int(random.integers(0, 3))):
        part = frame.local(_beside(0.5 * extent_mm + 10, random), random.uniform(0, 180))
        inside = shapes.ellipse(part, random.uniform((14, 8), (30, 18)))
        scene.fill(inside, fetus.muscle * random.uniform(0.3, 1.6), loss=0.05)
        scene.surface(inside, 1.0, random.uniform(0.3, 1.5))
    for _ in range(int(random.integers(0, 3))):
        place = frame.local(_beside(0.6 * extent_mm, random), random.uniform(0, 180))
        limb(scene, place, fetus, random)


def _beside(distance_mm: float, random: np.random.Generator) -> np.ndarray:
    """A point in any direction."""
    angle = random.uniform(0, 2 * np.pi)
    return distance_mm * np.array([np.cos(angle), np.sin(angle)])


def limb(
    scene: ultrasound.Scene, frame: shapes.Frame, fetus: Fetus, random: np.random.Generator
) -> None:
    """Paints an arm or leg cut across: soft tissue with one or two bones."""
    size = fetus.scale * random.uniform(0.8, 1.3)
    inside = shapes.ellipse(frame, (5.5 * size, 4.5 * size))
    scene.fill(inside, fetus.muscle)
    scene.surface(inside, 0.9, 1.0)
    for offset in ((0.0,), (-1.8, 1.8))[int(random.integers(2))]:
        bone = shapes.ellipse(frame.local((offset * size, 0)), (1.2 * size, 1.0 * size))
        scene.surface(bone, 1.4, 0.8 * fetus.bone, loss=3.0)
