"""Verification: are two vertebral bodies of one subject? And the accuracy of the level head.

Source: Jamaludin 2017, section 4.1 and Fig. 6; methods 1.9, P2, P3 and P15.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spine_tf.evaluation import bootstrap, correlation, fold, inference, pair_list, plots, roc
from spine_tf.evaluation import options as options_lib
from spine_tf.tasks.pretext import longitudinal

_NUM_BINS = 50
_FALSE_RATE = 1e-3
_DAYS_PER_YEAR = 365.25
_INTERVALS_YEARS = (0, 2, 5, 8, 10, 12, np.inf)
_NOTE = (
    "Pairs of one subject are not independent: intervals are drawn over subjects (or families), and"
    " the number of subjects is what counts. Negatives are weighted so that level and pair of field"
    " strengths are spread as among positives."
)


@dataclasses.dataclass(frozen=True)
class _Scores:
    """All pairs with what they are judged by; units [visits] are codes for the bootstrap."""

    visits: pair_list.Visits
    pairs: pair_list.Pairs
    distance: np.ndarray
    units: np.ndarray
    counts: np.ndarray


def evaluate(
    folds: Sequence[fold.Fold], options: options_lib.Options
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Evaluates longitudinal models.

    Args:
        folds: Models and their records; distances of several are compared within a fold only, in
            units of the fold's median distance of negatives.
        options: Options.

    Returns:
        The results, ready for JSON, and file name -> what is to be written: a matplotlib figure.
    """
    parts, values, offset = [], [], 0
    for number, one in enumerate(folds):
        items = inference.visit_items(one.test)
        visits = pair_list.visits_of(one.test, items, number)
        days = one.folder.task.min_interval_days
        parts.append((visits, pair_list.all_pairs(one.test, visits, days, offset)))
        values.append(_embed(one, items, options.batch_size))
        offset += len(items)
    visits, pairs = pair_list.join(parts)
    units, num_units = bootstrap.codes(getattr(visits, options.bootstrap))
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    found = {name: np.concatenate([value[name] for value in values]) for name in values[0]}
    distances = {
        "model": pair_list.blockwise(found["embedding"], visits, pairs, correlation.euclidean),
        "correlation": 1
        - pair_list.blockwise(found["descriptor"], visits, pairs, correlation.similarity),
    }
    if len(folds) > 1:
        distances["model"] = _in_fold_units(distances["model"], visits, pairs)
    scores = {
        name: _Scores(visits, pairs, distance, units, counts)
        for name, distance in distances.items()
    }
    results = {"note": _NOTE, "counts": _count(visits, pairs)}
    results["level_accuracy"] = _level_accuracy(found["level"], scores["model"])
    results |= {name: _summary(one) for name, one in scores.items()}
    results["histogram"] = _histogram(scores["model"])
    return results, _figures(scores, results)


def _embed(one: fold.Fold, items: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
    tower: keras.Model = one.folder.load_model().get_layer("tower")

    def embed(batch):
        outputs = tower(batch["crop"][..., None], training=False)
        return {
            "embedding": tf.cast(outputs["embedding"], tf.float32),
            "level": tf.argmax(outputs["level"], -1),
            "descriptor": correlation.descriptor(batch["crop"], batch["slice_is_valid"]),
        }

    scale = one.folder.model_config.crop_scale
    return inference.map_crops(one.test, items, embed, crop_scale=scale, batch_size=batch_size)


def _in_fold_units(distance, visits: pair_list.Visits, pairs: pair_list.Pairs) -> np.ndarray:
    fold_of = visits.fold[pairs.first]
    result = np.array(distance)
    for number in np.unique(fold_of):
        here = fold_of == number
        apart = distance[here & (pairs.kind == pair_list.NEGATIVE)]
        scale = np.median(apart if len(apart) else distance[here])
        result[here] /= scale if scale > 0 else 1.0
    return result


def _count(visits: pair_list.Visits, pairs: pair_list.Pairs) -> dict[str, int]:
    positive = pairs.kind == pair_list.POSITIVE
    weight = pair_list.matched_weights(pairs, np.full(len(pairs), True), pair_list.NEGATIVE)
    return {
        "vertebrae": len(visits.subject),
        "subjects": len(set(visits.subject)),
        "families": len(set(visits.family)),
        "subjects_with_pairs": len(set(visits.subject[pairs.first[positive]])),
        "positives": int(positive.sum()),
        "positives_without_negative": int((positive & (weight == 0)).sum()),
        "negatives": int((pairs.kind == pair_list.NEGATIVE).sum()),
        "twins": int((pairs.kind == pair_list.TWIN).sum()),
    }


# === Areas ===


def _area(
    scores: _Scores, used: np.ndarray, negative_kind: int = pair_list.NEGATIVE
) -> tuple[dict[str, Any], np.ndarray]:
    """The area over the pairs `used`, with counts, and its draws."""
    pairs, visits = scores.pairs, scores.visits
    weight = pair_list.matched_weights(pairs, used, negative_kind)
    keep = weight > 0
    is_positive = pairs.kind[keep] == pair_list.POSITIVE
    first, second = pairs.first[keep], pairs.second[keep]
    units = np.stack([scores.units[first], scores.units[second]], 1)
    distance, weight = scores.distance[keep], weight[keep]
    drawn = roc.auc_draws(is_positive, distance, weight, units, scores.counts)
    reason = _missing(pairs, used, negative_kind)
    found = bootstrap.interval(roc.auc(is_positive, distance, weight), drawn, reason)
    return found | {
        "positives": int(is_positive.sum()),
        "negatives": int((~is_positive).sum()),
        "subjects": len(set(visits.subject[first[is_positive]])),
    }, drawn


def _missing(pairs: pair_list.Pairs, used: np.ndarray, negative_kind: int) -> str:
    what = "pair of twins" if negative_kind == pair_list.TWIN else "pair of two subjects"
    if not np.any(used & (pairs.kind == pair_list.POSITIVE)):
        return "there is no pair of one subject at two visits"
    return f"there is no {what} of the same level and field strengths"


def _summary(scores: _Scores) -> dict[str, Any]:
    pairs, visits = scores.pairs, scores.visits
    everything = np.full(len(pairs), True)
    results = {"auc": _area(scores, everything)[0]}
    level_of = visits.level[pairs.first]
    level_areas = {
        name: _area(scores, level_of == name)
        for name in longitudinal.LEVEL_NAMES
        if np.any(level_of == name)
    }
    results["per_level"] = {name: area for name, (area, _) in level_areas.items()}
    results["mean_level_auc"] = _mean_area(list(level_areas.values()))
    results["twin_auc"] = _area(scores, everything, pair_list.TWIN)[0]
    results["per_interval_years"] = _per_interval(scores)
    results["per_field_strengths_t"] = _per_field_strengths(scores)
    return results | _operating_points(scores)


def _mean_area(areas: list[tuple[dict[str, Any], np.ndarray]]) -> dict[str, Any]:
    """Mean over the levels that have an area, in every draw over those it has."""
    areas = [(area, drawn) for area, drawn in areas if area["value"] is not None]
    if not areas:
        return bootstrap.interval(np.nan, np.empty(0), "no level has an area")
    drawn = np.stack([drawn for _, drawn in areas])
    has_any = np.isfinite(drawn).any(0)
    mean = np.nanmean(drawn[:, has_any], 0)
    return bootstrap.interval(float(np.mean([area["value"] for area, _ in areas])), mean)


def _per_interval(scores: _Scores) -> dict[str, Any]:
    """The area of the positives of each interval, against all negatives that match them."""
    pairs, days = scores.pairs, scores.visits.days
    years = (days[pairs.second] - days[pairs.first]) / _DAYS_PER_YEAR
    positive = pairs.kind == pair_list.POSITIVE
    results = {}
    for low, high in zip(_INTERVALS_YEARS, _INTERVALS_YEARS[1:], strict=False):
        inside = positive & (years >= low) & (years < high)
        if inside.any():
            name = f"{low}-{high}" if np.isfinite(high) else f"{low}+"
            results[name] = _area(scores, inside | ~positive)[0]
    return results


def _per_field_strengths(scores: _Scores) -> dict[str, Any]:
    pairs, field_t = scores.pairs, scores.visits.field_strength_t
    one, two = field_t[pairs.first], field_t[pairs.second]
    results = {}
    for low, high in sorted(set(zip(one.tolist(), two.tolist(), strict=True))):
        names = [f"{value:g}" if value else "unknown" for value in (low, high)]
        results[" to ".join(names)] = _area(scores, (one == low) & (two == high))[0]
    return results


def _curve(scores: _Scores) -> tuple[np.ndarray, np.ndarray] | None:
    used = np.full(len(scores.pairs), True)
    weight = pair_list.matched_weights(scores.pairs, used, pair_list.NEGATIVE)
    keep = weight > 0
    is_positive = scores.pairs.kind[keep] == pair_list.POSITIVE
    if len(np.unique(is_positive)) < 2:
        return None
    return roc.curve(is_positive, scores.distance[keep], weight[keep])


def _operating_points(scores: _Scores) -> dict[str, Any]:
    """Equal error rate, and the true positive rate at a small false positive rate."""
    curve = _curve(scores)
    number = int((scores.pairs.kind == pair_list.NEGATIVE).sum())
    eer, at = {"value": None}, {"value": None, "false_positive_rate": _FALSE_RATE}
    if curve is None:
        reason = "there are no positives or no negatives"
        return {
            "equal_error_rate": eer | {"reason": reason},
            "true_positive_rate": at | {"reason": reason},
        }
    eer = {"value": round(roc.equal_error_rate(*curve), 6)}
    if number * _FALSE_RATE < 1:
        at["reason"] = f"needs at least {round(1 / _FALSE_RATE)} negatives, there are {number}"
    else:
        at["value"] = round(roc.true_rate_at(*curve, _FALSE_RATE), 6)
    return {"equal_error_rate": eer, "true_positive_rate": at}


# === Levels ===


def _level_accuracy(predicted: np.ndarray, scores: _Scores) -> dict[str, Any]:
    """Accuracy of the level head on every vertebra once."""
    names = np.array(longitudinal.LEVEL_NAMES)
    level = scores.visits.level
    hit = names[predicted] == level
    found = bootstrap.share(hit, scores.units, scores.counts, "there is no vertebra")
    per_level = {}
    for name in longitudinal.LEVEL_NAMES:
        here = level == name
        if here.any():
            per_level[name] = {
                "value": round(float(hit[here].mean()), 6),
                "vertebrae": int(here.sum()),
            }
    return found | {"vertebrae": len(level), "per_level": per_level}


# === Pictures ===


def _histogram(scores: _Scores) -> dict[str, Any] | None:
    """Distances of positives and matched negatives in equal bins."""
    if not len(scores.pairs):
        return None
    edges = np.histogram_bin_edges(
        scores.distance, _NUM_BINS, (0.0, max(scores.distance.max(), 1e-12))
    )
    used = np.full(len(scores.pairs), True)
    weight = pair_list.matched_weights(scores.pairs, used, pair_list.NEGATIVE)
    found = {"edges": np.round(edges, 6).tolist()}
    for name, kind in (("same", pair_list.POSITIVE), ("different", pair_list.NEGATIVE)):
        here = (scores.pairs.kind == kind) & (weight > 0)
        count, _ = np.histogram(scores.distance[here], edges, weights=weight[here])
        found[name] = np.round(count / max(count.sum(), 1e-12), 6).tolist()
    return found


def _figures(scores: dict[str, _Scores], results: dict[str, Any]) -> dict[str, Any]:
    titles = {"model": "embedding", "correlation": "cross-correlation"}
    curves = {
        titles[name]: (_curve(one), results[name]["auc"])
        for name, one in scores.items()
        if _curve(one) is not None
    }
    if not curves:
        return {}
    counts = results["counts"]
    unit = " (1: median of different subjects)" if len(set(scores["model"].visits.fold)) > 1 else ""
    what = f"{counts['positives']} pairs of {counts['subjects_with_pairs']} subjects"
    return {
        "roc.png": plots.roc_curves(curves, what),
        "distances.png": plots.distance_histogram(results["histogram"], what, unit),
    }


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    counts = results["counts"]
    table = [
        f"{counts['positives']} positive and {counts['negatives']} negative pairs of"
        f" {counts['subjects_with_pairs']} subjects, {counts['vertebrae']} vertebrae",
        f"{'':24}{'embedding':28}cross-correlation",
    ]
    for title, name in (
        ("pair AUC", "auc"),
        ("mean of the levels", "mean_level_auc"),
        ("twins only", "twin_auc"),
        ("equal error rate", "equal_error_rate"),
        ("TPR at FPR 0.001", "true_positive_rate"),
    ):
        cells = [bootstrap.text(results[which][name]) for which in ("model", "correlation")]
        table.append(f"{title:24}{cells[0]:28}{cells[1]}")
    return [*table, f"{'level accuracy':24}{bootstrap.text(results['level_accuracy'])}"]
