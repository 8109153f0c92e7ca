"""Whether a volume is what the detector knows: a sagittal T2 of a lumbar spine.

Two looks. Before the network: is it a stack of sagittal slices at all, and does it show
something. After it: are what it took for bodies, discs and canal such as they are in T2 images of
lumbar spines. Water is bright in T2 alone: the canal is brighter there than bodies and discs. The
bodies have the size of lumbar ones, a canal runs behind them, and discs lie between them.

docs/detection_use.md has what the measures are in images that the limits were set with.
"""

import dataclasses

import numpy as np

from spine_tf import geometry, volume
from spine_tf.detection import candidates, column_geometry, decode, slices, targets

LEAST_SLICES = 4
MOST_PIXEL_MM = 2.0  # of a sagittal plane; an axial stack has rows as far apart as its slices
LEAST_HEIGHT_MM, MOST_HEIGHT_MM = 100.0, 400.0  # of the field of view: four bodies; no localizer
_LEAST_SHARE = 0.5  # probability of a class by which a pixel counts
_HALF_SLAB_MM = 6.0  # slices this near the middle of the bodies are measured
_BEHIND_PIXELS = 30.0 / slices.SPACING_MM  # of a body's back, where its canal must lie
_DISC_REACH_MM = 12.0  # of a disc from the middle between two bodies
_LEAST_PIXELS = 20
_ABSENT = -1.0  # a logarithm where one of two tissues was not found


@dataclasses.dataclass(frozen=True)
class Measures:
    """What is measured after the network has looked.

    Attributes:
        body_score: Mean score of the bodies.
        body_width_mm: Median width of the bodies from front to back.
        canal_share: Share of the bodies with a canal behind them.
        disc_share: Share of the gaps between neighbours in which a disc lies.
        canal_to_body: Natural logarithm of the brightness of the canal over that of the bodies.
        canal_to_disc: The same over that of the discs.
    """

    body_score: float
    body_width_mm: float
    canal_share: float
    disc_share: float
    canal_to_body: float
    canal_to_disc: float

    @property
    def canal_contrast(self) -> float:
        """Sum of both logarithms: discs alone are bright in the young, bodies alone in fat."""
        return self.canal_to_body + self.canal_to_disc


@dataclasses.dataclass(frozen=True)
class _Limit:
    """The least value of a measure, a step that counts as 1, and what is said below it."""

    least: float
    step: float
    reason: str


LIMITS = {
    "body_score": _Limit(0.6, 0.1, "what was found does not look like vertebral bodies"),
    "body_width_mm": _Limit(22.0, 3.0, "the bodies are too small for lumbar ones"),
    "canal_share": _Limit(0.7, 0.1, "no spinal canal lies behind the bodies"),
    "disc_share": _Limit(0.5, 0.1, "no discs lie between the bodies"),
    "canal_to_body": _Limit(0.0, 0.1, "the canal is not brighter than the bodies: not T2"),
    "canal_contrast": _Limit(
        0.9, 0.2, "the canal is not much brighter than bodies and discs: not T2"
    ),
}


def unfit(scan: volume.Volume) -> str:
    """Returns why a volume is not even looked at, or ""."""
    num_slices, rows, _ = scan.array.shape
    _, row_mm, column_mm = scan.spacing_mm
    if num_slices < LEAST_SLICES:
        return f"{num_slices} sagittal slices, fewer than {LEAST_SLICES}"
    if max(row_mm, column_mm) > MOST_PIXEL_MM:
        return (
            f"no sagittal stack: pixels of {row_mm:.3g} x {column_mm:.3g} mm in its sagittal"
            f" planes, above {MOST_PIXEL_MM:g} mm"
        )
    if rows * row_mm < LEAST_HEIGHT_MM:
        return f"field of view of {rows * row_mm:.0f} mm, below {LEAST_HEIGHT_MM:g} mm"
    if rows * row_mm > MOST_HEIGHT_MM:
        return f"localizer: field of view of {rows * row_mm:.0f} mm, above {MOST_HEIGHT_MM:g} mm"
    low, high = (float(value) for value in (scan.array.min(), scan.array.max()))
    if not np.isfinite([low, high]).all():
        return "has voxels that are no finite numbers"
    return f"shows nothing: every voxel is {low:g}" if low == high else ""


def measure(
    found: decode.Maps,
    sliced: slices.Slices,
    bodies: list[candidates.Candidate],
    discs: list[candidates.DiscCandidate],
) -> Measures | None:
    """Measures what the network found; None if it found no body.

    Args:
        found: What the network says of every pixel.
        sliced: What it looked at.
        bodies: From `decode.bodies`, head to foot.
        discs: From `decode.discs`.
    """
    if not bodies:
        return None
    corners_mm = np.stack([one.corners_mm for one in bodies])
    quads = geometry.to_index(sliced.affine, corners_mm)
    slab = _slab(quads, sliced)
    shown = found.classes[slab] > _LEAST_SHARE
    rows = np.arange(shown.shape[1])
    near = (rows >= quads[..., 1].min()) & (rows <= quads[..., 1].max())
    image = sliced.image[slab][:, near]
    canal = shown[..., targets.CANAL]
    of_bodies = _grey(image, found.body[slab][:, near] > _LEAST_SHARE)
    of_canal = _grey(image, canal[:, near])
    of_discs = _grey(image, shown[..., targets.DISC][:, near])
    return Measures(
        body_score=float(np.mean([one.score for one in bodies])),
        body_width_mm=float(np.median(column_geometry.widths_mm(corners_mm))),
        canal_share=float(np.mean([_has_canal(canal, quad) for quad in quads])),
        disc_share=_disc_share(corners_mm, discs),
        canal_to_body=_log_ratio(of_canal, of_bodies),
        canal_to_disc=_log_ratio(of_canal, of_discs),
    )


def margins(measures: Measures) -> dict[str, float]:
    """Returns how far each measure is above its limit, in steps."""
    return {
        name: (getattr(measures, name) - limit.least) / limit.step for name, limit in LIMITS.items()
    }


def score(measures: Measures | None) -> float:
    """Returns the least of the margins; 0 and above is in the domain, -10 the least."""
    return -10.0 if measures is None else max(min(margins(measures).values()), -10.0)


def reason(measures: Measures | None) -> str:
    """Returns why a volume is out of the domain, or ""."""
    if measures is None:
        return "out of domain: no vertebral body was found"
    name, margin = min(margins(measures).items(), key=lambda item: item[1])
    if margin >= 0:
        return ""
    limit = LIMITS[name]
    value = getattr(measures, name)
    return f"out of domain: {limit.reason} ({name} {value:.2f}, below {limit.least:g})"


def _slab(quads: np.ndarray, sliced: slices.Slices) -> np.ndarray:
    """Numbers of the slices near the middle of the bodies."""
    middle = float(np.median(quads[..., 0]))
    reach = max(_HALF_SLAB_MM / geometry.spacing_mm(sliced.affine)[0], 0.5)
    numbers = np.arange(len(sliced.image))
    return numbers[np.abs(numbers - middle) <= reach]


def _grey(image: np.ndarray, where: np.ndarray) -> float:
    """The median of the marked pixels; NaN for too few."""
    values = image[where]
    return float(np.median(values)) if len(values) >= _LEAST_PIXELS else np.nan


def _log_ratio(one: float, other: float) -> float:
    ratio = float(np.log(max(one, 1e-3) / max(other, 1e-3)))
    return ratio if np.isfinite(ratio) else _ABSENT


def _has_canal(canal: np.ndarray, quad: np.ndarray) -> bool:
    """Whether pixels of the canal [slices, rows, columns] lie behind the middle of a body."""
    middle = quad[[1, 2], 1:].mean(axis=0)
    row, column = np.round(middle).astype(int)
    end = column + int(_BEHIND_PIXELS)
    return bool(canal[:, max(row, 0) : row + 1, max(column - 2, 0) : end].any())


def _disc_share(corners_mm: np.ndarray, discs: list[candidates.DiscCandidate]) -> float:
    if len(corners_mm) < 2 or not discs:
        return 0.0
    gaps = (corners_mm[:-1, [2, 3]].mean(axis=1) + corners_mm[1:, [0, 1]].mean(axis=1)) / 2
    centres = np.stack([disc.center_mm for disc in discs])
    away = np.linalg.norm((gaps[:, np.newaxis] - centres)[..., 1:], axis=-1)
    return float(np.mean(away.min(axis=1) < _DISC_REACH_MM))
