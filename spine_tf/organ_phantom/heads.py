"""Planes of the head: Brain(Cb), Brain(Tv), Lips and Profile. u runs to the front or the chin."""

import numpy as np

from spine_tf.organ_phantom import fetus as fetus_lib
from spine_tf.organ_phantom import shapes, ultrasound

_LENGTH_MM = 31.0  # half of the head's, 20 weeks


def skull(
    scene: ultrasound.Scene, frame: shapes.Frame, fetus: fetus_lib.Fetus
) -> tuple[float, float]:
    """Paints scalp, skull and brain; returns half length and half width in mm."""
    semi = (_LENGTH_MM * fetus.scale, _LENGTH_MM * fetus.scale * fetus.head_ratio)
    head = shapes.ellipse(frame, semi)
    scene.fill(head + 2.2, fetus.muscle)
    scene.fill(head, fetus.brain, loss=0.03)
    scene.surface(head, 1.5, fetus.bone, loss=1.8)
    return semi


def _midline(scene, frame, fetus, semi) -> None:
    """The falx, the cavum between its halves, and the thalami."""
    length, width = semi
    for begin, end in ((-0.9, 0.22), (0.52, 0.95)):
        line = shapes.tube(frame, [(begin * length, 0), (end * length, 0)], 0.3)
        scene.surface(line, 0.9, 0.9 * scene.clarity)
    cavum = frame.local((0.37 * length, 0))
    scene.detail(shapes.ellipse(cavum, (4.2, 1.8)), fetus_lib.FLUID)
    for side in (-1.8, 1.8):
        wall = shapes.tube(cavum, [(-3.6, side), (3.6, side)], 0.25)
        scene.surface(wall, 0.8, 0.9 * scene.clarity)
    for side in (-0.19, 0.19):
        thalamus = shapes.ellipse(frame.local((0, side * width)), (0.2 * length, 0.15 * width))
        scene.detail(thalamus, 0.45 * fetus.brain)
        fissure = [(-0.15 * length, 3.2 * side * width), (0.2 * length, 3.4 * side * width)]
        scene.surface(shapes.tube(frame, fissure, 0.3), 0.8, 0.5)


def _plexus(scene, frame, fetus, semi, strength: float) -> None:
    """One lateral ventricle with its choroid plexus, at positive v."""
    length, width = semi
    size = fetus.ventricle
    place = frame.local((-0.36 * length, 0.42 * width), -9)
    ventricle = shapes.ellipse(place, (0.34 * length, 0.17 * width * size))
    scene.fill(ventricle, fetus_lib.FLUID, cover=0.7 * strength)
    scene.surface(ventricle, 0.7, 0.6 * strength)
    plexus = shapes.ellipse(place.local((1.5, -0.3)), (0.2 * length, 0.11 * width * size))
    scene.fill(plexus, 0.5, cover=strength)


def brain_tv(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the transventricular plane: midline, cavum, ventricle with plexus."""
    semi = skull(scene, frame, fetus)
    _midline(scene, frame, fetus, semi)
    _plexus(scene, frame, fetus, semi, scene.clarity)
    _plexus(scene, frame.mirrored(), fetus, semi, 0.35 * scene.clarity * random.random())


def brain_cb(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the transcerebellar plane: midline, cavum, cerebellum and cisterna magna."""
    semi = skull(scene, frame, fetus)
    length, _ = semi
    if random.random() < 0.35:
        _plexus(scene, frame, fetus, semi, 0.3 * scene.clarity)
    _midline(scene, frame, fetus, semi)
    scene.detail(shapes.ellipse(frame.local((-0.78 * length, 0)), (4.6, 8.5)), fetus_lib.FLUID)
    for side in (-1, 1):
        lobe = frame.local((-0.56 * length, 5.2 * side * fetus.scale), 18 * side)
        inside = shapes.ellipse(lobe, (4.6 * fetus.scale, 5.6 * fetus.scale))
        scene.detail(inside, 1.9 * fetus.brain)
        scene.surface(inside, 0.9, 0.75 * scene.clarity)
    vermis = shapes.ellipse(frame.local((-0.57 * length, 0)), (3.2, 1.8))
    scene.detail(vermis, 0.55)


def lips(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints nose tip, lips and chin as a coronal cut meets them."""
    face = shapes.ellipse(frame.local((-7, 0)), (17 * fetus.scale, 13.5 * fetus.scale))
    scene.fill(face, 0.75 * fetus.muscle, loss=0.05)
    scene.surface(face, 1.0, 0.8, where=random.uniform(0.4, 1))
    light = 2.4 * fetus.muscle
    nose = shapes.ellipse(frame.local((-7, 0)), (4.2 * fetus.nose, 6.2 * fetus.nose))
    scene.detail(nose, light)
    scene.surface(nose, 0.9, 0.9 * scene.clarity)
    for side in (-2.3, 2.3):
        hole = shapes.ellipse(frame.local((-4.8, side * fetus.nose)), (1.4, 1.5))
        scene.detail(hole, fetus_lib.FLUID)
    upper = [(1.2, -7.5), (-0.4, -3), (0.5, 0), (-0.4, 3), (1.2, 7.5)]
    scene.detail(shapes.tube(frame, upper, (0.8, 1.7, 1.4, 1.7, 0.8)), light)
    gap = random.uniform(0.4, 2.5)
    mouth = [(2.2, -6.5), (2.2 + gap / 3, 0), (2.2, 6.5)]
    scene.detail(shapes.tube(frame, mouth, (0.3, 0.3 + gap / 2, 0.3)), fetus_lib.FLUID)
    lower = [(3 + gap / 2, -6), (4.4 + gap, 0), (3 + gap / 2, 6)]
    scene.detail(shapes.tube(frame, lower, (0.8, 1.8, 0.8)), light)
    chin = shapes.ellipse(frame.local((10.5 + gap, 0)), (3.4 * fetus.chin, 5.5 * fetus.chin))
    scene.detail(chin, 1.5 * fetus.muscle)
    scene.surface(chin, 0.9, 0.8 * scene.clarity)


def profile(
    scene: ultrasound.Scene,
    frame: shapes.Frame,
    fetus: fetus_lib.Fetus,
    random: np.random.Generator,
) -> None:
    """Paints the face from the side: forehead, nose, lips and chin towards negative v."""
    head = frame.scaled(fetus.scale)
    chest = [(34, 12), (48, 11 + random.normal(0, 3))]
    scene.fill(shapes.tube(head, chest, (9, 17)), fetus.muscle, loss=0.08)
    angle_deg = head.angle_deg()
    bumps = 5.0 * fetus.nose * _bump(angle_deg, -49, 8.5) - 2.6 * _bump(angle_deg, -66, 8)
    bumps += 2.2 * _bump(angle_deg, -34, 4.5) + 2.2 * _bump(angle_deg, -24, 4.5)
    bumps += 3.6 * fetus.chin * _bump(angle_deg, -12, 7) - 1.5 * _bump(angle_deg, -19, 3)
    base = shapes.ellipse(head.local((2, 2)), (28, 23.5))
    skin = base + bumps.astype(np.float32)
    scene.fill(skin, 1.2 * fetus.muscle)
    scene.surface(skin, 1.0, 1.0)
    inner = shapes.ellipse(head.local((-5, 3)), (21.5, 20.5))
    scene.fill(inner, fetus.brain, loss=0.03)
    around = np.abs((head.local((-5, 3)).angle_deg() + 130 + 180) % 360 - 180)
    scene.surface(inner, 1.5, fetus.bone, loss=1.8, where=np.clip((100 - around) / 6, 0, 1))
    for points, strength in (
        ([(12.2, -18.5), (16.3, -20.3)], 0.8),  # nasal bone
        ([(18.5, -12.5), (21.0, -9.5)], 0.7),  # upper jaw
        ([(27.0, -5.5), (25.0, 4.0)], 0.6),  # lower jaw
        ([(13.5, -12.0), (16.0, 3.0)], 0.35),  # palate
    ):
        bone = shapes.tube(head, points, 0.4)
        scene.surface(bone, 1.4, strength * fetus.bone * scene.clarity, loss=0.6)
    scene.detail(shapes.tube(head, [(21, -7), (22, 2)], 1.2), fetus_lib.FLUID)


def _bump(angle_deg: np.ndarray, at_deg: float, width_deg: float) -> np.ndarray:
    return np.exp(-0.5 * ((angle_deg - at_deg) / width_deg) ** 2)
