"""Background: what a sweep shows between the standard planes, much of it nearly one of them."""

import numpy as np

from spine_tf.organ_phantom import fetus as fetus_lib
from spine_tf.organ_phantom import heads, limbs, shapes, trunks, ultrasound


def paint(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints one of eight views that are no standard plane."""
    views = (_cord, _legs, _head, _trunk, _chest, _two_bones, _hand, _oblique_spine)
    views[int(random.integers(len(views)))](scene, frame, fetus, random)


def _cord(scene, frame, fetus, random) -> None:
    """Loops of the cord, each two or three rings."""
    for _ in range(5):
        place = frame.local(random.uniform(-16, 16, 2), random.uniform(0, 180))
        outer = shapes.ellipse(place, (4.8, 3.6))
        scene.fill(outer, 0.7 * fetus.muscle)
        for side in (-1.7, 1.7):
            vessel = shapes.ellipse(place.local((side, 0)), (1.3, 1.2))
            scene.fill(vessel, fetus_lib.BLOOD)
            scene.surface(vessel, 0.7, 0.8)


def _legs(scene, frame, fetus, random) -> None:
    for _ in range(4):
        place = frame.local(random.uniform(-18, 18, 2), random.uniform(0, 180))
        fetus_lib.limb(scene, place, fetus, random)


def _head(scene, frame, fetus, random) -> None:
    """A cut through the head above or below the planes: orbits, or nothing but the falx."""
    size = random.uniform(0.7, 1.0)
    length, width = heads.skull(scene, frame.scaled(size), fetus)
    if random.random() < 0.5:
        for side in (-0.42, 0.42):
            orbit = shapes.ellipse(frame.local((0.55 * length, side * width)), (5.5, 5.0))
            scene.fill(orbit, fetus_lib.FLUID)
            scene.surface(orbit, 1.2, 0.6 * fetus.bone)
    else:
        falx = shapes.tube(frame, [(-0.7 * length * size, 0), (0.7 * length * size, 1)], 0.3)
        scene.surface(falx, 0.9, 0.9)


def _trunk(scene, frame, fetus, random) -> None:
    """The abdomen between the planes: liver or bowel, perhaps a bladder, no kidneys."""
    place = trunks.torso(scene, frame, fetus, random, tissue=fetus.liver, rib_share=0.6)
    for _ in range(int(random.integers(0, 8))):
        loop = place.local(random.uniform(-13, 9, 2), random.uniform(0, 180))
        scene.fill(shapes.ellipse(loop, (3.4, 1.9)), fetus.liver * random.uniform(0.4, 2))
    if random.random() < 0.4:
        scene.fill(shapes.ellipse(place.local((0, -9)), (4, 3.5)), fetus_lib.FLUID, loss=-0.1)


def _chest(scene, frame, fetus, random) -> None:
    """The chest beside the planes: the lower edge of the heart, or lungs alone."""
    place = trunks.torso(scene, frame, fetus, random, tissue=fetus.lung, rib_share=1.0)
    heart = shapes.ellipse(place.local((3, -4), -45), (10.5, 8.5))
    scene.fill(heart, 0.95 * fetus.muscle)
    for _ in range(int(random.integers(0, 3))):
        centre = np.array((3, -4)) + random.uniform(-5, 5, 2)
        chamber = shapes.ellipse(place.local(centre, random.uniform(0, 180)), (4.5, 2.5))
        scene.fill(chamber, fetus_lib.BLOOD)


def _two_bones(scene, frame, fetus, random) -> None:
    """Lower leg or forearm: two bones side by side."""
    leg = frame.scaled(fetus.scale)
    flesh = shapes.tube(leg, [(-22, 0), (0, 0), (22, 0)], (7.5, 7, 4.5))
    scene.fill(flesh, 0.8 * fetus.muscle)
    scene.surface(flesh, 1.0, 0.9)
    for side in (-2.6, 2.6):
        bone = leg.local((random.normal(0, 1.5), side), random.normal(0, 3))
        limbs.long_bone(scene, bone, fetus, random.uniform(12, 14.5), 0.0)


def _hand(scene, frame, fetus, random) -> None:
    """Fingers, fanned out."""
    for finger in range(5):
        place = frame.local((0, 0), 16 * (finger - 2) + random.normal(0, 4))
        flesh = shapes.tube(place, [(2, 0), (17, 0)], (2.0, 1.5))
        scene.fill(flesh, 0.9 * fetus.muscle)
        for begin in (3.0, 8.0, 13.0):
            bone = shapes.tube(place, [(begin, 0), (begin + 3.2, 0)], 0.7)
            scene.fill(bone, 0.6 * fetus.bone, loss=2.5)


def _oblique_spine(scene, frame, fetus, random) -> None:
    """A piece of one row of vertebrae that leaves the plane."""
    trunk = frame.scaled(fetus.scale)
    flesh = shapes.ellipse(trunk, (30, 19))
    scene.fill(flesh, 0.75 * fetus.muscle, loss=0.05)
    scene.surface(flesh, 1.0, 0.9)
    for number in range(int(random.integers(3, 7))):
        dot = shapes.ellipse(trunk.local((-14 + 3.6 * number, -6 + 1.4 * number)), (1.3, 1.1))
        scene.fill(dot, 0.7 * fetus.bone, loss=4.0)
