"""From the network's maps to bodies and discs in the patient.

Every pixel of a body says where the corners of its body are, and so where its centre is. The pixels
of all slices vote together, in the plane of the slices: a body is where many meet, and a body that
touches its neighbour in a slice stays a body of its own. The medians of what its pixels say are a
first quad. The pixels that voted for it have an outline, and from that its corners are cut as those
of true masks are (`quads`), which is nearer than the medians.
"""

import dataclasses

import numpy as np
import scipy.ndimage

from spine_tf import geometry
from spine_tf.detection import candidates, quads, slices, targets

_LEAST_BODY = 0.5  # share of a pixel that votes
_LEAST_OUTLINE = 0.1  # share of a pixel that says where the outline passes
_BLUR_PIXELS = 2.0
_APART_PIXELS = 2 * round(7.0 / slices.SPACING_MM) + 1  # centres of bodies are farther apart
_REACH_PIXELS = 9.0 / slices.SPACING_MM  # of a vote from the centre it is for
_LEAST_AREA_PIXELS = 125.0 / slices.SPACING_MM**2  # in its best slice
_SHARE_OF_BEST = 0.5  # a slice that shows so much of it as the best one shows it
_LEAST_WIDTH_MM = 12.0  # from side to side, or _LEAST_WIDTH_SHARE of the volume where it is thin
_LEAST_WIDTH_SHARE = 0.6
_HALF_SLAB_MM = 8.0  # slices this near the mid-slice say where the first quad is
_BEYOND_MM = 10.0  # of the first quad: what votes for a body from farther is none of it
_LEAST_OF_QUAD = 0.5  # of the first quad's area: an outline of less says nothing
_LEAST_LEVEL = 1e-4
_OUTSIDE_PIXELS = 2.0  # a body whose corners lie farther outside is cut off
_LEAST_DISC = 0.4
_HALF_DISC_SLAB_MM = 5.0
_LEAST_DISC_PIXELS = 45.0 / slices.SPACING_MM**2


@dataclasses.dataclass(frozen=True)
class Maps:
    """What the network says of every pixel of a volume.

    Attributes:
        classes: [slices, rows, columns, classes] probabilities, of `targets.CLASSES`.
        corners: [slices, rows, columns, 4, 2] (row, column) of the corners of the pixel's body.
    """

    classes: np.ndarray
    corners: np.ndarray

    @property
    def body(self) -> np.ndarray:
        """[slices, rows, columns] probability of any body."""
        return self.classes[..., targets.FIRST_BODY :].sum(axis=-1)


def maps(output: np.ndarray) -> Maps:
    """Makes maps of the network's output.

    Args:
        output: [slices, rows, columns, channels]: logits of the classes, offsets of corners.
    """
    logits, offsets = np.split(output.astype(np.float32), [len(targets.CLASSES)], axis=-1)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    grid = np.moveaxis(np.mgrid[: output.shape[1], : output.shape[2]], 0, -1)
    offsets = offsets.reshape(*output.shape[:3], -1, 2) * targets.OFFSET_PIXELS
    return Maps(
        exponentials / exponentials.sum(axis=-1, keepdims=True),
        offsets + grid[:, :, np.newaxis].astype(np.float32),
    )


@dataclasses.dataclass(frozen=True)
class _Votes:
    """The pixels of bodies: their index, weight, corners, levels."""

    place: np.ndarray  # [n, 3]
    weight: np.ndarray  # [n]
    corners: np.ndarray  # [n, 4, 2]
    levels: np.ndarray  # [n, bodies]

    @property
    def slice_number(self) -> np.ndarray:
        return self.place[:, 0]

    @property
    def centres(self) -> np.ndarray:
        return self.corners.mean(axis=1)

    def of(self, keep: np.ndarray) -> "_Votes":
        return _Votes(*(getattr(self, field.name)[keep] for field in dataclasses.fields(self)))


def bodies(found: Maps, sliced: slices.Slices) -> list[candidates.Candidate]:
    """Returns the bodies that the maps show whole, from head to foot."""
    body = found.body
    where = np.nonzero(body > _LEAST_OUTLINE)
    levels = found.classes[where][:, targets.FIRST_BODY :]
    votes = _Votes(np.stack(where, axis=1), body[where], found.corners[where], levels)
    peaks = _peaks(votes.of(votes.weight > _LEAST_BODY), body.shape[1:])
    if not len(peaks):
        return []
    distances = np.linalg.norm(votes.centres[:, np.newaxis] - peaks, axis=-1)
    nearest = distances.argmin(axis=1)
    is_near = distances.min(axis=1) < _REACH_PIXELS
    made = [
        _candidate(votes.of(is_near & (nearest == number)), body, sliced)
        for number in range(len(peaks))
    ]
    return sorted((one for one in made if one), key=lambda one: -one.center_mm[2])


def _peaks(votes: _Votes, shape: tuple[int, int]) -> np.ndarray:
    """[peaks, 2] where votes meet, in the plane of the slices."""
    plane = np.zeros(shape)
    place = np.round(votes.centres).astype(int)
    inside = np.all((place >= 0) & (place < shape), axis=1)
    np.add.at(plane, tuple(place[inside].T), votes.weight[inside])
    plane = scipy.ndimage.gaussian_filter(plane, _BLUR_PIXELS, mode="constant")
    highest = scipy.ndimage.maximum_filter(plane, _APART_PIXELS, mode="constant")
    least = _LEAST_AREA_PIXELS / (8 * np.pi * _BLUR_PIXELS**2)
    return np.argwhere((plane == highest) & (plane > least)).astype(float)


def _candidate(
    votes: _Votes, body: np.ndarray, sliced: slices.Slices
) -> candidates.Candidate | None:
    """The body that some pixels vote for; None if it is too small or cut off."""
    outline, votes = votes, votes.of(votes.weight > _LEAST_BODY)
    spacing_mm = geometry.spacing_mm(sliced.affine)[0]
    areas = np.bincount(votes.slice_number, votes.weight, minlength=len(body))
    shown = _run(areas)
    least_mm = min(_LEAST_WIDTH_MM, _LEAST_WIDTH_SHARE * len(body) * spacing_mm)
    if areas.max() < _LEAST_AREA_PIXELS or len(shown) * spacing_mm < least_mm:
        return None
    mid_slice = _median_slice(areas)
    slab = _slab(shown, mid_slice, _HALF_SLAB_MM / spacing_mm)
    votes = votes.of(np.isin(votes.slice_number, slab))
    corners = np.median(votes.corners, axis=0)
    size = np.array(sliced.image.shape[1:]) - 1
    if np.any(corners < -_OUTSIDE_PIXELS) or np.any(corners > size + _OUTSIDE_PIXELS):
        return None
    outline_slab = _slab(shown, mid_slice, quads.HALF_SLAB_MM / spacing_mm)
    corners = _cut(_mean_map(outline, outline_slab, body.shape[1:]), corners)
    covered = targets.inside(corners, body.shape[1:])
    if not covered.any():
        return None
    index = np.concatenate([np.full((4, 1), mid_slice), corners], axis=1)
    return candidates.Candidate(
        corners_mm=geometry.to_patient(sliced.affine, index),
        slice_range=(int(shown[0]), int(shown[-1])),
        score=float(np.clip(body[slab][:, covered].mean(), 0, 1)),
        level_log_probability=_opinion(votes),
    )


def _median_slice(areas: np.ndarray) -> float:
    """Index, not rounded, of the slice with half of a body on either side."""
    ends = np.concatenate([[0.0], np.cumsum(areas)])
    return float(np.interp(ends[-1] / 2, ends, np.arange(len(ends)) - 0.5))


def _slab(shown: np.ndarray, mid_slice: float, reach: float) -> np.ndarray:
    """Those of the slices that are near the mid-slice, the nearest at least."""
    distance = np.abs(shown - mid_slice)
    return shown[distance <= max(reach, distance.min())]


def _mean_map(votes: _Votes, slab: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[rows, columns] mean share of a body over some slices, of the pixels that vote for it."""
    total = np.zeros(shape)
    near = votes.of(np.isin(votes.slice_number, slab))
    np.add.at(total, tuple(near.place[:, 1:].T), near.weight)
    return total / len(slab)


def _cut(share: np.ndarray, first: np.ndarray) -> np.ndarray:
    """[4, 2] the quad cut from the outline of a body; the first one if there is no outline."""
    outward = first - first.mean(axis=0)
    beyond = _BEYOND_MM / slices.SPACING_MM / np.linalg.norm(outward, axis=1, keepdims=True)
    share = share * targets.inside(first + beyond * outward, share.shape)
    part = quads.largest_part(share > 0.5)
    if part.sum() < _LEAST_OF_QUAD * targets.inside(first, share.shape).sum():
        return first
    around = scipy.ndimage.binary_dilation(part, np.ones((3, 3), bool))
    points = quads.outline_points(share * around, np.ones(2))
    down = first[2:].sum(axis=0) - first[:2].sum(axis=0)
    return quads.in_corner_order(quads.largest_quad(points), down[::-1])[:, ::-1]


def _run(areas: np.ndarray) -> np.ndarray:
    """Numbers of neighbouring slices that show as much as the best one, where most of it is.

    Not simply those around the best slice: what is taken for a body at the side of the volume may
    be larger there than any slice of the body.
    """
    is_shown = areas >= _SHARE_OF_BEST * areas.max()
    runs, count = scipy.ndimage.label(is_shown)
    sums = scipy.ndimage.sum_labels(areas, runs, np.arange(1, count + 1))
    return np.flatnonzero(runs == 1 + np.argmax(sums))


def _opinion(votes: _Votes) -> np.ndarray:
    """[len(LEVELS)] log probabilities of the levels; L6 is never said."""
    share = np.full(len(candidates.LEVELS), _LEAST_LEVEL)
    places = [candidates.LEVELS.index(name) for name in targets.BODY_LEVELS]
    share[places] += votes.levels.sum(axis=0) / votes.levels.sum()
    return np.log(share / share.sum())


def discs(
    found: Maps, sliced: slices.Slices, near: list[candidates.Candidate]
) -> list[candidates.DiscCandidate]:
    """Returns the discs in the mid-slices of some bodies, from head to foot."""
    if not near:
        return []
    middles = [geometry.to_index(sliced.affine, one.center_mm)[0] for one in near]
    distance_mm = np.abs(np.arange(len(found.classes)) - np.median(middles))
    distance_mm *= geometry.spacing_mm(sliced.affine)[0]
    slab = distance_mm <= max(_HALF_DISC_SLAB_MM, distance_mm.min())
    share = found.classes[slab][..., targets.DISC].mean(axis=0)
    parts, count = scipy.ndimage.label(share > _LEAST_DISC)
    made = [
        _disc(parts == number, share, np.median(middles), sliced) for number in range(1, count + 1)
    ]
    return sorted((one for one in made if one), key=lambda one: -one.center_mm[2])


def _disc(part, share, mid_slice: float, sliced) -> candidates.DiscCandidate | None:
    points = np.argwhere(part)
    if len(points) < _LEAST_DISC_PIXELS:
        return None
    centre = points.mean(axis=0)
    variances = np.linalg.eigvalsh(np.cov((points - centre).T))
    length_mm = float(np.sqrt(12 * variances[1])) * slices.SPACING_MM
    area_mm2 = len(points) * slices.SPACING_MM**2
    return candidates.DiscCandidate(
        center_mm=geometry.to_patient(sliced.affine, [mid_slice, *centre]),
        height_mm=area_mm2 / length_mm,
        length_mm=length_mm,
        score=float(np.clip(share[part].mean(), 0, 1)),
    )
