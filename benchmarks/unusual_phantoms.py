"""Phantoms with 4 or 6 lumbar vertebrae, a cut field of view, or scoliosis, with their true names.

The renderer knows one column of twelve bodies, T9 to S3. A column of 4 lumbar vertebrae is that
without L3, with T9 twice; one of 6 is that without T9, with L3 twice. What lies above the change
takes its true name.
"""

import dataclasses

import numpy as np

from benchmarks import cut_view
from spine_tf import geometry, levels, vertebrae, volume
from spine_tf.phantom import anatomy, appearance, cohort, pose, render

_MARGIN_MM = 4.0  # that a cut view shows beyond its last body
_SCAN = 4  # keeps the draws of a scan apart from those of the cohort


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is unusual.

    Attributes:
        num_lumbar: 4, 5 or 6.
        first: The view begins above this level; None leaves it as it is planned.
        last: It ends below this level; None leaves it.
        scoliosis_mm: Amplitude of the lateral curve; None leaves the phantom's own, a normal draw
            of 5 mm.
    """

    num_lumbar: int = 5
    first: str | None = None
    last: str | None = None
    scoliosis_mm: float | None = None


KINDS = {
    "ordinary": Kind(),
    "4 lumbar": Kind(num_lumbar=4),
    "6 lumbar": Kind(num_lumbar=6),
    "cut above L1": Kind(first="L1"),
    "cut above L3": Kind(first="L3"),
    "cut below S1": Kind(last="S1"),
    "cut below L5": Kind(last="L5"),
    "cut below L4": Kind(last="L4"),
    "scoliosis of 15 mm": Kind(scoliosis_mm=15.0),
    "scoliosis of 30 mm": Kind(scoliosis_mm=30.0),
}


def make(kind: Kind, seed: int, index: int) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Renders the T2 scan of one subject.

    Args:
        kind: What is unusual.
        seed: Of the cohort.
        index: Which subject; the same one lies behind every kind.

    Returns:
        The scan, and T12 to S1 by their true names as far as the view shows them.
    """
    config = cohort.CohortConfig(index + 1, seed, one_visit_percent=100, three_visits_percent=0)
    behind = cohort.truth(config, index)
    slots = _slots(kind.num_lumbar)
    random = np.random.default_rng([seed, _SCAN, index])
    body = pose.draw_pose(random)
    if kind.scoliosis_mm is not None:
        body = dataclasses.replace(body, scoliosis_mm=np.array([kind.scoliosis_mm, 0.0]))
    subject = _rearranged(behind.subject, slots)
    discs = tuple(behind.discs[0][slot] for slot in slots)
    spine = pose.lay_out(subject, discs, body)
    plan = pose.plan_slices(spine, body, config.matrices, random)
    scan = render.sagittal_t2(render.Scene(subject, spine, body, appearance.BASELINE), plan, random)
    return _cut(scan, _annotation(spine, body, kind.num_lumbar), kind)


def convention(true: vertebrae.Annotation) -> vertebrae.Annotation:
    """Returns the same bodies with the names of a column of five, counted from S1 up."""
    ordinary = _names(5)
    column = [ordinary[ordinary.index("S1") - i] for i in range(len(true.vertebrae))]
    if true.vertebrae[-1].level is not levels.VertebraLevel.S1:
        raise ValueError("`true` must hold S1, got none.")
    renamed = [
        dataclasses.replace(body, level=levels.VertebraLevel(name))
        for body, name in zip(true.vertebrae, reversed(column), strict=True)
    ]
    return dataclasses.replace(true, vertebrae=tuple(renamed))


def _slots(num_lumbar: int) -> list[int]:
    """Which body of the renderer's column stands at each of its twelve places."""
    third = anatomy.RENDERED.index("L3")
    every = list(range(len(anatomy.RENDERED)))
    return {
        4: [0, *every[:third], *every[third + 1 :]],
        5: every,
        6: [*every[1 : third + 1], *every[third:]],
    }[num_lumbar]


def _names(num_lumbar: int) -> list[str]:
    """The true names of the twelve places; T8 and above have none that we use."""
    lumbar = [f"L{number}" for number in range(1, num_lumbar + 1)]
    below = ["S1", "S2", "S3"]
    above = len(anatomy.RENDERED) - len(lumbar) - len(below)
    thoracic = [f"T{number}" for number in range(13 - above, 13)]
    return thoracic + lumbar + below


def _rearranged(subject: anatomy.Anatomy, slots: list[int]) -> anatomy.Anatomy:
    return dataclasses.replace(
        subject,
        vertebrae=tuple(subject.vertebrae[slot] for slot in slots),
        tilts_deg=subject.tilts_deg[slots],
        disc_heights_mm=subject.disc_heights_mm[slots],
        canal_mm=subject.canal_mm[slots],
    )


def _annotation(spine: pose.Spine, body: pose.Pose, num_lumbar: int) -> vertebrae.Annotation:
    """T12 to S1 on the mid-sagittal surface of each body."""
    names = _names(num_lumbar)
    found = []
    for place in range(names.index("T12"), names.index("S1") + 1):
        corners_mm = spine.corners_mm(place)
        x_mm = np.full((4, 1), spine.midline_x_mm(corners_mm[:, 1].mean()))
        placed = geometry.to_patient(
            pose.body_to_patient(body), np.concatenate([x_mm, corners_mm], axis=1)
        )
        found.append(vertebrae.Vertebra(levels.VertebraLevel(names[place]), placed))
    return vertebrae.Annotation(vertebrae=tuple(found), source="phantom")


def _cut(
    scan: volume.Volume, true: vertebrae.Annotation, kind: Kind
) -> tuple[volume.Volume, vertebrae.Annotation]:
    """Cuts rows off, and takes out the bodies that the view does not show whole."""
    rows_of = {
        body.known_level.value: geometry.to_index(scan.affine, body.corners_mm)[:, 1]
        for body in true.vertebrae
    }
    margin = _MARGIN_MM / scan.spacing_mm[1]
    begin, end = 0, scan.array.shape[1]
    if kind.first:
        begin = max(int(rows_of[kind.first].min() - margin), begin)
    if kind.last:
        end = min(int(rows_of[kind.last].max() + margin) + 1, end)
    return cut_view.cut(scan, true, 1, begin, end)
