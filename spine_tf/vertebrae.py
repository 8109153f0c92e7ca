"""Annotated vertebrae: the `vertebrae/1` form that importers and detectors reduce to.

    {"format": "vertebrae/1", "series_instance_uid": "1.2...",
     "vertebrae": [{"level": "L1", "corners_mm": [[x, y, z], ...]}, ...],
     "disc_corners_mm": {"L5-S1": [[x, y, z], ...]}}

A detector that does not know says `"status": "unknown"` and a `reason`. The bodies that it found
then have no level (`"level": null`), and such an annotation can be shown but not converted.

Corners are in DICOM patient mm (LPS), in the order anterior-superior, posterior-superior,
posterior-inferior, anterior-inferior.
"""

import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf import geometry, levels

FORMAT = "vertebrae/1"
ANSWERED, UNKNOWN = "answered", "unknown"
CORNER_ORDER = (
    "anterior_superior",
    "posterior_superior",
    "posterior_inferior",
    "anterior_inferior",
)


def _checked_corners(corners_mm, name: str) -> np.ndarray:
    corners_mm = np.asarray(corners_mm, np.float64)
    if corners_mm.shape != (4, 3) or not np.all(np.isfinite(corners_mm)):
        raise ValueError(
            f"`corners_mm` of {name} must be 4 corners of 3 finite mm, got {corners_mm.tolist()}."
        )
    if geometry.signed_area_mm2(corners_mm) <= 0:
        raise ValueError(
            f"`corners_mm` of {name} must run {', '.join(CORNER_ORDER)} (LPS mm), got"
            f" {corners_mm.tolist()}."
        )
    return corners_mm


@dataclasses.dataclass(frozen=True)
class Vertebra:
    """One vertebral body.

    Attributes:
        level: Its level; None only in an annotation whose status is unknown.
        corners_mm: [4, 3] one mean quad in its own mid-sagittal slice, `CORNER_ORDER`, LPS mm.
        slice_range: First and last slice in which it was found, if known.
        probability: How sure the detector is of the level, if one was used; without a level, of
            the body.
    """

    level: levels.VertebraLevel | None
    corners_mm: np.ndarray
    slice_range: tuple[int, int] | None = None
    probability: float | None = None

    def __post_init__(self):
        name = self.level.value if self.level else "a body without a level"
        object.__setattr__(self, "corners_mm", _checked_corners(self.corners_mm, name))

    @property
    def known_level(self) -> levels.VertebraLevel:
        """Its level, where it has one.

        Raises:
            ValueError: If it has none.
        """
        if self.level is None:
            raise ValueError("`level` must be known, got a body without a level. Name it by hand.")
        return self.level


@dataclasses.dataclass(frozen=True)
class Annotation:
    """The vertebrae of one series, head to foot, and discs whose neighbour is not labelled.

    Attributes:
        vertebrae: Vertebrae, no level twice, sorted from head to foot.
        disc_corners_mm: Disc -> [4, 3] quad, only where a neighbour has no quad.
        series_instance_uid: The DICOM series that was annotated, if it was one.
        source: Who or what made it.
        status: `ANSWERED`, or `UNKNOWN`: then no vertebra has a level.
        reason: Why the levels are unknown.
    """

    vertebrae: tuple[Vertebra, ...]
    disc_corners_mm: Mapping[levels.DiscLevel, np.ndarray] = dataclasses.field(default_factory=dict)
    series_instance_uid: str | None = None
    source: str = ""
    status: str = ANSWERED
    reason: str = ""

    def __post_init__(self):
        if not self.vertebrae and self.status != UNKNOWN:
            raise ValueError("`vertebrae` must hold at least one vertebra, got none.")
        _check_status(self)
        ordered = self._by_height() if self.status == UNKNOWN else self._by_order()
        object.__setattr__(self, "vertebrae", ordered)
        discs = {
            disc: _checked_corners(corners_mm, disc.value)
            for disc, corners_mm in self.disc_corners_mm.items()
        }
        object.__setattr__(self, "disc_corners_mm", discs)

    def _by_height(self) -> tuple[Vertebra, ...]:
        return tuple(sorted(self.vertebrae, key=lambda v: -v.corners_mm[:, 2].mean()))

    def _by_order(self) -> tuple[Vertebra, ...]:
        """The vertebrae by their levels, which must run from head to foot."""
        counts = collections.Counter(vertebra.known_level.value for vertebra in self.vertebrae)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"`vertebrae` must name each level once, got {twice} more than once.")
        by_order = sorted(self.vertebrae, key=lambda vertebra: vertebra.known_level.order)
        heights_mm = [vertebra.corners_mm[:, 2].mean() for vertebra in by_order]
        for above, below, upper, lower in zip(
            heights_mm, heights_mm[1:], by_order, by_order[1:], strict=False
        ):
            if below >= above:
                raise ValueError(
                    "`vertebrae` must run from head to foot in the order of their levels, got"
                    f" {lower.known_level.value} at z={below:.1f} mm above"
                    f" {upper.known_level.value} at z={above:.1f} mm."
                )
        return tuple(by_order)

    @property
    def by_level(self) -> dict[levels.VertebraLevel, Vertebra]:
        """The vertebrae by their level; none of an unknown annotation."""
        return {vertebra.level: vertebra for vertebra in self.vertebrae if vertebra.level}


def _check_status(annotation: Annotation) -> None:
    """Raises ValueError unless levels are there exactly if the status says so."""
    if annotation.status not in (ANSWERED, UNKNOWN):
        raise ValueError(
            f"`status` must be {ANSWERED!r} or {UNKNOWN!r}, got {annotation.status!r}."
        )
    is_known = annotation.status == ANSWERED
    if any((vertebra.level is not None) != is_known for vertebra in annotation.vertebrae):
        rule = "every vertebra must have a level" if is_known else "no vertebra may have a level"
        raise ValueError(f"`level`: {rule} where `status` is {annotation.status!r}.")
    if annotation.disc_corners_mm and not is_known:
        raise ValueError("`disc_corners_mm` must be empty where `status` is 'unknown'.")


def parse(content: Mapping, allow_unknown: bool = False) -> Annotation:
    """Reads one `vertebrae/1` object that was loaded from JSON.

    Args:
        content: The object.
        allow_unknown: Whether one without levels, whose status is unknown, is wanted, too: to be
            shown or counted, not to be converted.

    Raises:
        ValueError: If it is not one, names a level twice, has corners that cannot be, or is
            unknown and that is not allowed.
    """
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, Mapping) else type(content).__name__
        raise ValueError(f"`format` must be {FORMAT!r}, got {found!r}.")
    found = content.get("vertebrae")
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ValueError(f"`vertebrae` must be a list, got {type(found).__name__}.")
    status, reason = content.get("status", ANSWERED), content.get("reason", "")
    if status == UNKNOWN and not allow_unknown:
        raise ValueError(
            f"`status` is {UNKNOWN!r}, no vertebra has a level ({reason or 'no reason given'});"
            " name the levels by hand and remove `status`, or leave this series out."
        )
    return Annotation(
        vertebrae=tuple(_parse_vertebra(item) for item in found),
        disc_corners_mm={
            levels.DiscLevel.from_name(name): corners_mm
            for name, corners_mm in content.get("disc_corners_mm", {}).items()
        },
        series_instance_uid=content.get("series_instance_uid"),
        source=content.get("source", ""),
        status=status,
        reason=reason,
    )


def _parse_vertebra(item) -> Vertebra:
    if not isinstance(item, Mapping) or "level" not in item or "corners_mm" not in item:
        raise ValueError(f"a vertebra must have `level` and `corners_mm`, got {item!r}.")
    return Vertebra(
        level=None if item["level"] is None else levels.VertebraLevel.from_name(item["level"]),
        corners_mm=item["corners_mm"],
        slice_range=tuple(item["slice_range"]) if item.get("slice_range") else None,
        probability=item.get("probability"),
    )


def least_sure(bodies: Sequence[Vertebra]) -> tuple[Vertebra, float]:
    """Returns the body that is least sure of those with a probability, and that probability.

    Raises:
        ValueError: If none has one.
    """
    sure = [(body, body.probability) for body in bodies if body.probability is not None]
    return min(sure, key=lambda one: one[1])


def to_json(annotation: Annotation) -> dict:
    """Returns the `vertebrae/1` object of an annotation, ready for `json.dump`."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "series_instance_uid": annotation.series_instance_uid,
        "frame": "DICOM patient coordinates (LPS), mm",
        "corner_order": list(CORNER_ORDER),
        "source": annotation.source,
        "status": annotation.status,
        "vertebrae": [],
    }
    if annotation.reason:
        content["reason"] = annotation.reason
    for vertebra in annotation.vertebrae:
        item: dict[str, Any] = {
            "level": vertebra.level.value if vertebra.level else None,
            "corners_mm": np.round(vertebra.corners_mm, 2).tolist(),
        }
        if vertebra.slice_range is not None:
            item["slice_range"] = list(vertebra.slice_range)
        if vertebra.probability is not None:
            item["probability"] = round(vertebra.probability, 4)
        content["vertebrae"].append(item)
    if annotation.disc_corners_mm:
        content["disc_corners_mm"] = {
            disc.value: np.round(corners_mm, 2).tolist()
            for disc, corners_mm in annotation.disc_corners_mm.items()
        }
    return content


def read_items(path: str) -> list:
    """Reads a file with one `vertebrae/1` object, or a JSON list of them, for `parse`.

    Raises:
        ValueError: If the file is not JSON; the message names it.
    """
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: must be {FORMAT} JSON, got {error}.") from error
    return content if isinstance(content, list) else [content]


def load(path: str, allow_unknown: bool = False) -> list[Annotation]:
    """Reads a file with one `vertebrae/1` object, or a JSON list of them.

    Args:
        path: The file.
        allow_unknown: See `parse`.

    Raises:
        ValueError: If the file is not such a file; the message names it.
    """
    items = read_items(path)
    try:
        return [parse(item, allow_unknown) for item in items]
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: {error}") from error
