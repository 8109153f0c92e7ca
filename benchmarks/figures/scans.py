"""Phantom scans, the crops the sampler cuts from them, and which subjects are shown."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from data_prep import scan_crops
from spine_tf import levels, vertebrae, volume
from spine_tf.data import crops
from spine_tf.phantom import ageing, anatomy, cohort

_DAYS_PER_YEAR = 365.25
_SCALE = 1.0
_VERTEBRAE, _DISCS = levels.LUMBAR_VERTEBRAE, levels.LUMBAR_DISCS
_GRADED = _DISCS[1:]  # T12-L1 is not graded
_SLIP, _DEGENERATION = "spondylolisthesis", "disc_degeneration"


@dataclasses.dataclass(frozen=True)
class Case:
    """One disc of one subject of a cohort."""

    index: int
    disc: levels.DiscLevel


@dataclasses.dataclass(frozen=True)
class Scan:
    """A T2 scan with its vertebrae, T12 to S1."""

    volume: volume.Volume
    annotation: vertebrae.Annotation

    @functools.cached_property
    def bodies(self) -> dict[levels.VertebraLevel, np.ndarray]:
        """Vertebra -> the middle slice [224, 224] float32 of its crop, as networks see it."""
        found = scan_crops.vertebra_crops(self.volume, self.annotation, _SCALE)
        return {level: _shown(found[level.value], crops.VERTEBRA) for level in _VERTEBRAE}

    @functools.cached_property
    def discs(self) -> dict[levels.DiscLevel, np.ndarray]:
        """Disc -> the middle slice [112, 224] float32 of its crop, as networks see it."""
        found = scan_crops.disc_crops(self.volume, self.annotation, _SCALE)
        return {level: _shown(found[level.value], crops.DISC) for level in _DISCS}

    def disc_outline(self, disc: levels.DiscLevel) -> np.ndarray:
        """The corners [4, 2] of a disc as (column, row) of its crop."""
        by_level = self.annotation.by_level
        corners_mm = crops.disc_corners_mm(
            by_level[disc.upper].corners_mm, by_level[disc.lower].corners_mm
        )
        spacing_mm = self.volume.spacing_mm.astype(np.float32)
        corners_index = crops.to_index(self.volume.affine, corners_mm).numpy()
        found = crops.frame(corners_index[None], spacing_mm)
        centre_mm, (row, column), width_mm = (value.numpy()[0] for value in found)
        offset_mm = corners_index[:, 1:] * spacing_mm[1:] - centre_mm
        turned_mm = offset_mm @ np.array([[row, column], [column, -row]])
        middle = (np.array([crops.DISC.columns, crops.DISC.rows]) - 1) / 2
        return middle + turned_mm * crops.DISC.pixels_per_width / width_mm


def _shown(crop: Mapping[str, np.ndarray], kind: crops.CropKind) -> np.ndarray:
    """Leaves out the margins and all slices but the middle one."""
    top = (kind.stored_rows - kind.rows) // 2
    left = (kind.stored_columns - kind.columns) // 2
    middle = crop["image"][crops.STORED_SLICES // 2]
    return middle[top : top + kind.rows, left : left + kind.columns]


@functools.lru_cache(maxsize=16)
def render(config: cohort.CohortConfig, index: int, visit: int) -> Scan:
    """Renders one visit of one subject."""
    return Scan(*cohort.make_sagittal_t2(config, index, visit))


@functools.lru_cache(maxsize=1024)
def _plan(config: cohort.CohortConfig, index: int) -> cohort.Plan:
    return cohort.make_plan(config, index)


def years_between(config: cohort.CohortConfig, index: int) -> float:
    """Returns the years from the first to the second visit."""
    days = _plan(config, index).days
    return (days[1] - days[0]) / _DAYS_PER_YEAR


def grades(config: cohort.CohortConfig, case: Case, grading: str) -> list[int]:
    """Returns the published grade of a disc at every visit."""
    return [visit[case.disc][grading] for visit in _plan(config, case.index).gradings]


def _families(config: cohort.CohortConfig, least_visits: int) -> Iterator[int]:
    """The first subject of every family that comes often enough."""
    seen = set()
    for index in range(config.num_subjects):
        family = cohort.family_index(index)
        if family not in seen and cohort.num_visits(config, index) >= least_visits:
            seen.add(family)
            yield index


def _graded_pairs(config: cohort.CohortConfig) -> Iterator[tuple[Case, list[int], list[int]]]:
    """Discs of subjects who come again, with their grades of slip and of degeneration twice."""
    for index, disc in itertools.product(_families(config, 2), _GRADED):
        case = Case(index, disc)
        yield case, grades(config, case, _SLIP)[:2], grades(config, case, _DEGENERATION)[:2]


def slipping(config: cohort.CohortConfig) -> Case:
    """Returns the disc with the largest true slip of those graded as slipped only the second time.

    Raises:
        ValueError: If there is none.
    """
    cases = [case for case, slip, _ in _graded_pairs(config) if slip == [0, 1]]
    if not cases:
        raise ValueError(_missing(config, "a vertebra that slips between two visits"))
    return max(cases, key=lambda case: _state(config, case, 1).slip_mm)


def degenerating(config: cohort.CohortConfig, count: int) -> list[Case]:
    """Returns the discs whose grade rises most between two visits, without a slip, one per family.

    Raises:
        ValueError: If there are fewer than `count`; of equal rises the first are taken.
    """
    rise = {
        case: after - before
        for case, slip, (before, after) in _graded_pairs(config)
        if not any(slip) and after > before
    }
    best = {}
    for case in sorted(rise, key=rise.get, reverse=True):
        best.setdefault(case.index, case)
    if len(best) < count:
        raise ValueError(_missing(config, f"{count} families with discs that degenerate"))
    return list(best.values())[:count]


def followed(config: cohort.CohortConfig, count: int) -> list[int]:
    """Returns the first subjects of different families that come again.

    Raises:
        ValueError: If there are fewer.
    """
    found = list(itertools.islice(_families(config, 2), count))
    if len(found) < count:
        raise ValueError(_missing(config, f"{count} families that come again"))
    return found


def typical(config: cohort.CohortConfig, disc: levels.DiscLevel, grade: int) -> Case:
    """Returns the median, by true degeneration, of the discs of one grade at first visits.

    Raises:
        ValueError: If there is none.
    """
    cases = [Case(index, disc) for index in range(config.num_subjects)]
    cases = [case for case in cases if grades(config, case, _DEGENERATION)[0] == grade]
    if not cases:
        raise ValueError(_missing(config, f"a disc {disc.value} of grade {grade}"))
    cases.sort(key=lambda case: _state(config, case, 0).degeneration)
    return cases[len(cases) // 2]


def _state(config: cohort.CohortConfig, case: Case, visit: int) -> ageing.DiscState:
    place = anatomy.RENDERED.index(case.disc.upper.value)
    return cohort.truth(config, case.index).discs[visit][place]


def _missing(config: cohort.CohortConfig, what: str) -> str:
    return (
        f"`num_subjects` must be large enough for {what}, got {config.num_subjects} with seed"
        f" {config.seed}. Choose more subjects or another seed."
    )
