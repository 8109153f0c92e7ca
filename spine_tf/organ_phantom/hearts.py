"""Planes of the heart: 4CH, LVOT, RVOT and 3VV.

In the heart's own frame u runs from its base to its apex, v from its right to its left side.
"""

import numpy as np

from spine_tf.organ_phantom import fetus as fetus_lib
from spine_tf.organ_phantom import shapes, trunks, ultrasound


def _chest(scene, frame, fetus, random) -> shapes.Frame:
    """Paints the chest with lungs and the aorta beside the spine; returns its frame."""
    place = trunks.torso(scene, frame, fetus, random, tissue=fetus.lung, rib_share=1.0)
    aorta = shapes.ellipse(place.local((4.2, 9.6)), (2.0, 2.0))
    scene.fill(aorta, fetus_lib.BLOOD)
    scene.surface(aorta, 0.7, 0.6)
    return place


def _heart(scene, place, fetus, random) -> shapes.Frame:
    """Paints pericardium and muscle; returns the heart's frame."""
    turn_deg = fetus.axis_deg - 90 + random.normal(0, 6)
    heart = place.local((2.6, -2.8), turn_deg).scaled(fetus.heart)
    inside = shapes.ellipse(heart, (13.2, 10.4))
    scene.fill(inside + 0.8, fetus_lib.FLUID, cover=0.5)
    scene.fill(inside, 0.95 * fetus.muscle)
    return heart


def _chamber(scene, heart, centre, semi_mm, turn_deg: float = 0.0) -> None:
    """A chamber full of blood; how wide depends on the beat."""
    inside = shapes.ellipse(heart.local(centre, turn_deg), semi_mm)
    scene.detail(inside, fetus_lib.BLOOD)
    scene.surface(inside, 0.7, 0.55 * scene.clarity)


def _great_vessel(scene, heart, points, radius_mm) -> None:
    """A vessel along the plane, with bright walls."""
    inside = shapes.tube(heart, points, radius_mm)
    scene.detail(inside, fetus_lib.BLOOD)
    scene.surface(inside, 0.8, 0.85 * scene.clarity, where=(heart.u < 0.5).astype(np.float32))


def _round_vessel(scene, frame, centre, radius_mm: float) -> None:
    """A vessel cut across, with a bright wall."""
    inside = shapes.ellipse(frame.local(centre), (radius_mm * 1.1, radius_mm * 0.92))
    scene.detail(inside, fetus_lib.BLOOD)
    scene.surface(inside, 0.9, 0.9 * scene.clarity)


def four_chambers(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints both ventricles and atria with septum and valves."""
    heart = _heart(scene, _chest(scene, frame, fetus, random), fetus, random)
    beat = random.uniform(0.75, 1.15)
    _chamber(scene, heart, (4.2, 4.1), (6.6, 2.9 * beat), -7)
    _chamber(scene, heart, (3.4, -4.1), (6.0, 3.2 * beat), 7)
    _chamber(scene, heart, (-6.3, 4.0), (3.7, 3.4 / beat))
    _chamber(scene, heart, (-6.3, -4.1), (3.8, 3.6 / beat))
    moderator = shapes.ellipse(heart.local((7.2, -3.6)), (2.0, 1.9))
    scene.detail(moderator, fetus.muscle)
    is_open = random.random() < 0.5
    for side, shift in ((1, -2.3), (-1, -1.6)):
        tip = 2.2 if is_open else 0.0
        for begin, end in ((0.6, 3.4), (7.2, 4.6)):
            leaf = shapes.tube(heart, [(shift, side * begin), (shift + tip, side * end)], 0.25)
            scene.surface(leaf, 0.9, 0.9 * scene.clarity)
    septum = shapes.tube(heart, [(-9.5, 0.1), (-7.8, 0.1)], 0.3)
    scene.surface(septum, 0.9, 0.8 * scene.clarity)


def lvot(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the left ventricle and the aorta that leaves it to the right."""
    heart = _heart(scene, _chest(scene, frame, fetus, random), fetus, random)
    beat = random.uniform(0.8, 1.15)
    _chamber(scene, heart, (3.0, -5.0), (6.2, 2.3 * beat), 8)
    _chamber(scene, heart, (-6.0, 5.2), (3.6, 3.1 / beat))
    _chamber(scene, heart, (4.2, 3.2), (7.0, 3.2 * beat), -6)
    course = [(0.5, 1.6), (-3.5, 0.2), (-8.0, -2.0), (-12.5, -2.6), (-15.0, -0.5)]
    _great_vessel(scene, heart, course, (2.4, 1.8, 2.0, 1.9, 1.8))
    mitral = shapes.tube(heart, [(-2.0, 2.6), (0.8, 4.4)], 0.25)
    scene.surface(mitral, 0.9, 0.8 * scene.clarity)


def rvot(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the right ventricle and the pulmonary artery that crosses the aorta."""
    heart = _heart(scene, _chest(scene, frame, fetus, random), fetus, random)
    beat = random.uniform(0.8, 1.15)
    _chamber(scene, heart, (4.2, -3.6), (6.8, 3.0 * beat), 10)
    _chamber(scene, heart, (5.6, 4.6), (4.0, 1.8 * beat), -10)
    course = [(0.8, -3.2), (-3.2, -0.6), (-7.5, 2.6), (-11.5, 5.8), (-14.0, 9.0)]
    _great_vessel(scene, heart, course, (2.4, 1.9, 2.1, 1.9, 1.6))
    _round_vessel(scene, heart, (-6.6, -3.0), 2.2)
    _round_vessel(scene, heart, (-9.4, -6.4), 1.5)


def three_vessels(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints pulmonary artery, aorta and vena cava side by side above the heart."""
    place = _chest(scene, frame, fetus, random)
    thymus = shapes.ellipse(place.local((0.5, -8.5)), (9.5, 7.5))
    scene.fill(thymus, 0.9 * fetus.muscle, cover=0.8)
    vessels = place.local((0.8, -3.0), random.normal(0, 7)).scaled(fetus.heart)
    course = [(5.4, -6.5), (5.0, -2.0), (4.4, 3.0), (3.6, 8.0)]
    _great_vessel(scene, vessels.local((0, 0)), course, (2.5, 2.4, 2.0, 1.7))
    pulmonary = shapes.tube(vessels, course, (2.5, 2.4, 2.0, 1.7))
    scene.surface(pulmonary, 0.8, 0.85 * scene.clarity)
    aorta = [(-0.6, -2.4), (-0.2, 0.5)]
    if random.random() < 0.4:  # a little higher the arch lies in the plane
        aorta += [(1.6, 5.0)]
    inside = shapes.tube(vessels, aorta, 1.9)
    scene.detail(inside, fetus_lib.BLOOD)
    scene.surface(inside, 0.9, 0.85 * scene.clarity)
    _round_vessel(scene, vessels, (-5.4, 0.4), 1.5)
    trachea = shapes.ellipse(vessels.local((-1.8, 6.4)), (1.0, 1.0))
    scene.surface(trachea, 0.9, 0.9 * scene.clarity)
