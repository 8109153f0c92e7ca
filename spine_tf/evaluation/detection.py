"""Detection and labelling of vertebrae against annotations, with intervals over patients.

Predicted and true bodies are matched by the least sum of centroid distances, within a gate. Bodies
that are predicted above the first or below the last annotated one are not judged: annotations
end where the image is cut off or where a source stops (SPIDER has no sacrum).

Source: methods 2.3.
"""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import optimize

from spine_tf import levels, vertebrae
from spine_tf.evaluation import bootstrap

GATE_MM = 15.0
_RASTER_MM = 0.1
_PERCENTILES = {"median": 50, "p95": 95}
_NO_MATCH = "no body was matched"
_NONE_ANSWERED = "no study was answered"


@dataclasses.dataclass(frozen=True)
class Case:
    """One study.

    Attributes:
        patient: Whose it is; several studies may be of one patient.
        true: By hand; answered.
        predicted: By the detector; answered or unknown.
    """

    patient: str
    true: vertebrae.Annotation
    predicted: vertebrae.Annotation


@dataclasses.dataclass(frozen=True)
class Row:
    """What one study adds to the measures.

    Attributes:
        answered: Whether its levels were named.
        num_true: Annotated bodies.
        num_judged: Predicted bodies between the first and the last annotated one, or matched.
        offsets: [matched] places by which each name is too low (+) or too high (-); NaN without a
            name.
        centroid_mm: [matched] distance of centres.
        corner_mm: [matched] mean distance of the four corners.
        iou: [matched] overlap of the quads in the sagittal plane.
    """

    answered: bool
    num_true: int
    num_judged: int
    offsets: np.ndarray
    centroid_mm: np.ndarray
    corner_mm: np.ndarray
    iou: np.ndarray

    @property
    def num_right(self) -> int:
        """Annotated bodies that were found and named right."""
        return int(np.sum(self.offsets == 0))

    @property
    def is_right(self) -> bool:
        """Whether the study was answered and every annotated body found and named right."""
        return self.answered and self.num_right == self.num_true

    @property
    def is_wrong(self) -> bool:
        """Whether the study was answered and a name is wrong; a miss alone is not."""
        return self.answered and bool(np.any(self.offsets != 0))

    @property
    def is_shifted(self) -> bool:
        """Whether most of the matched names are off by the same number of places."""
        if not self.answered or not len(self.offsets):
            return False
        offset, count = collections.Counter(self.offsets.tolist()).most_common(1)[0]
        return offset != 0 and 2 * count > len(self.offsets)


def match(
    true_mm: np.ndarray, predicted_mm: np.ndarray, gate_mm: float = GATE_MM
) -> list[tuple[int, int]]:
    """Matches centres one to one, as many as lie within the gate, at the least sum of distances.

    Args:
        true_mm: [m, 3] centres.
        predicted_mm: [n, 3] centres.
        gate_mm: Farther pairs are never matched.

    Returns:
        (index of true, index of predicted) of each match.
    """
    if not len(true_mm) or not len(predicted_mm):
        return []
    distance = np.linalg.norm(np.asarray(true_mm)[:, np.newaxis] - np.asarray(predicted_mm), axis=2)
    is_near = distance <= gate_mm
    # What is too far costs more than any number of matches.
    cost = np.where(is_near, distance, (1 + min(distance.shape)) * (gate_mm + 1))
    rows, columns = optimize.linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if is_near[i, j]]


def polygon_iou(one_mm: np.ndarray, other_mm: np.ndarray) -> float:
    """Returns the overlap of two quads [4, 3] in the sagittal plane, drawn at 0.1 mm."""
    quads = np.stack([one_mm, other_mm])[:, :, 1:]
    low, high = quads.min(axis=(0, 1)), quads.max(axis=(0, 1))
    rows, columns = (int(length) + 2 for length in np.ceil((high - low) / _RASTER_MM))
    one, other = (_drawn((quad - low) / _RASTER_MM, (rows, columns)) for quad in quads)
    return float(np.sum(one & other) / np.sum(one | other))


def _drawn(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    image = Image.new("1", size)
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=1)
    return np.asarray(image)


def compare(case: Case, gate_mm: float = GATE_MM) -> Row:
    """Returns what one study adds to the measures."""
    true, predicted = case.true.vertebrae, case.predicted.vertebrae
    true_mm, predicted_mm = (
        np.array([v.corners_mm for v in found]).reshape(-1, 4, 3) for found in (true, predicted)
    )
    centres, found_centres = true_mm.mean(axis=1), predicted_mm.mean(axis=1)
    matches = match(centres, found_centres, gate_mm)
    i, j = np.array(matches, int).reshape(-1, 2).T
    between = (found_centres[:, 2] <= centres[:, 2].max()) & (
        found_centres[:, 2] >= centres[:, 2].min()
    )
    place = _places([*true, *predicted])
    offsets = [place[predicted[n].level] - place[true[m].level] for m, n in matches]
    return Row(
        answered=case.predicted.status == vertebrae.ANSWERED,
        num_true=len(true),
        num_judged=len(set(np.flatnonzero(between)) | set(j)),
        offsets=np.array(offsets, float),
        centroid_mm=np.linalg.norm(centres[i] - found_centres[j], axis=1),
        corner_mm=np.linalg.norm(true_mm[i] - predicted_mm[j], axis=2).mean(axis=1),
        iou=np.array([polygon_iou(true_mm[m], predicted_mm[n]) for m, n in matches]),
    )


def _places(found: Sequence[vertebrae.Vertebra]) -> dict:
    """Level -> its place in the column; L6 has one only if it is named at all."""
    has_l6 = any(v.level is levels.VertebraLevel.L6 for v in found)
    column = [level for level in levels.VertebraLevel if has_l6 or level.value != "L6"]
    return {level: float(place) for place, level in enumerate(column)} | {None: np.nan}


def summarise(rows: Sequence[Row], patients: Sequence[str], num_draws: int, seed: int) -> dict:
    """Summarises studies; intervals are over patients.

    Args:
        rows: One for each study.
        patients: Whose each study is.
        num_draws: Bootstrap draws.
        seed: Of the draws.

    Returns:
        Ready for JSON, each value with its interval (`bootstrap.interval`): "precision", "recall",
        "centroid_mm" and "corner_mm" ("mean", "median", "p95"), "iou" of the matched bodies;
        "abstention_rate" over studies; and among the answered ones "label_accuracy" (a miss counts
        as wrong), "all_right_rate", "wrong_rate" (a name is wrong) and "shift_rate".
        "label_accuracy_of_all" counts the bodies of unknown studies as wrong. "counts" are numbers
        of studies.
    """
    units, num_units = bootstrap.codes(patients)
    counts = bootstrap.draw_counts(num_units, num_draws, seed)
    answered = [(row, unit) for row, unit in zip(rows, units, strict=True) if row.answered]
    of_answered = np.array([unit for _, unit in answered], int)

    def share_of_answered(name):
        hit = np.array([getattr(row, name) for row, _ in answered], bool)
        return bootstrap.share(hit, of_answered, counts, _NONE_ANSWERED)

    return {
        "precision": _of_bodies(rows, units, counts, lambda r: (len(r.offsets), r.num_judged)),
        "recall": _of_bodies(rows, units, counts, lambda r: (len(r.offsets), r.num_true)),
        "centroid_mm": _distribution([row.centroid_mm for row in rows], units, counts),
        "corner_mm": _distribution([row.corner_mm for row in rows], units, counts),
        "iou": _distribution([row.iou for row in rows], units, counts)["mean"],
        "abstention_rate": bootstrap.share(
            np.array([not row.answered for row in rows]), units, counts, "there is no study"
        ),
        "label_accuracy": _of_bodies(
            [row for row, _ in answered], of_answered, counts, lambda r: (r.num_right, r.num_true)
        ),
        "label_accuracy_of_all": _of_bodies(
            rows, units, counts, lambda r: (r.num_right, r.num_true)
        ),
        "all_right_rate": share_of_answered("is_right"),
        "wrong_rate": share_of_answered("is_wrong"),
        "shift_rate": share_of_answered("is_shifted"),
        "counts": {
            "patients": num_units,
            "studies": len(rows),
            "answered": len(answered),
            "all_right": sum(row.is_right for row in rows),
            "wrong": sum(row.is_wrong for row in rows),
            "shifted": sum(row.is_shifted for row in rows),
        },
    }


def evaluate(cases: Sequence[Case], num_draws: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Compares studies with their annotations, see `summarise`."""
    return summarise(
        [compare(case) for case in cases], [case.patient for case in cases], num_draws, seed
    )


def _of_bodies(rows: Sequence[Row], units: np.ndarray, counts: np.ndarray, of) -> dict:
    """Share of bodies over all studies; `of` gives hits and number of a row."""
    pairs = np.array([of(row) for row in rows], int).reshape(-1, 2)
    hit = np.concatenate([[True] * a + [False] * (b - a) for a, b in pairs] or [[]])
    return bootstrap.share(hit, np.repeat(units, pairs[:, 1]), counts, "there is no such body")


def _distribution(values: Sequence[np.ndarray], units: np.ndarray, counts: np.ndarray) -> dict:
    """Mean, median and 95th percentile over bodies."""
    flat = np.concatenate([*values, []])
    unit = np.repeat(units, [len(value) for value in values])
    if not len(flat):
        nothing = bootstrap.interval(np.nan, np.empty(0), _NO_MATCH)
        return {name: nothing for name in ("mean", *_PERCENTILES)}
    order = np.argsort(flat, kind="stable")
    weights = counts[:, unit[order]]
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = weights @ flat[order] / weights.sum(axis=1)
    found = {"mean": bootstrap.interval(float(flat.mean()), drawn)}
    for name, percent in _PERCENTILES.items():
        drawn = _weighted_percentiles(flat[order], weights, percent)
        found[name] = bootstrap.interval(float(np.percentile(flat, percent)), drawn)
    return found


def _weighted_percentiles(ordered: np.ndarray, weights: np.ndarray, percent: float) -> np.ndarray:
    """[draws] the least value below or at which lies that share of the weights [draws, n]."""
    cumulative = np.cumsum(weights, axis=1)
    reached = cumulative >= percent / 100 * cumulative[:, -1:]
    found = ordered[reached.argmax(axis=1)]
    return np.where(reached.any(axis=1), found, np.nan)
