"""From pairs of vertebral bodies to pairs of studies: one score per pair.

The score is the mean, over the levels both studies have, of the distance divided by the level's
median distance of different subjects, so that every level counts the same: about 1 for two
persons, less for one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf.evaluation import bootstrap, pair_list, pair_scores, roc, study_reference

MIN_LEVELS = 3

Scales = Sequence[Mapping[str, float]]


def level_scales(scores: pair_scores.Scores) -> list[dict[str, float]]:
    """Returns, for each fold, level -> median distance of different subjects.

    Levels without such a pair, or with a median of 0, are left out.
    """
    visits, pairs = scores.visits, scores.pairs
    level_of, fold_of = visits.level[pairs.first], visits.fold[pairs.first]
    negative = pairs.kind == pair_list.NEGATIVE
    found = []
    for fold in range(int(visits.fold.max(initial=0)) + 1):
        medians = {}
        for name in visits.level_names():
            apart = scores.distance[negative & (fold_of == fold) & (level_of == name)]
            if len(apart) and np.median(apart) > 0:
                medians[name] = float(np.median(apart))
        found.append(medians)
    return found


def score(distance: Mapping[str, float], scale: Mapping[str, float]) -> float:
    """Returns the score of two studies.

    Args:
        distance: Level -> distance of the two bodies.
        scale: Level -> median distance of different subjects; levels without one do not count.
    """
    return float(np.mean([distance[name] / scale[name] for name in distance if name in scale]))


def combine(scores: pair_scores.Scores, scales: Scales) -> tuple[pair_scores.Scores, np.ndarray]:
    """Combines pairs of bodies into pairs of studies.

    Args:
        scores: All pairs of bodies.
        scales: See `level_scales`.

    Returns:
        All pairs of studies that share `MIN_LEVELS` levels or more, their distance being the score;
        and the number of levels [pairs] each rests on.
    """
    visits, pairs = scores.visits, scores.pairs
    keys = [f"{fold}/{scan}" for fold, scan in zip(visits.fold, visits.scan, strict=True)]
    _, first_body, study_of = np.unique(np.array(keys, str), return_index=True, return_inverse=True)
    studies = pair_list.Visits(
        **{
            field.name: getattr(visits, field.name)[first_body]
            for field in dataclasses.fields(visits)
        }
    )
    relative, has_scale = _relative(scores, scales)
    ends = np.stack([study_of[pairs.first], study_of[pairs.second]], 1)[has_scale]
    ends = ends.reshape(-1, 2)
    unique, one, pair_of = np.unique(ends, axis=0, return_index=True, return_inverse=True)
    pair_of = pair_of.reshape(-1)
    levels = np.bincount(pair_of, minlength=len(unique))
    mean = np.bincount(pair_of, relative[has_scale], len(unique)) / np.maximum(levels, 1)
    keep = levels >= MIN_LEVELS
    first, second = unique[keep].T
    kind = pairs.kind[has_scale][one][keep]
    made = pair_list.Pairs(first, second, kind, _strata(studies, first, second))
    units = scores.units[first_body]
    return pair_scores.Scores(studies, made, mean[keep], units, scores.counts), levels[keep]


def _relative(scores: pair_scores.Scores, scales: Scales) -> tuple[np.ndarray, np.ndarray]:
    """[pairs] distance over its scale, and whether it has one."""
    visits, first = scores.visits, scores.pairs.first
    scale = np.array(
        [
            scales[fold].get(level, np.nan)
            for fold, level in zip(visits.fold[first], visits.level[first], strict=True)
        ],
        float,
    )
    return scores.distance / scale, np.isfinite(scale)


def _strata(studies: pair_list.Visits, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[pairs] code of fold and pair of field strengths."""
    field_t = studies.field_strength_t
    keys = np.stack([studies.fold[first], field_t[first], field_t[second]], 1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def verification(scores: pair_scores.Scores) -> tuple[dict[str, Any], pair_scores.Scores]:
    """Evaluates pairs of studies.

    Args:
        scores: All pairs of bodies.

    Returns:
        The summary, the thresholds and what else `study_reference` needs, ready for JSON; and the
        scores of the pairs of studies.
    """
    scales = level_scales(scores)
    studies, num_levels = combine(scores, scales)
    weight = studies.weights(studies.everything())
    sample = studies.sample(weight)
    results = pair_scores.summary(studies)
    if not len(studies.pairs):
        _explain(results, f"no two studies share {MIN_LEVELS} levels that can be compared")
    reference = study_reference.measure(sample, scales, num_levels[weight > 0])
    same = [row | _rates(studies, sample, row["threshold"]) for row in reference["same"]]
    return results | reference | {"same": same, "levels_at_least": MIN_LEVELS}, studies


def _explain(results: dict[str, Any], reason: str) -> None:
    for found in (*results.values(), *results["true_positive_rate"].values()):
        if "reason" in found:
            found["reason"] = reason


def _rates(scores: pair_scores.Scores, sample: roc.Sample, threshold: float | None) -> dict:
    """The rates of both errors at a threshold, with intervals."""
    if threshold is None:
        return {}
    found = roc.rates_within(sample, scores.with_data(), threshold)
    names = ("reached_false_positive_rate", "true_positive_rate")
    return {
        name: bootstrap.interval(drawn[0], drawn[1:])
        for name, drawn in zip(names, found, strict=True)
    }
