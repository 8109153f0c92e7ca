"""Who lies in the CT scanner: build, organs and how they are seen."""

import dataclasses

import numpy as np

ORGANS = ("left kidney", "right kidney", "pancreas", "liver", "spleen")  # labels 1 to 5
LABELS = {name: number for number, name in enumerate(ORGANS, 1)}

# mm against the middle of the body at the height of L1, in a body 300 mm wide and 210 mm deep.
_CENTRES_MM = {
    "left kidney": (61, 42, 2),
    "right kidney": (-60, 44, -12),
    "pancreas": (5, -4, 8),
    "liver": (-68, -8, 42),
    "spleen": (97, 30, 52),
}
_SPREAD_MM = {
    "left kidney": (7, 6, 15),
    "right kidney": (7, 6, 16),
    "pancreas": (9, 8, 15),
    "liver": (8, 7, 12),
    "spleen": (8, 10, 14),
}
_TURN_SPREAD_DEG = {
    "left kidney": (8, 8, 18),
    "right kidney": (8, 8, 18),
    "pancreas": (12, 14, 12),
    "liver": (7, 8, 8),
    "spleen": (18, 14, 18),
}
_SIZE_SPREAD = {
    "left kidney": 0.11,
    "right kidney": 0.11,
    "pancreas": 0.14,
    "liver": 0.10,
    "spleen": 0.20,
}
# Phase -> HU of organs, vessels, muscle and the wall of the bowel.
_PHASES = {
    "plain": {
        "left kidney": 33,
        "right kidney": 33,
        "pancreas": 40,
        "liver": 56,
        "spleen": 48,
        "vessel": 42,
        "muscle": 54,
        "wall": 38,
    },
    "arterial": {
        "left kidney": 140,
        "right kidney": 140,
        "pancreas": 98,
        "liver": 72,
        "spleen": 112,
        "vessel": 230,
        "muscle": 60,
        "wall": 70,
    },
    "portal": {
        "left kidney": 150,
        "right kidney": 150,
        "pancreas": 92,
        "liver": 106,
        "spleen": 114,
        "vessel": 145,
        "muscle": 63,
        "wall": 72,
    },
}
_REMOVED = {"left kidney": 0.06, "right kidney": 0.06, "spleen": 0.05}


@dataclasses.dataclass(frozen=True)
class Organ:
    """One organ.

    Attributes:
        centre_mm: [3] in the standard body.
        turns_deg: [3] about x, y, z against its usual pose.
        size: [3] factors along x, y, z.
        hu: Its intensity.
    """

    centre_mm: np.ndarray
    turns_deg: np.ndarray
    size: np.ndarray
    hu: float


@dataclasses.dataclass(frozen=True)
class Patient:
    """One patient.

    Attributes:
        build: [3] factors of the body against the standard one.
        fat_mm: Thickness under the skin at the side.
        organs: Those that are there.
        hu: Intensities of vessel, muscle and wall.
        left_lobe: How far the liver reaches to the left; 1 is typical.
        domes_mm: Height of the right and left dome of the diaphragm.
        oral_hu: Intensity of what the bowel holds.
    """

    build: np.ndarray
    fat_mm: float
    organs: dict[str, Organ]
    hu: dict[str, float]
    left_lobe: float
    domes_mm: tuple[float, float]
    oral_hu: float


def draw(random: np.random.Generator) -> Patient:
    """Draws a patient."""
    phase = _PHASES[("plain", "arterial", "portal", "portal")[int(random.integers(4))]]
    hu = {name: value * np.exp(0.13 * random.standard_normal()) for name, value in phase.items()}
    hu["right kidney"] = hu["left kidney"]
    if random.random() < 0.2:  # a fatty liver
        hu["liver"] -= random.uniform(20, 45)
    organs = {}
    for name in ORGANS:
        organ = Organ(
            np.array(_CENTRES_MM[name]) + random.standard_normal(3) * _SPREAD_MM[name],
            random.standard_normal(3) * _TURN_SPREAD_DEG[name],
            np.exp(_SIZE_SPREAD[name] * random.standard_normal(3)),
            hu[name],
        )
        if random.random() >= _REMOVED.get(name, 0):
            organs[name] = organ
    width = np.exp(0.09 * random.standard_normal())
    return Patient(
        build=np.array([width, width * np.exp(0.08 * random.standard_normal()), 1])
        * [1, 1, np.exp(0.06 * random.standard_normal())],
        fat_mm=float(np.exp(random.normal(np.log(16), 0.5))),
        organs=organs,
        hu={name: hu[name] for name in ("vessel", "muscle", "wall")},
        left_lobe=random.uniform(0.65, 1.25),
        domes_mm=(random.normal(104, 10), random.normal(94, 10)),
        oral_hu=random.choice([15.0, 15.0, 30.0, 220.0]),
    )
