"""A synthetic longitudinal cohort: who there is, when they come, and what is found.

Every number depends on `CohortConfig` and the subject's index alone, so subjects can be made in
any order and in any number of processes.
"""

import dataclasses
import functools

import numpy as np

from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.phantom import ageing, anatomy, appearance, pose, render

_BLOCK = 20  # subjects; visits are dealt out exactly in every block
_FAMILY_GROUP = 6  # of every six neighbours the first two are twins
_DAYS_PER_YEAR = 365.25


@dataclasses.dataclass(frozen=True)
class CohortConfig:
    """A cohort.

    Attributes:
        num_subjects: Number of subjects.
        seed: Seed of everything.
        one_visit_percent: Share of subjects seen once.
        three_visits_percent: Share of subjects seen three times; the others come twice.
        matrices: Matrix sizes to choose from, pixels.
        variation: How much subjects differ.
        wear: How discs age and are read.
    """

    num_subjects: int = 40
    seed: int = 0
    one_visit_percent: int = 25
    three_visits_percent: int = 15
    matrices: tuple[int, ...] = (320, 352)
    variation: anatomy.Variation = anatomy.Variation()
    wear: ageing.Ageing = ageing.Ageing()

    def __post_init__(self):
        if self.num_subjects < 1:
            raise ValueError(f"`num_subjects` must be at least 1, got {self.num_subjects}.")
        percents = (self.one_visit_percent, self.three_visits_percent)
        if min(percents) < 0 or sum(percents) > 100:
            raise ValueError(
                "`one_visit_percent` and `three_visits_percent` must be at least 0 and add up to"
                f" at most 100, got {percents[0]} and {percents[1]}."
            )
        if not self.matrices or any(size < 64 or size % 2 for size in self.matrices):
            raise ValueError(f"`matrices` must be even and at least 64, got {self.matrices}.")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is known of a subject before anything is rendered.

    Attributes:
        index: Which subject of the cohort.
        subject_id: Its name.
        family_id: The name of its family; twins share it.
        days: Per visit, days since the first.
        field_strengths_t: Per visit.
        gradings: Per visit, disc -> grading -> grade.
    """

    index: int
    subject_id: str
    family_id: str
    days: tuple[int, ...]
    field_strengths_t: tuple[float, ...]
    gradings: tuple[dict[levels.DiscLevel, dict[str, int]], ...]


@dataclasses.dataclass(frozen=True)
class Visit:
    """One visit.

    Attributes:
        visit: 0 for the first.
        days: Days since the first.
        field_strength_t: Of the scanner.
        sagittal_t2: T2 volume, whole numbers from 0 to 4095.
        sagittal_t1: T1 volume on the same grid.
        annotation: True corners of T12 to S1, each on its own mid-sagittal plane.
        gradings: Disc -> grading -> published grade, as one reader gave it.
    """

    visit: int
    days: int
    field_strength_t: float
    sagittal_t2: volume.Volume
    sagittal_t1: volume.Volume
    annotation: vertebrae.Annotation
    gradings: dict[levels.DiscLevel, dict[str, int]]


@dataclasses.dataclass(frozen=True)
class Subject:
    """One subject and all its visits."""

    subject_id: str
    family_id: str
    visits: tuple[Visit, ...]


@dataclasses.dataclass(frozen=True)
class Truth:
    """Everything that lies behind a subject's images.

    Attributes:
        subject: Identity.
        years: [visits] since the first.
        discs: Per visit the discs.
    """

    subject: anatomy.Anatomy
    years: np.ndarray
    discs: list[tuple[ageing.DiscState, ...]]


# Streams of random numbers, so that adding one draw does not change another.
_BODY, _HISTORY, _CALENDAR, _READER, _SCAN, _BLOCKS, _LOCALIZER = range(7)

# Plane of the localizer -> directions of slices, rows and columns.
_PLANES = {
    "SAG": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "COR": ((0, 1, 0), (0, 0, -1), (1, 0, 0)),
    "AX": ((0, 0, 1), (0, 1, 0), (1, 0, 0)),
}
_LOCALIZER_PIXEL_MM = 450.0 / 192


def _random(config: CohortConfig, stream: int, *keys: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, stream, *keys])


def family_index(index: int) -> int:
    """Returns the smallest index of the subject's family."""
    return index - 1 if index % _FAMILY_GROUP == 1 else index


def num_visits(config: CohortConfig, index: int) -> int:
    """Returns how often a subject comes: the exact shares in every block of 20 subjects."""
    block, position = divmod(index, _BLOCK)
    once = round(_BLOCK * config.one_visit_percent / 100)
    thrice = round(_BLOCK * config.three_visits_percent / 100)
    counts = np.array([1] * once + [3] * thrice + [2] * (_BLOCK - once - thrice))
    return int(_random(config, _BLOCKS, block).permutation(counts)[position])


@functools.lru_cache(maxsize=8)
def truth(config: CohortConfig, index: int) -> Truth:
    """Draws what lies behind one subject.

    Raises:
        ValueError: If the cohort has no such subject.
    """
    if not 0 <= index < config.num_subjects:
        raise ValueError(f"`index` must be 0 to {config.num_subjects - 1}, got {index}.")
    family = family_index(index)
    subject = anatomy.draw(
        _random(config, _BODY, 0, family), _random(config, _BODY, 1, index), config.variation
    )
    gaps = _random(config, _CALENDAR, index).uniform(8.0, 12.0, num_visits(config, index))
    years = np.cumsum(gaps) - gaps[0]
    discs = ageing.draw_history(
        _random(config, _HISTORY, 0, family),
        _random(config, _HISTORY, 1, index),
        years,
        config.wear,
    )
    return Truth(subject, years, discs)


def make_plan(config: CohortConfig, index: int) -> Plan:
    """Returns visits and gradings of one subject without rendering anything.

    Raises:
        ValueError: If the cohort has no such subject.
    """
    behind = truth(config, index)
    visits = range(len(behind.years))
    return Plan(
        index=index,
        subject_id=f"phantom-{config.seed}-{index:05d}",
        family_id=f"family-{config.seed}-{family_index(index):05d}",
        days=tuple(int(round(year * _DAYS_PER_YEAR)) for year in behind.years),
        field_strengths_t=tuple(_scanner(visit).field_strength_t for visit in visits),
        gradings=tuple(_read(config, index, visit) for visit in visits),
    )


def _scanner(visit: int) -> appearance.Scanner:
    return appearance.BASELINE if visit == 0 else appearance.FOLLOW_UP


def _read(config: CohortConfig, index: int, visit: int, reading: int = 0) -> dict:
    behind = truth(config, index)
    return ageing.read(
        behind.discs[visit],
        behind.subject.canal_mm,
        _random(config, _READER, index, visit, reading),
        config.wear,
    )


def second_reading(config: CohortConfig, index: int, visit: int) -> dict:
    """Grades a visit again, as the same reader would on another day."""
    return _read(config, index, visit, reading=1)


def make_visit(config: CohortConfig, index: int, visit: int) -> Visit:
    """Renders one visit of one subject.

    Args:
        config: The cohort.
        index: Which subject.
        visit: 0 for its first visit.

    Raises:
        ValueError: If there is no such subject or visit.
    """
    scene, plan, random = _stage(config, index, visit)
    t2, t1 = render.sagittal(scene, plan, random)
    return Visit(
        visit=visit,
        days=make_plan(config, index).days[visit],
        field_strength_t=scene.scanner.field_strength_t,
        sagittal_t2=t2,
        sagittal_t1=t1,
        annotation=_annotation(scene.spine, scene.body),
        gradings=_read(config, index, visit),
    )


def make_sagittal_t2(
    config: CohortConfig, index: int, visit: int
) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Renders the T2 volume of one visit, the same as `make_visit`, without the T1."""
    scene, plan, random = _stage(config, index, visit)
    return render.sagittal_t2(scene, plan, random), _annotation(scene.spine, scene.body)


def laid_out_spine(config: CohortConfig, index: int, visit: int) -> pose.Spine:
    """Returns the true column of one visit: contours of every body, in the body frame."""
    return _stage(config, index, visit)[0].spine


def annotate(config: CohortConfig, index: int, visit: int) -> vertebrae.Annotation:
    """Returns the annotation of one visit without rendering it."""
    scene, _, _ = _stage(config, index, visit)
    return _annotation(scene.spine, scene.body)


def make_localizer(
    config: CohortConfig, index: int, visit: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Renders the localizer of one visit: three orthogonal thick slices, 450 mm wide.

    Returns:
        Plane -> array [1, 192, 192] float32 of whole numbers, affine [4, 4] of that array.
    """
    scene, plan, _ = _stage(config, index, visit)
    centre_mm = geometry.to_patient(plan.affine, (np.array(plan.shape) - 1) / 2)
    random = _random(config, _LOCALIZER, index, visit)
    planes = {}
    for name, axes in _PLANES.items():
        steps = np.array(axes, np.float64) * [[8.0], [_LOCALIZER_PIXEL_MM], [_LOCALIZER_PIXEL_MM]]
        origin_mm = np.round(centre_mm - 95.5 * (steps[1] + steps[2]), 4)
        affine = geometry.affine_from_axes(*steps, origin_mm)
        planes[name] = (render.scan(scene, affine, (1, 192, 192), random, ("t2",))[0], affine)
    return planes


def _stage(config: CohortConfig, index: int, visit: int):
    """The scene, the plan of the slices, and the generator as it stands after them."""
    behind = truth(config, index)
    if not 0 <= visit < len(behind.years):
        raise ValueError(f"`visit` must be 0 to {len(behind.years) - 1}, got {visit}.")
    random = _random(config, _SCAN, index, visit)
    body = pose.draw_pose(random)
    spine = pose.lay_out(behind.subject, behind.discs[visit], body)
    plan = pose.plan_slices(spine, body, config.matrices, random)
    return render.Scene(behind.subject, spine, body, _scanner(visit)), plan, random


def _annotation(spine: pose.Spine, body: pose.Pose) -> vertebrae.Annotation:
    """True corners, rounded to 0.01 mm as the JSON form is."""
    found = []
    for name in anatomy.ANNOTATED:
        corners_mm = spine.corners_mm(anatomy.RENDERED.index(name))
        x_mm = np.full((4, 1), spine.midline_x_mm(corners_mm[:, 1].mean()))
        placed = geometry.to_patient(
            pose.body_to_patient(body), np.concatenate([x_mm, corners_mm], axis=1)
        )
        found.append(vertebrae.Vertebra(levels.VertebraLevel.from_name(name), np.round(placed, 2)))
    return vertebrae.Annotation(vertebrae=tuple(found), source="phantom")


def make_subject(config: CohortConfig, index: int) -> Subject:
    """Renders all visits of one subject.

    Args:
        config: The cohort.
        index: Which subject.

    Raises:
        ValueError: If the cohort has no such subject.
    """
    plan = make_plan(config, index)
    visits = tuple(make_visit(config, index, visit) for visit in range(len(plan.days)))
    return Subject(plan.subject_id, plan.family_id, visits)
