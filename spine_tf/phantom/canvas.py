"""A scan being painted: two contrasts on one grid, and where its pixels lie in the body."""

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from spine_tf import geometry

Window = tuple[slice, slice, slice]
Tissues = dict[str, tuple[float, float]]  # name -> (T2, T1) signal


@dataclasses.dataclass(frozen=True)
class Canvas:
    """Signals and body coordinates of every pixel.

    Attributes:
        t2: [slices, rows, columns] float32 signal, changed in place.
        t1: The same for the T1 series.
        x_mm: [slices, rows, columns] float32 distance to the mid-sagittal surface, left positive.
        y_mm: The same, to the back.
        z_mm: The same, to the head.
        body_to_index: [4, 4] body mm, x from the body's origin, to index.
        pixel_mm: Size of a pixel in body mm.
        slice_mm: Slice thickness in body mm.
    """

    t2: np.ndarray
    t1: np.ndarray
    x_mm: np.ndarray
    y_mm: np.ndarray
    z_mm: np.ndarray
    body_to_index: np.ndarray
    pixel_mm: float
    slice_mm: float

    def soft(self, distance_mm: np.ndarray) -> np.ndarray:
        """Share of a pixel inside an edge, from the signed distance (inside positive)."""
        return np.clip(distance_mm * np.float32(1 / (1.2 * self.pixel_mm)) + 0.5, 0, 1)

    def lateral(self, half_width_mm: float, x_mm: np.ndarray) -> np.ndarray:
        """Share of a slice within `half_width_mm` of x = 0."""
        inside_mm = np.float32(half_width_mm) - np.abs(x_mm)
        return np.clip(inside_mm / np.float32(self.slice_mm) + np.float32(0.5), 0, 1)

    def between(self, low_mm: float, high_mm: float, x_mm: np.ndarray) -> np.ndarray:
        """Share of a slice whose distance to the middle lies between two values."""
        half_mm, middle_mm = (high_mm - low_mm) / 2, (high_mm + low_mm) / 2
        return self.lateral(half_mm, np.abs(x_mm) - np.float32(middle_mm))

    def window(
        self, centre_mm: np.ndarray, radius_mm: float, x_range_mm: tuple[float, float]
    ) -> Window | None:
        """Returns the pixels around (y, z) in the slices that meet a range of x.

        Args:
            centre_mm: [2] (y, z).
            radius_mm: Of what must lie inside.
            x_range_mm: Lowest and highest distance to the mid-sagittal surface.

        Returns:
            Slices, rows and columns; None if out of view.
        """
        y_mm, z_mm = centre_mm
        low_x, high_x = x_range_mm
        corners = np.array([[x, y_mm, z_mm] for x in (low_x - 8.0, high_x + 8.0)])
        index = geometry.to_patient(self.body_to_index, corners)[:, 1:]
        radius = radius_mm / self.pixel_mm
        low = np.maximum(np.floor(index.min(axis=0) - radius), 0).astype(int)
        high = np.ceil(index.max(axis=0) + radius).astype(int) + 1
        high = np.minimum(high, self.t2.shape[1:])
        if np.any(high <= low):
            return None
        rows, columns = slice(low[0], high[0]), slice(low[1], high[1])
        x_mm = self.x_mm[:, rows, columns]
        margin_mm = self.slice_mm / 2
        meets = (x_mm.max(axis=(1, 2)) > low_x - margin_mm) & (
            x_mm.min(axis=(1, 2)) < high_x + margin_mm
        )
        slices = np.flatnonzero(meets)
        if not slices.size:
            return None
        return slice(slices[0], slices[-1] + 1), rows, columns

    def crop(self, window: Window) -> "Canvas":
        """Returns a canvas of a window that shares its signals."""
        start = np.array([axis.start or 0 for axis in window])
        shift = np.eye(4)
        shift[:3, 3] = -start
        return dataclasses.replace(
            self,
            t2=self.t2[window],
            t1=self.t1[window],
            x_mm=self.x_mm[window],
            y_mm=self.y_mm[window],
            z_mm=self.z_mm[window],
            body_to_index=shift @ self.body_to_index,
        )

    def paint(self, window: Window, cover: np.ndarray, signals: tuple) -> None:
        """Lays a tissue over a window.

        Args:
            window: Where.
            cover: Share of each pixel that the tissue takes, broadcastable to the window.
            signals: (T2, T1) signal, numbers or arrays like `cover`.
        """
        for image, signal in ((self.t2, signals[0]), (self.t1, signals[1])):
            view = image[window]
            view += cover * (signal - view)


def make(
    affine: np.ndarray,
    shape: tuple,
    body_to_patient: np.ndarray,
    midline_x_mm: Callable[[np.ndarray], np.ndarray],
) -> Canvas:
    """Makes an empty canvas.

    Args:
        affine: [4, 4] index to patient mm.
        shape: (slices, rows, columns).
        body_to_patient: [4, 4].
        midline_x_mm: Function from body z in mm to the x of the mid-sagittal surface.

    Returns:
        The canvas, black.
    """
    index_to_body = np.linalg.inv(body_to_patient) @ affine
    axes = np.ogrid[: shape[0], : shape[1], : shape[2]]
    axes = [axis.astype(np.float32) for axis in axes]
    matrix = index_to_body.astype(np.float32)
    x_mm, y_mm, z_mm = (
        np.broadcast_to(row[0] * axes[0] + row[1] * axes[1] + row[2] * axes[2] + row[3], shape)
        for row in matrix[:3]
    )
    table_mm = np.linspace(z_mm.min(), z_mm.max(), 256, dtype=np.float32)
    curve_mm = midline_x_mm(table_mm).astype(np.float32)
    step_mm = table_mm[1] - table_mm[0]
    x_mm = x_mm - curve_mm[((z_mm - table_mm[0]) / step_mm).astype(np.int32).clip(0, 255)]
    scale = float(np.linalg.norm(body_to_patient[:3, 0]))
    spacing_mm = geometry.spacing_mm(affine)
    return Canvas(
        t2=np.zeros(shape, np.float32),
        t1=np.zeros(shape, np.float32),
        x_mm=x_mm,
        y_mm=y_mm,
        z_mm=z_mm,
        body_to_index=np.linalg.inv(index_to_body),
        pixel_mm=float(spacing_mm[1]) / scale,
        slice_mm=4.0 / scale,
    )


def double(coarse: np.ndarray, axes: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Interpolates to twice as many pixels along some axes; centres lie at quarters."""
    for axis in axes:
        last = coarse.shape[axis] - 1
        before = coarse.take(np.maximum(np.arange(-1, last), 0), axis)
        after = coarse.take(np.minimum(np.arange(1, last + 2), last), axis)
        quarter, rest = np.float32(0.25), np.float32(0.75)
        coarse = rest * coarse
        pair = np.stack([coarse + quarter * before, coarse + quarter * after], axis + 1)
        shape = list(coarse.shape)
        shape[axis] *= 2
        coarse = pair.reshape(shape)
    return coarse


def local_frame(
    canvas: Canvas, window: Window, centre_mm: np.ndarray, tilt: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (along, up) in mm of every pixel of a window in a tilted frame, float32."""
    y_mm = canvas.y_mm[window] - np.float32(centre_mm[0])
    z_mm = canvas.z_mm[window] - np.float32(centre_mm[1])
    cosine, sine = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
    return y_mm * cosine + z_mm * sine, z_mm * cosine - y_mm * sine


def quad_distances(
    along_mm: np.ndarray,
    up_mm: np.ndarray,
    corners_mm: np.ndarray,
    curves_mm: np.ndarray | None = None,
    lateral: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[np.ndarray]:
    """Returns the signed distances to the four bent edges of a quad, inside positive.

    Args:
        along_mm: Pixel coordinates, front to back.
        up_mm: Pixel coordinates, foot to head.
        corners_mm: [4, 2] clockwise from the anterior-superior corner.
        curves_mm: [4, n] inward bend along each edge; None for straight edges.
        lateral: [4, n] curves to add, and their weight at each pixel.

    Returns:
        Four arrays of the pixels' shape, edges top, back, bottom, front.
    """
    distances = []
    for edge in range(4):
        start, end = corners_mm[edge], corners_mm[(edge + 1) % 4]
        length_mm = float(np.linalg.norm(end - start))
        along, up = ((end - start) / length_mm).astype(np.float32)
        offset_a, offset_u = along_mm - np.float32(start[0]), up_mm - np.float32(start[1])
        distance = offset_a * up - offset_u * along
        if curves_mm is not None:
            position = (offset_a * along + offset_u * up) / np.float32(length_mm)
            distance -= _lookup(curves_mm[edge], position)
            if lateral is not None:
                distance -= lateral[1] * _lookup(lateral[0][edge], position)
        distances.append(distance)
    return distances


def _lookup(curve: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Linear interpolation of a curve over [0, 1], its ends outside; quicker than np.interp."""
    fine = np.interp(np.linspace(0, 1, 513), np.linspace(0, 1, len(curve)), curve)
    index = np.clip(position * np.float32(512) + np.float32(0.5), 0, 512).astype(np.int32)
    return fine.astype(np.float32)[index]


def smooth_minimum(distances: list[np.ndarray], radius_mm: float) -> np.ndarray:
    """Returns the minimum of distances with corners rounded over about `radius_mm`."""
    sharpness = np.float32(1 / radius_mm)
    total = sum(np.exp(np.clip(distance * -sharpness, -30, 30)) for distance in distances)
    return np.log(total) / -sharpness


def blobs(random: np.random.Generator, shape: tuple, sigma: tuple) -> np.ndarray:
    """Returns smooth noise of unit variance, float32; it wraps round at its ends."""
    noise = ndimage.gaussian_filter(
        random.standard_normal(shape, dtype=np.float32), sigma, mode="wrap", truncate=2.5
    )
    return noise / noise.std()
