"""MR appearance: signals of the tissues, and what a scanner makes of a perfect image."""

import dataclasses

import numpy as np
from scipy import ndimage

from spine_tf.phantom import canvas

# Tissue -> (T2, T1) signal of fast spin echo, fluid on T2 = 1.
_SIGNALS = {
    "fluid": (1.1, 0.12),
    "cord": (0.46, 0.36),
    "root": (0.40, 0.30),
    "marrow": (0.29, 0.44),
    "cortex": (0.05, 0.06),
    "nucleus": (0.55, 0.27),
    "annulus": (0.085, 0.20),
    "worn": (0.11, 0.23),
    "fat": (0.80, 0.98),
    "muscle": (0.13, 0.25),
    "ligament": (0.07, 0.10),
    "vessel": (0.05, 0.07),
    "bowel": (0.26, 0.27),
    "skin": (0.20, 0.25),
}


@dataclasses.dataclass(frozen=True)
class Scanner:
    """One generation of scanner.

    Attributes:
        field_strength_t: Field strength.
        noise: Standard deviation of the noise, fluid on T2 = 1.
        blur_mm: Standard deviation of the in-plane point spread.
        contrast_spread: Spread of the tissue signals between visits, log scale.
        coil_mm: Depth over which the surface coil's signal falls to a third.
    """

    field_strength_t: float
    noise: float
    blur_mm: float
    contrast_spread: float
    coil_mm: float


BASELINE = Scanner(1.0, 0.036, 0.66, 0.21, 95.0)
FOLLOW_UP = Scanner(1.5, 0.020, 0.42, 0.21, 115.0)


def tissues(
    scanner: Scanner, marrow: float, random: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Draws the (T2, T1) signal of every tissue at one visit.

    Args:
        scanner: Its contrast spread, and its field: T1 contrast is weaker at the lower field.
        marrow: The subject's marrow fat, 1 = mean.
        random: Generator of the visit.
    """
    drawn = {}
    for name, signals in _SIGNALS.items():
        factors = np.exp(scanner.contrast_spread * random.standard_normal(2))
        drawn[name] = tuple(float(s * f) for s, f in zip(signals, factors, strict=True))
    factors = marrow * np.exp(0.12 * random.standard_normal(2))
    drawn["marrow"] = tuple(float(s * f) for s, f in zip(drawn["marrow"], factors, strict=True))
    if scanner.field_strength_t < 1.2:
        drawn["fluid"] = (drawn["fluid"][0] * 0.92, drawn["fluid"][1] * 1.5)
    return drawn


def acquire(
    signal: np.ndarray,
    pixel_mm: float,
    depth_mm: np.ndarray,
    scanner: Scanner,
    random: np.random.Generator,
) -> np.ndarray:
    """Turns perfect signals into the whole numbers that a scanner stores.

    Args:
        signal: [slices, rows, columns] float32.
        pixel_mm: In-plane spacing.
        depth_mm: [slices, rows / 2, columns / 2] distance from the coil in the table.
        scanner: Its blur, noise and coil.
        random: Generator of the visit.

    Returns:
        [slices, rows, columns] float32, whole numbers from 0 to 4095: point spread, coil
        sensitivity and drift, Rician noise, receive gain.
    """
    blur = scanner.blur_mm / pixel_mm
    image = ndimage.gaussian_filter(signal, (0, blur, blur), truncate=2.5)
    fall_mm = scanner.coil_mm * np.exp(0.15 * random.standard_normal())
    coil = np.float32(0.10) + np.exp(np.minimum(depth_mm * np.float32(-1 / fall_mm), 0.4))
    image *= canvas.double(coil * _drift(depth_mm.shape, random))
    sigma = np.float32(scanner.noise * np.exp(0.2 * random.standard_normal()) * 0.6)
    # Rician, but for the part of the noise that is out of phase: its mean stands for it.
    image += sigma * random.standard_normal(signal.shape, dtype=np.float32)
    gain = 1300.0 * np.exp(0.25 * random.standard_normal())
    image = np.sqrt(image * image + sigma * sigma) * np.float32(gain)
    return np.clip(np.round(image), 0, 4095)


def _drift(shape: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """Smooth sensitivity over the whole scan, and a gain per slice."""
    rows = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :, None]
    columns = np.linspace(-1, 1, shape[2], dtype=np.float32)[None, None, :]
    c = (0.28 * random.standard_normal(4)).astype(np.float32)
    field = c[0] * rows + c[1] * columns + c[2] * rows * columns + c[3] * (rows * rows - 0.4)
    per_slice = np.exp(0.03 * random.standard_normal((shape[0], 1, 1))).astype(np.float32)
    # The coil ends at the head and foot of the view.
    ends = 1 - np.float32(0.35) * np.abs(rows) ** 4
    return np.exp(field) * per_slice * ends
