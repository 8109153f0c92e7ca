"""What the network finds in a volume, before the column is labelled."""

import dataclasses

import numpy as np

from spine_tf import levels, vertebrae

# Head to foot. S2 stands for every sacral body below S1; it is never annotated.
BELOW_S1 = "S2"
LEVELS = (*(level.value for level in levels.VertebraLevel), BELOW_S1)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A vertebral or sacral body that the network found in one or more slices.

    Attributes:
        corners_mm: [4, 3] float64 mean quad in its own mid-sagittal slice,
            `vertebrae.CORNER_ORDER`, LPS mm.
        slice_range: First and last slice of the volume in which it was found.
        score: 0 to 1, how sure the network is that this is one whole body.
        level_log_probability: [len(LEVELS)] float64, the network's own opinion of its level;
            natural logarithms of probabilities that sum to 1.
    """

    corners_mm: np.ndarray
    slice_range: tuple[int, int]
    score: float
    level_log_probability: np.ndarray

    def __post_init__(self):
        corners_mm = np.asarray(self.corners_mm, np.float64)
        opinion = np.asarray(self.level_log_probability, np.float64)
        shape = (len(vertebrae.CORNER_ORDER), 3)
        if corners_mm.shape != shape or not np.isfinite(corners_mm).all():
            raise ValueError(f"`corners_mm` must be {shape} finite mm, got {corners_mm.tolist()}.")
        if opinion.shape != (len(LEVELS),):
            raise ValueError(
                f"`level_log_probability` must have a value for each of {', '.join(LEVELS)}, got"
                f" shape {opinion.shape}."
            )
        if not 0 <= self.score <= 1:
            raise ValueError(f"`score` must be from 0 to 1, got {self.score!r}.")
        object.__setattr__(self, "corners_mm", corners_mm)
        object.__setattr__(self, "level_log_probability", opinion)

    @property
    def center_mm(self) -> np.ndarray:
        """[3] mean of the corners, LPS mm."""
        return self.corners_mm.mean(axis=0)


@dataclasses.dataclass(frozen=True)
class DiscCandidate:
    """An intervertebral disc that the network found, a remnant within the sacrum too.

    Attributes:
        center_mm: [3] float64, LPS mm.
        height_mm: Mean extent between its endplates.
        length_mm: Extent from front to back.
        score: 0 to 1, how sure the network is that this is a disc.
    """

    center_mm: np.ndarray
    height_mm: float
    length_mm: float
    score: float

    def __post_init__(self):
        center_mm = np.asarray(self.center_mm, np.float64)
        if center_mm.shape != (3,) or not np.isfinite(center_mm).all():
            raise ValueError(f"`center_mm` must be 3 finite mm, got {center_mm.tolist()}.")
        if not 0 <= self.score <= 1:
            raise ValueError(f"`score` must be from 0 to 1, got {self.score!r}.")
        object.__setattr__(self, "center_mm", center_mm)
