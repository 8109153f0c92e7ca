"""Ageing of the discs: degeneration, how it shows, how it goes on, and how readers grade it."""

import dataclasses

import numpy as np

from spine_tf import levels
from spine_tf.phantom import anatomy

GRADED_DISCS = tuple(disc for disc in levels.LUMBAR_DISCS if disc is not levels.DiscLevel.T12_L1)

# Liability of the disc below each rendered level; the two lowest lumbar discs wear first.
_LEVEL_LIABILITY = {"T12": -0.5, "L1": -0.35, "L2": -0.15, "L3": 0.1, "L4": 0.5, "L5": 0.45}


@dataclasses.dataclass(frozen=True)
class Ageing:
    """How discs age; degeneration has about unit spread over a cohort.

    Attributes:
        inherited: Share of the liability that a family has in common.
        per_decade: Mean progression in ten years.
        appearance_noise: How loosely signal and height follow degeneration.
        reader_noise: Disagreement of one reading with the truth.
    """

    inherited: float = 0.5
    per_decade: float = 0.45
    appearance_noise: float = 0.10
    reader_noise: float = 0.165


@dataclasses.dataclass(frozen=True)
class DiscState:
    """One disc at one visit.

    Attributes:
        degeneration: The truth behind the grades, unbounded.
        signal: Nucleus brightness, 0 dark to 1 healthy.
        height_fraction: Height against the healthy disc.
        bulge_mm: How far it reaches behind the vertebrae.
        bulge_x_mm: Where the bulge is largest, patient left positive.
        slip_mm: How far the vertebra above has slipped to the front.
        osteophyte_mm: Length of the lips on the neighbouring corners.
        defects_mm: [2, 3] endplate defect above and below: depth, position 0..1, width.
        marrow: (above, below) Modic type 0, 1 or 2 of the marrow beside the disc.
        flavum_mm: Thickening of the ligament behind the canal.
        fissure: Whether a bright fissure shows in the back of the annulus.
    """

    degeneration: float
    signal: float
    height_fraction: float
    bulge_mm: float
    bulge_x_mm: float
    slip_mm: float
    osteophyte_mm: float
    defects_mm: np.ndarray
    marrow: tuple[int, int]
    flavum_mm: float
    fissure: bool


def severity(degeneration: float) -> float:
    """Maps degeneration to 0 (healthy) .. 1 (collapsed)."""
    return float(1 / (1 + np.exp(-1.5 * (degeneration - 0.1))))


def draw_history(
    family: np.random.Generator, own: np.random.Generator, years: np.ndarray, ageing: Ageing
) -> list[tuple[DiscState, ...]]:
    """Draws the discs of one subject at all visits.

    Args:
        family: Generator whose seed the members of the family share.
        own: Generator of the subject alone.
        years: [visits] years since the first visit.
        ageing: How discs age.

    Returns:
        Per visit one state for the disc below each level of `anatomy.RENDERED`. Nothing heals.
    """
    random = anatomy.Inherited(family, own, ageing.inherited)
    liability = 0.45 * float(random.normal()) + 0.25 * float(own.standard_normal())
    discs = []
    for name in anatomy.RENDERED:
        traits = _draw_traits(random, own)
        traits["start"] = liability + _LEVEL_LIABILITY.get(name, -0.7) + 0.62 * traits["start"]
        traits["is_lumbosacral"] = name in ("L4", "L5")
        discs.append([_state_after(traits, year, own, ageing) for year in years])
    return [tuple(states) for states in zip(*discs, strict=True)]


def _draw_traits(random: anatomy.Inherited, own: np.random.Generator) -> dict:
    """What one disc keeps for life; unit normal unless stated."""
    return {
        "start": float(random.normal()),
        "pace": float(np.exp(0.6 * own.standard_normal())),
        "height": float(random.normal()),
        "signal": float(random.normal()),
        "bulge": float(own.standard_normal()),
        "bulge_x_mm": 4.0 * float(own.standard_normal()),
        "slip": float(own.standard_normal()),
        "flavum": float(own.standard_normal()),
        "defect": own.standard_normal(2),
        "defect_at": own.uniform(0.3, 0.7, 2),
        "defect_width": own.uniform(0.08, 0.16, 2),
        "marrow": own.standard_normal(2),
        "fissure": float(own.standard_normal()),
    }


def _state_after(traits: dict, years: float, own: np.random.Generator, ageing: Ageing) -> DiscState:
    degeneration = traits["start"] + ageing.per_decade * traits["pace"] * years / 10
    worn = severity(degeneration)
    noise = ageing.appearance_noise * own.standard_normal(3)
    depths_mm = np.clip(2.2 * (traits["defect"] + 1.2 * worn - 1.5), 0, 5.0)
    depths_mm[depths_mm < 1.5] = 0
    marrow = tuple(_modic(value + 1.4 * worn) for value in traits["marrow"])
    slip = traits["slip"] + 0.8 * worn - (1.9 if traits["is_lumbosacral"] else 2.6)
    return DiscState(
        degeneration=degeneration,
        signal=float(np.clip(1.02 - worn + 0.06 * traits["signal"] + noise[0], 0.02, 1.1)),
        height_fraction=float(
            np.clip(1.06 - 0.6 * worn**1.5 + 0.05 * traits["height"] + noise[1] / 2, 0.3, 1.15)
        ),
        bulge_mm=float(np.clip(0.2 + 3.4 * worn + 1.1 * traits["bulge"] * worn, 0, 6.5)),
        bulge_x_mm=traits["bulge_x_mm"],
        slip_mm=float(np.clip(0.6 * traits["slip"], -0.8, 0.8) + (5.0 + 2 * slip) * (slip > 0)),
        osteophyte_mm=float(np.clip(2.8 * worn - 0.9 + noise[2] * 3, 0, 3.5)),
        defects_mm=np.stack([depths_mm, traits["defect_at"], traits["defect_width"]], axis=1),
        marrow=marrow,
        flavum_mm=float(np.clip(2.5 * worn + 0.8 * traits["flavum"], 0, 4.5)),
        fissure=traits["fissure"] + worn > 1.5,
    )


def _modic(value: float) -> int:
    return 0 if value < 2.0 else (1 if value < 2.4 else 2)


# === Reading ===

_DEGENERATION_CUTS = (-0.75, 0.15, 0.95)
_PFIRRMANN_CUTS = (-1.2, -0.35, 0.5, 1.25)
_NARROWING_CUTS = (0.10, 0.24, 0.38)  # lost fraction of the height
_STENOSIS_MM = 8.5
_SLIP_MM = 3.0
_DEFECT_MM = 1.8


def _grade(value: float, cuts: tuple[float, ...], first_grade: int) -> int:
    return first_grade + int(np.searchsorted(cuts, value))


def read(
    states: tuple[DiscState, ...],
    canal_mm: np.ndarray,
    reader: np.random.Generator,
    ageing: Ageing,
) -> dict[levels.DiscLevel, dict[str, int]]:
    """Grades the discs of one visit as one reader on one day does.

    Args:
        states: One state per rendered level.
        canal_mm: [12] width of the dural sac.
        reader: What makes two readings differ.
        ageing: Holds the reader's noise.

    Returns:
        Disc -> grading -> published grade, for L1-L2 to L5-S1.

    Source: Jamaludin 2017, section 4.2, for the five discs; methods 1.8 for the eight gradings.
    """
    graded = {}
    for disc in GRADED_DISCS:
        index = anatomy.RENDERED.index(disc.upper.value)
        noise = ageing.reader_noise * reader.standard_normal(9)
        graded[disc] = _read_disc(states[index], canal_mm[index], noise)
    return graded


def _read_disc(state: DiscState, canal_mm: float, noise: np.ndarray) -> dict[str, int]:
    sac_mm = canal_mm - state.bulge_mm - state.flavum_mm + 2.5 * noise[3]
    depths_mm = state.defects_mm[:, 0] + 1.5 * noise[5:7]
    return {
        "disc_degeneration": _grade(state.degeneration + noise[0], _DEGENERATION_CUTS, 1),
        "pfirrmann": _grade(state.degeneration + noise[1], _PFIRRMANN_CUTS, 1),
        "disc_narrowing": _grade(1 - state.height_fraction + noise[2] / 5, _NARROWING_CUTS, 1),
        "central_canal_stenosis": int(sac_mm < _STENOSIS_MM),
        "spondylolisthesis": int(state.slip_mm + 2 * noise[4] > _SLIP_MM),
        "upper_endplate_defect": int(depths_mm[0] > _DEFECT_MM),
        "lower_endplate_defect": int(depths_mm[1] > _DEFECT_MM),
        "upper_marrow_change": int(state.marrow[0] + 3 * noise[7] > 0.9),
        "lower_marrow_change": int(state.marrow[1] + 3 * noise[8] > 0.9),
    }
