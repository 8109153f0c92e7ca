"""Planes along a bone: Femur, Spine(cor) and Spine(sag). u runs along it."""

import numpy as np

from spine_tf.organ_phantom import fetus as fetus_lib
from spine_tf.organ_phantom import shapes, ultrasound


def long_bone(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    half_mm: float,
    bow_mm: float,
) -> None:
    """Paints one bright shaft with its shadow and dark ends of cartilage.

    Args:
        scene: The scan.
        frame: Of the bone in mm, its middle at the origin.
        fetus: Whose.
        half_mm: Half of its length.
        bow_mm: How far its middle stands off.
    """
    for end in (-1, 1):
        knob = shapes.ellipse(frame.local((end * (half_mm + 2.2), 0)), (3.2, 3.4))
        scene.detail(knob, 0.4 * fetus.muscle)
    line = [(-half_mm, 0), (-half_mm / 2, bow_mm), (half_mm / 2, bow_mm), (half_mm, 0)]
    shaft = shapes.tube(frame, line, (1.3, 0.9, 0.9, 1.2))
    scene.fill(shaft, 0.3 * fetus.bone, loss=6.0)
    scene.surface(shaft, 1.1, fetus.bone)


def femur(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the thigh with its one bone; knee and hip are cut off by chance."""
    leg = frame.scaled(fetus.scale)
    bulge = random.uniform(6.5, 9.5)
    thigh = shapes.tube(leg, [(-23, 0.5), (0, 1.5), (23, 0)], (bulge + 1.5, bulge, 5.5))
    scene.fill(thigh, 0.8 * fetus.muscle, loss=0.03)
    scene.surface(thigh, 1.0, 0.9)
    long_bone(scene, leg, fetus, 16.5 * random.uniform(0.92, 1.05), random.normal(0, 0.8))


def spine_sagittal(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the spine from the side: two rows of centres that meet at the sacrum, and the skin."""
    trunk = frame.scaled(fetus.scale)
    bend = random.uniform(-6, 3)
    middle = [(-36, -bend + 2), (-20, -0.3 * bend), (0, 0), (18, -0.2 * bend), (34, -bend - 3)]
    distance, along = shapes.curve(trunk, middle)
    length = np.clip((36 - np.abs(along)) / 1.5, 0, 1)
    _flesh(scene, trunk, fetus, distance, along, (-6.5, 22), random)
    skin = np.where(np.abs(along) < 38, distance + 6.5, np.float32(-9))
    scene.surface(skin, 1.0, 1.2, where=random.uniform(0.5, 1))
    canal = np.interp(along, (-36, 20, 33), (2.6, 2.3, 0.8)).astype(np.float32)
    scene.fill(np.minimum(canal - np.abs(distance), 30 - np.abs(along)), 0.3 * fetus.muscle)
    for side in (-1, 1):
        _row(scene, distance - side * canal, along, fetus, length, random.uniform(0, 1))


def spine_coronal(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the spine from behind: rows side by side, ribs and pelvis on both sides."""
    trunk = frame.scaled(fetus.scale)
    bend = random.normal(0, 2)
    distance, along = shapes.curve(trunk, [(-36, bend), (0, 0), (36, bend)])
    length = np.clip((36 - np.abs(along)) / 1.5, 0, 1)
    _flesh(scene, trunk, fetus, distance, along, (-15, 15), random)
    width = np.interp(along, (-36, -28, 0, 22, 34), (4.2, 3.0, 2.7, 2.9, 1.0)).astype(np.float32)
    phase = random.uniform(0, 1)
    for side in (-1, 1):
        _row(scene, distance - side * width, along, fetus, length, phase)
    if random.random() < 0.5:  # the cut passes through the bodies
        _row(scene, distance, along, fetus, 0.7 * length, phase)
    out = np.abs(distance)
    ribs = 0.5 + 0.5 * np.cos((along + 0.45 * out) * np.float32(2 * np.pi / 4.2))
    where = ribs**3 * np.clip((out - 4) / 1, 0, 1) * np.clip((13 - out) / 2, 0, 1)
    where = where * np.clip((6 - along) / 2, 0, 1) * length * scene.clarity
    scene.echo[:] += (0.35 * fetus.bone * where).astype(np.float32)
    for side in (-1, 1):
        wing = shapes.tube(trunk, [(24, side * 5.5), (19, side * 9.5)], 1.0)
        scene.fill(wing, 0.5 * fetus.bone * scene.clarity, loss=2.0, cover=scene.clarity)


def _flesh(scene, trunk, fetus, distance, along, sides_mm, random) -> None:
    """The trunk around the spine, with a little of the head at one end."""
    low, high = sides_mm
    middle, half = np.float32((low + high) / 2), np.float32((high - low) / 2)
    taper = np.sqrt(np.clip(1 - (along / np.float32(47)) ** 2, 0, 1))
    inside = half * taper - np.abs(distance - middle)
    scene.fill(inside, 0.75 * fetus.muscle, loss=0.05)
    scene.surface(inside, 0.9, 0.7)
    if random.random() < 0.6:
        head = shapes.ellipse(trunk.local((-50, middle / 2)), (17, 18))
        scene.fill(head, fetus.brain)
        scene.surface(head, 1.5, 0.8 * fetus.bone, loss=1.8)


def _row(scene, distance, along, fetus, where, phase: float) -> None:
    """A row of ossification centres, one to a vertebra, which shades what lies behind."""
    beads = 0.5 + 0.5 * np.cos(
        (along / np.float32(3.4) + np.float32(phase)) * np.float32(2 * np.pi)
    )
    share = np.clip(1.6 - np.abs(distance), 0, 1) * np.clip((36 - np.abs(along)) / 2, 0, 1) * where
    scene.echo[:] += (share * fetus.bone * (0.12 + 0.55 * beads**2)).astype(np.float32)
    scene.loss[:] += (0.9 * share * beads).astype(np.float32)
