"""An ultrasound scan being painted along its beams, and the picture that a machine makes of it.

Positions are in mm from the middle of the probe's face: x to the right, y away from the probe.
Speckle is the envelope of random scatterers blurred by the machine's point spread (Wagner et al.
1983).
"""

import dataclasses

import numpy as np
from scipy import ndimage

from spine_tf.organ_phantom import shapes
from spine_tf.phantom import canvas

ROWS, COLUMNS = 112, 144  # of a picture
_DEPTHS, _BEAMS = 288, 208
_OVERSAMPLING = 2
_PIXEL_MM = 0.45  # over which painted edges are soft
_TOP_DB = 12.0


@dataclasses.dataclass(frozen=True)
class Machine:
    """A curved probe and the settings of one examination.

    Attributes:
        radius_mm: Of the probe's face.
        half_angle_deg: Half of the sector.
        axial_mm: Standard deviation of the point spread along the beam.
        lateral_deg: The same across beams.
        range_db: Dynamic range of the picture.
        gain_db: Brightness.
        noise: Amplitude of electronic noise against tissue.
        smoothing: How much speckle is averaged away, 0 to 1.
    """

    radius_mm: float
    half_angle_deg: float
    axial_mm: float
    lateral_deg: float
    range_db: float
    gain_db: float
    noise: float
    smoothing: float


@dataclasses.dataclass(frozen=True)
class Window:
    """The part of the scan that the picture shows."""

    left_mm: float
    top_mm: float
    height_mm: float

    @property
    def pixel_mm(self) -> float:
        """Size of a pixel of the picture."""
        return self.height_mm / ROWS


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a scan meets, [depths, beams]; the paint functions change it in place.

    Attributes:
        frame: Position of every point: u is x, v is y.
        depth_mm: Distance from the probe's face.
        echo: Amplitude that scatterers send back; soft tissue is about 0.5.
        glint: Amplitude that smooth surfaces reflect.
        loss: Extra attenuation in dB per mm; negative in fluid.
        radii_mm: [depths] from the centre of the probe's curvature.
        angles: [beams] radians.
        clarity: How well details stand out from what they lie in, 0 to 1.
    """

    frame: shapes.Frame
    depth_mm: np.ndarray
    echo: np.ndarray
    glint: np.ndarray
    loss: np.ndarray
    radii_mm: np.ndarray
    angles: np.ndarray
    clarity: float = 1.0

    @property
    def step_mm(self) -> float:
        """Distance of two points along a beam."""
        return float(self.radii_mm[1] - self.radii_mm[0])

    def fill(
        self, inside_mm: np.ndarray, echo: float | np.ndarray, loss: float = 0.0, cover: float = 1.0
    ) -> None:
        """Fills a shape with tissue.

        Args:
            inside_mm: Signed distance, positive inside.
            echo: Its amplitude.
            loss: Its attenuation.
            cover: How much of what was there is replaced.
        """
        share = cover * _soft(inside_mm)
        self.echo[:] += share * (echo - self.echo)
        self.loss[:] += share * (loss - self.loss)
        self.glint[:] *= 1 - share

    def detail(self, inside_mm: np.ndarray, echo: float, loss: float = 0.0) -> None:
        """Fills a shape as far as the clarity of the image goes."""
        self.fill(inside_mm, echo, loss, self.clarity)

    def surface(
        self,
        distance_mm: np.ndarray,
        thickness_mm: float,
        strength: float,
        loss: float = 0.0,
        where: np.ndarray | float = 1.0,
    ) -> None:
        """Adds a surface that reflects most where it stands across the beam.

        Args:
            distance_mm: Signed distance to it.
            thickness_mm: Of the line.
            strength: Amplitude at right angles.
            loss: Attenuation within the line; bone casts a shadow.
            where: Share of the surface that is there, 0 to 1.
        """
        share = _soft(thickness_mm / 2 - np.abs(distance_mm)) * where
        facing = np.abs(np.gradient(distance_mm, axis=0)) / np.float32(self.step_mm)
        facing = 0.12 + 0.88 * np.clip(facing, 0, 1) ** 3
        self.glint[:] = np.maximum(self.glint, share * strength * facing)
        self.loss[:] += share * np.float32(loss)

    def texture(self, random: np.random.Generator, depth: float, size_mm: float) -> None:
        """Makes all tissue uneven: its amplitude varies by about `depth`."""
        sigma = (size_mm / self.step_mm, size_mm / self._beam_mm())
        field = canvas.blobs(random, self.echo.shape, sigma)
        self.echo[:] *= np.exp(np.float32(depth) * field)

    def _beam_mm(self) -> float:
        return float((self.angles[1] - self.angles[0]) * self.radii_mm.mean())


def _soft(inside_mm: np.ndarray) -> np.ndarray:
    return np.clip(inside_mm * np.float32(1 / _PIXEL_MM) + np.float32(0.5), 0, 1)


def make_scene(machine: Machine, window: Window, clarity: float) -> Scene:
    """Returns an empty scan, fluid everywhere, of the beams that a window needs."""
    x_mm, y_mm = _pixels_mm(window, 1)
    radii, angles = _polar(machine, x_mm, y_mm)
    limit = np.deg2rad(machine.half_angle_deg)
    low, high = np.clip([angles.min(), angles.max()], -limit, limit)
    first = max(radii.min() - 3, machine.radius_mm)
    r = np.linspace(first, radii.max() + 1, _DEPTHS, dtype=np.float32)
    a = np.linspace(low, high, _BEAMS, dtype=np.float32)
    frame = shapes.Frame(
        np.outer(r, np.sin(a)), np.outer(r, np.cos(a)) - np.float32(machine.radius_mm)
    )
    empty = [np.zeros(frame.u.shape, np.float32) for _ in range(3)]
    depth_mm = np.broadcast_to(r[:, None] - np.float32(machine.radius_mm), frame.u.shape)
    return Scene(frame, depth_mm, *empty, r, a, clarity)


def _pixels_mm(window: Window, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel of a picture with `factor` times as many rows and columns."""
    size_mm = window.pixel_mm / factor
    rows = (np.arange(ROWS * factor, dtype=np.float32) + 0.5) * size_mm + window.top_mm
    columns = (np.arange(COLUMNS * factor, dtype=np.float32) + 0.5) * size_mm + window.left_mm
    return np.broadcast_arrays(columns[None], rows[:, None])


def _polar(machine: Machine, x_mm, y_mm) -> tuple[np.ndarray, np.ndarray]:
    """Radius and angle of points."""
    below = y_mm + np.float32(machine.radius_mm)
    return np.hypot(x_mm, below), np.arctan2(x_mm, below)


def acquire(
    scene: Scene, machine: Machine, window: Window, random: np.random.Generator
) -> np.ndarray:
    """Returns the picture, [ROWS, COLUMNS] uint8; black outside the sector."""
    sigma = (
        machine.axial_mm / scene.step_mm,
        np.deg2rad(machine.lateral_deg) / float(scene.angles[1] - scene.angles[0]),
    )
    lost_db = np.cumsum(scene.loss, axis=0) * np.float32(scene.step_mm)
    passed = 10 ** (-np.clip(lost_db, -8, 40) / 20)
    looks = [_speckle(scene.echo * passed, sigma, random) for _ in range(3)]
    glint = ndimage.gaussian_filter(scene.glint * passed, sigma)
    weights = np.array([1, machine.smoothing, machine.smoothing], np.float32)
    powers = [
        weight * np.abs(look + glint) ** 2 for weight, look in zip(weights, looks, strict=True)
    ]
    envelope = np.sqrt(sum(powers) / weights.sum())
    noise = machine.noise * np.abs(_speckle(np.ones_like(scene.echo), sigma, random))
    decibel = 20 * np.log10(np.hypot(envelope, noise) + 1e-4)
    grey = (decibel + machine.gain_db - _TOP_DB + machine.range_db) / machine.range_db
    return _scan_convert(np.clip(grey, 0, 1), scene, machine, window)


def _speckle(amplitude: np.ndarray, sigma: tuple, random: np.random.Generator) -> np.ndarray:
    """Complex sum of scatterers within the point spread; its power is that of `amplitude`."""
    scale = np.float32(np.sqrt(4 * np.pi * sigma[0] * sigma[1] / 2))
    parts = [
        ndimage.gaussian_filter(
            amplitude * random.standard_normal(amplitude.shape, dtype=np.float32), sigma
        )
        for _ in range(2)
    ]
    return scale * (parts[0] + 1j * parts[1])


def _scan_convert(grey: np.ndarray, scene: Scene, machine: Machine, window: Window) -> np.ndarray:
    """From beams to pixels."""
    radii, angles = _polar(machine, *_pixels_mm(window, _OVERSAMPLING))
    index = (
        (radii - scene.radii_mm[0]) / scene.step_mm,
        (angles - scene.angles[0]) / (scene.angles[1] - scene.angles[0]),
    )
    fine = ndimage.map_coordinates(grey, index, order=1, mode="nearest")
    inside = np.abs(angles) <= np.deg2rad(machine.half_angle_deg)
    inside &= radii >= machine.radius_mm
    fine = np.where(inside, fine, 0).reshape(ROWS, _OVERSAMPLING, COLUMNS, _OVERSAMPLING)
    return np.round(fine.mean(axis=(1, 3)) * 255).astype(np.uint8)
