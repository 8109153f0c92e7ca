"""CT-like volumes of the abdomen with five labelled organs.

Every number depends on the seed and the case alone. Coordinates are LPS mm; volumes are
[z, y, x], z to the head, y to the back, x to the patient's left, as CT files hold them.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from spine_tf.organ_phantom import organs, solids, surroundings
from spine_tf.organ_phantom import patient as patient_lib

SIZE, SLICES, SLICE_MM = 128, 64, 4.0
_CROPPED_SHARE = 0.2
_PATIENT, _SCAN = 10, 11  # streams of random numbers
_LEAST_VOXELS = 30  # of an organ; a smaller rest at the edge of the scan is no organ


@dataclasses.dataclass(frozen=True)
class Scan:
    """One case.

    Attributes:
        hu: [slices, 128, 128] int16.
        label_map: [slices, 128, 128] uint8, `patient.LABELS`; 0 is everything else.
        spacing_mm: (slices, rows, columns).
        origin_mm: (x, y, z) of the first voxel.
        removed: Organs that the patient has no more.
        is_cropped: Whether the scan is shorter than the abdomen.
    """

    hu: np.ndarray
    label_map: np.ndarray
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    removed: tuple[str, ...]
    is_cropped: bool


def make_case(seed: int, number: int) -> Scan:
    """Makes one case.

    Args:
        seed: Of the whole set.
        number: Of the case.

    Returns:
        The scan with its true labels.
    """
    who = patient_lib.draw(np.random.default_rng([seed, _PATIENT, number]))
    random = np.random.default_rng([seed, _SCAN, number])
    is_cropped = bool(random.random() < _CROPPED_SHARE)
    count, first_mm = _range(is_cropped, random)
    pixel_mm = _pixel_mm(who, random)
    origin_mm = (-pixel_mm * (SIZE - 1) / 2, -pixel_mm * (SIZE - 1) / 2, first_mm)
    scanner = _grid(count, pixel_mm, origin_mm)
    space = _in_body(scanner, who, random).warped(random, 4.0, 0.16)
    bounds = surroundings.body(space, who)
    image = surroundings.Painter(np.full(space.x.shape, -1000, np.float32), pixel_mm)
    surroundings.paint_body(image, space, who, bounds, random)
    label_map = _paint_organs(image, space, who, bounds, random)
    _paint_table(image, scanner, bounds)
    return Scan(
        hu=_scanned(image.hu, random),
        label_map=label_map,
        spacing_mm=(SLICE_MM, pixel_mm, pixel_mm),
        origin_mm=origin_mm,
        removed=tuple(name for name in patient_lib.ORGANS if name not in who.organs),
        is_cropped=is_cropped,
    )


def _range(is_cropped: bool, random: np.random.Generator) -> tuple[int, float]:
    """Number of slices, and the height of the lowest one in mm."""
    if not is_cropped:
        return SLICES, -118 + random.normal(0, 16)
    count = int(random.integers(30, 46))
    return count, random.uniform(-70, 70) - count * SLICE_MM / 2 + 12


def _pixel_mm(who: patient_lib.Patient, random: np.random.Generator) -> float:
    """A field of view somewhat wider than the patient."""
    width_mm = 300 * who.build[0] + 2 * who.fat_mm
    return round(float(np.clip(width_mm * random.uniform(1.08, 1.3) / SIZE, 2.6, 3.8)), 3)


def _grid(count: int, pixel_mm: float, origin_mm) -> solids.Space:
    z, y, x = np.meshgrid(
        origin_mm[2] + SLICE_MM * np.arange(count, dtype=np.float32),
        origin_mm[1] + np.float32(pixel_mm) * np.arange(SIZE, dtype=np.float32),
        origin_mm[0] + np.float32(pixel_mm) * np.arange(SIZE, dtype=np.float32),
        indexing="ij",
    )
    return solids.Space(x, y, z)


def _in_body(
    scanner: solids.Space, who: patient_lib.Patient, random: np.random.Generator
) -> solids.Space:
    """The patient lies off the middle, turned a little, and the spine may bend."""
    shift_mm = random.standard_normal(3) * (9, 11, 0)
    turns_deg = random.standard_normal(3) * (2, 2, 5)
    space = scanner.local(shift_mm, turns_deg)
    bend_mm = random.normal(0, 5) * np.sin(space.z / np.float32(90) + random.uniform(0, 6))
    return solids.Space(space.x + bend_mm.astype(np.float32), space.y, space.z).stretched(who.build)


def _paint_organs(image, space, who, bounds, random) -> np.ndarray:
    """Paints the organs and returns their labels; where two meet, the deeper one has the voxel."""
    room_mm = np.minimum(bounds.cavity_mm - 2, bounds.below_diaphragm_mm - 2)
    found = organs.distances_mm(space.warped(random, 2.0, 0.07), who)
    found = {name: np.minimum(inside, room_mm) for name, inside in found.items()}
    names = list(found)
    stack = np.stack([found[name] for name in names])
    deepest = stack.argmax(axis=0)
    label_map = np.zeros(space.x.shape, np.uint8)
    for position, name in enumerate(names):
        inside = np.where(deepest == position, stack[position], -np.inf)
        texture = 3 * ndimage.gaussian_filter(random.standard_normal(inside.shape), 2) * 11
        image.fill(inside, who.organs[name].hu + texture.astype(np.float32))
        if "kidney" in name:
            image.fill(inside - 9, 0.72 * who.organs[name].hu)  # medulla
        _paint_lesions(image, space, inside, name, who, random)
        mask = inside > 0
        if mask.sum() >= _LEAST_VOXELS:
            label_map[mask] = patient_lib.LABELS[name]
    return label_map


def _paint_lesions(image, space, inside, name, who, random) -> None:
    """Cysts and masses, which belong to their organ."""
    if random.random() > 0.3:
        return
    for _ in range(int(random.integers(1, 4))):
        centre = who.organs[name].centre_mm + random.normal(0, 22, 3)
        ball = solids.ellipsoid(space.local(centre), [random.uniform(5, 14)] * 3)
        hu = 8.0 if "kidney" in name else who.organs[name].hu * random.uniform(0.4, 1.3)
        image.fill(np.minimum(ball, inside), hu)


def _paint_table(image, scanner, bounds) -> None:
    """The table, a thin bent plate under the patient."""
    lowest = scanner.y[bounds.skin_mm > 0]
    if lowest.size:
        plate = scanner.y - np.float32(lowest.max() + 6) + 0.0006 * scanner.x**2
        image.fill(np.minimum(2.5 - np.abs(plate), -bounds.skin_mm), -250.0)


def _scanned(hu: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Blur of the kernel and noise of the dose, int16."""
    blur = random.uniform(0.3, 0.6)
    noise = ndimage.gaussian_filter(
        random.standard_normal(hu.shape, dtype=np.float32), (0, 0.5, 0.5)
    )
    noise *= np.float32(random.uniform(9, 26) / noise.std())
    hu = ndimage.gaussian_filter(hu, (0.3, blur, blur)) + noise
    return np.round(np.clip(hu, -1024, 2000)).astype(np.int16)
