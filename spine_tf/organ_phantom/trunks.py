"""The trunk cut across, and its planes without the heart: Abdominal and Kidneys.

v runs from the front to the spine, u to the fetus' left.
"""

import numpy as np

from spine_tf.organ_phantom import fetus as fetus_lib
from spine_tf.organ_phantom import shapes, ultrasound

RADIUS_MM = 23.0  # of the trunk, 20 weeks


def torso(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
    *,
    tissue: float,
    rib_share: float,
) -> shapes.Frame:
    """Paints skin, muscle, ribs and spine.

    Args:
        scene: The scan.
        frame: Of the trunk in mm.
        fetus: Whose.
        random: Of the image.
        tissue: Amplitude of what fills it.
        rib_share: How much of the wall is rib.

    Returns:
        The frame in mm of a fetus of 20 weeks whose trunk is round.
    """
    ratio = np.float32(np.sqrt(fetus.trunk_ratio))
    frame = shapes.Frame(frame.u * ratio, frame.v / ratio).scaled(fetus.scale)
    wall = shapes.ellipse(frame, (RADIUS_MM, RADIUS_MM))
    scene.fill(wall, 0.6 * fetus.muscle, loss=0.08)
    scene.surface(wall, 1.1, 1.2)
    scene.fill(wall - 2.4, tissue, loss=0.05)
    _ribs(scene, frame, fetus, wall, random, rib_share)
    _vertebra(scene, frame.local((0, 15.5)), fetus)
    return frame


def _ribs(scene, frame, fetus, wall, random, share: float) -> None:
    """Bright arcs in the wall, the same number on both sides."""
    angle_deg = frame.angle_deg()
    for side in (-1, 1):
        start = random.uniform(-20, 20)
        for arc in range(2):
            middle = 90 + side * (55 + 65 * arc + start)
            apart = np.abs((angle_deg - middle + 180) % 360 - 180)
            where = np.clip((30 * share - apart) / 4, 0, 1)
            scene.surface(wall - 2.0, 1.3, 0.75 * fetus.bone, loss=2.5, where=where)


def _vertebra(scene, frame, fetus) -> None:
    """Three ossification centres."""
    scene.fill(shapes.ellipse(frame, (5.5, 4.5)), 0.8 * fetus.muscle)
    for centre in ((0, -1.8), (-3.1, 2.2), (3.1, 2.2)):
        dot = shapes.ellipse(frame.local(centre), (1.3, 1.0))
        scene.fill(dot, 0.8 * fetus.bone, loss=4.0)


def _vessel(scene, frame, centre, radius_mm: float) -> None:
    """A vessel cut across."""
    inside = shapes.ellipse(frame.local(centre), (radius_mm, radius_mm))
    scene.fill(inside, fetus_lib.BLOOD)
    scene.surface(inside, 0.7, 0.5)


def abdominal(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the abdomen at the stomach and the umbilical vein."""
    place = torso(scene, frame, fetus, random, tissue=fetus.liver, rib_share=0.9)
    _vessel(scene, place, (1.8, 10.2), 1.7)
    _vessel(scene, place, (-3.2, 7.6), 1.5)
    size = fetus.stomach * random.uniform(0.8, 1.2)
    stomach = place.local((9.5, 1.5 + random.normal(0, 1.5)), random.uniform(30, 80))
    scene.detail(shapes.ellipse(stomach, (5.6 * size, 3.3 * size)), fetus_lib.FLUID, loss=-0.1)
    curve = [(0.5, -11.0), (0.2, -6.0), (-0.8, -2.0), (-4.0, 1.2), (-7.0, 2.0)]
    first = int(random.integers(2))
    vein = shapes.tube(place, curve[first:], 1.45 * fetus.vein)
    scene.detail(vein, fetus_lib.BLOOD)
    scene.surface(vein, 0.6, 0.6 * scene.clarity)
    if random.random() < 0.3:
        gallbladder = shapes.ellipse(place.local((-7, -7), 60), (3.6, 1.3))
        scene.detail(gallbladder, fetus_lib.FLUID)


def kidneys(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the abdomen at the kidneys, bowel in front of them."""
    place = torso(scene, frame, fetus, random, tissue=1.15 * fetus.liver, rib_share=0.55)
    _vessel(scene, place, (1.6, 10.0), 1.6)
    for _ in range(9):
        centre = random.uniform((-13, -15), (13, 1))
        loop = shapes.ellipse(place.local(centre, random.uniform(0, 180)), (3.4, 1.9))
        scene.fill(loop, fetus.liver * random.uniform(0.4, 2.2), cover=0.7)
    if random.random() < 0.35:  # the lower end of the stomach, or a loop with fluid
        loop = place.local((random.uniform(4, 11), random.uniform(-8, 0)), random.uniform(0, 90))
        scene.detail(shapes.ellipse(loop, (3.6, 2.2)), fetus_lib.FLUID)
    for side in (-1, 1):
        centre = (9.3 * side, 10.2 + random.normal(0, 0.8))
        kidney = place.local(centre, 90 - 28 * side + random.normal(0, 8)).scaled(fetus.kidney)
        inside = shapes.ellipse(kidney, (5.6, 4.6))
        scene.detail(inside, 0.32 * fetus.liver)
        scene.surface(inside, 1.0, 0.6 * scene.clarity)
        scene.detail(shapes.ellipse(kidney.local((0.4, 0)), (2.9, 1.5)), 1.4 * fetus.liver)
        pelvis = shapes.ellipse(kidney.local((0.2, 0)), (1.8, random.uniform(0.5, 1.2)))
        scene.detail(pelvis, fetus_lib.FLUID)
