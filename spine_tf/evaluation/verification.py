"""Verification: are two vertebral bodies (or discs), or two studies, of one subject?

And the accuracy of the level head. Source: Jamaludin 2017, section 4.1 and Fig. 6; methods 1.9, P2,
P3, P4 and P15.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf.data import schema
from spine_tf.evaluation import (
    bootstrap,
    correlation,
    embedding,
    fold,
    inference,
    pair_list,
    pair_scores,
    plots,
    roc,
    scanner_probe,
    study_pairs,
)
from spine_tf.evaluation import options as options_lib

_NUM_BINS = 50
_CROPS = {
    schema.VERTEBRA_PAIRS: "vertebrae",
    schema.DISC_PAIRS: "discs",
    schema.IMAGE_PAIRS: "images",
}
_MODEL, _PLAIN = "model", "correlation"
_NOTE = (
    "Pairs of one subject are not independent: intervals are drawn over subjects (or families), and"
    " the number of subjects is what counts. Negatives are weighted so that level and pair of field"
    " strengths are spread as among positives."
)


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
    visits, pairs, found = _embed_all(folds, options.batch_size)
    units, num_units = bootstrap.codes(getattr(visits, options.bootstrap))
    counts = bootstrap.draw_counts(num_units, options.num_draws, options.seed)
    distances = {
        _MODEL: pair_list.blockwise(found["embedding"], visits, pairs, correlation.euclidean),
        _PLAIN: 1 - pair_list.blockwise(found["descriptor"], visits, pairs, correlation.similarity),
    }
    raw = {
        name: pair_scores.Scores(visits, pairs, distance, units, counts)
        for name, distance in distances.items()
    }
    studies = {name: study_pairs.verification(one) for name, one in raw.items()}
    scores = raw | {_MODEL: _in_fold_units(raw[_MODEL])} if len(folds) > 1 else raw
    results = {
        "note": _NOTE,
        "record_kind": folds[0].test.kind,
        "counts": _count(visits, pairs),
        "level_accuracy": _level_accuracy(found["level_is_right"], scores[_MODEL]),
        "scanner_probe": scanner_probe.probe(
            found["embedding"], visits, units, counts, options.seed
        ),
        "study_verification": {name: part for name, (part, _) in studies.items()},
        "histogram": _histogram(scores[_MODEL]),
    }
    for name, one in scores.items():
        results[name] = pair_scores.summary(one) | pair_scores.per_level(one)
    return results, _figures(scores, studies[_MODEL][1], results)


def _embed_all(folds: Sequence[fold.Fold], batch_size: int):
    """Visits, pairs and what the models say of each visit, of all folds."""
    parts, values, offset = [], [], 0
    for number, one in enumerate(folds):
        items = inference.visit_items(one.test)
        visits = pair_list.visits_of(one.test, items, number)
        days = one.folder.task.min_interval_days
        parts.append((visits, pair_list.all_pairs(one.test, visits, days, offset)))
        value = _embed(one, items, batch_size)
        names = np.array(one.folder.task.level_names)
        values.append(value | {"level_is_right": names[value.pop("level")] == visits.level})
        offset += len(items)
    found = {name: np.concatenate([value[name] for value in values]) for name in values[0]}
    return *pair_list.join(parts), found


def _embed(one: fold.Fold, items: np.ndarray, batch_size: int) -> dict[str, np.ndarray]:
    tower = embedding.load_tower(one.folder)

    def embed(batch):
        described = correlation.descriptor(batch["crop"], batch["slice_is_valid"])
        return embedding.embed(tower, batch["crop"]) | {"descriptor": described}

    scale = one.folder.model_config.crop_scale
    return inference.map_crops(one.test, items, embed, crop_scale=scale, batch_size=batch_size)


def _in_fold_units(scores: pair_scores.Scores) -> pair_scores.Scores:
    """The distances in units of the fold's median distance of negatives."""
    pairs, fold_of = scores.pairs, scores.visits.fold[scores.pairs.first]
    result = np.array(scores.distance)
    for number in np.unique(fold_of):
        here = fold_of == number
        apart = result[here & (pairs.kind == pair_list.NEGATIVE)]
        scale = np.median(apart if len(apart) else result[here])
        result[here] /= scale if scale > 0 else 1.0
    return dataclasses.replace(scores, distance=result)


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


def _level_accuracy(hit: np.ndarray, scores: pair_scores.Scores) -> dict[str, Any]:
    """Accuracy of the level head on every body once; `hit` is [visits] bool."""
    level = scores.visits.level
    found = bootstrap.share(hit, scores.units, scores.counts, "there is no vertebra")
    per_level = {
        name: {
            "value": round(float(hit[level == name].mean()), 6),
            "vertebrae": int((level == name).sum()),
        }
        for name in scores.visits.level_names()
    }
    return found | {"vertebrae": len(level), "per_level": per_level}


# === Pictures ===


def _histogram(scores: pair_scores.Scores) -> dict[str, Any] | None:
    """Distances of positives and matched negatives in equal bins."""
    if not len(scores.pairs):
        return None
    edges = np.histogram_bin_edges(
        scores.distance, _NUM_BINS, (0.0, max(scores.distance.max(), 1e-12))
    )
    weight = scores.weights(scores.everything())
    found = {"edges": np.round(edges, 6).tolist()}
    for name, kind in (("same", pair_list.POSITIVE), ("different", pair_list.NEGATIVE)):
        here = (scores.pairs.kind == kind) & (weight > 0)
        count, _ = np.histogram(scores.distance[here], edges, weights=weight[here])
        found[name] = np.round(count / max(count.sum(), 1e-12), 6).tolist()
    return found


def _figures(
    scores: Mapping[str, pair_scores.Scores],
    studies: pair_scores.Scores,
    results: Mapping[str, Any],
) -> dict[str, Any]:
    titles = {_MODEL: "embedding", _PLAIN: "cross-correlation"}
    of_studies = results["study_verification"][_MODEL]
    curves = {titles[name]: (_curve(one), results[name]["auc"]) for name, one in scores.items()}
    curves["embedding, whole studies"] = (_curve(studies), of_studies["auc"])
    curves = {name: (curve, area) for name, (curve, area) in curves.items() if curve is not None}
    if not curves:
        return {}
    counts = results["counts"]
    crops = _CROPS[results["record_kind"]]
    what = f"{counts['positives']} pairs of {crops} of {counts['subjects_with_pairs']} subjects"
    unit = " (1: median of different subjects)" if len(set(studies.visits.fold)) > 1 else ""
    figures = {
        "roc.png": plots.roc_curves(curves, what),
        "distances.png": plots.distance_histogram(
            results["histogram"], f"Same subject or different?\n{what}", unit
        ),
    }
    shares = _histogram(studies)
    if shares is not None and of_studies["auc"]["value"] is not None:
        area = of_studies["auc"]
        figures["studies.png"] = plots.distance_histogram(
            shares,
            f"Same subject or different?\n{area['positives']} pairs of studies of"
            f" {area['subjects']} subjects",
            " (mean of the levels; 1: median of different subjects)",
            {
                f"FPR {row['false_positive_rate']:g}": row["threshold"]
                for row in of_studies["same"]
                if row["threshold"] is not None
            },
        )
    return figures


def _curve(scores: pair_scores.Scores) -> tuple[np.ndarray, np.ndarray] | None:
    sample = scores.sample(scores.weights(scores.everything()))
    if len(np.unique(sample.is_positive)) < 2:
        return None
    return roc.curve(sample.is_positive, sample.distance, sample.weight)


# === Printed ===


def lines(results: dict[str, Any]) -> list[str]:
    """Returns the short table that is printed."""
    counts = results["counts"]
    probe = results["scanner_probe"]
    return [
        f"{counts['positives']} positive and {counts['negatives']} negative pairs of"
        f" {counts['subjects_with_pairs']} subjects,"
        f" {counts['vertebrae']} {_CROPS[results['record_kind']]}",
        f"{'':24}{'embedding':28}cross-correlation",
        *_rows("pair", results),
        _row("mean of the levels", *(results[name]["mean_level_auc"] for name in (_MODEL, _PLAIN))),
        "Of whole studies:",
        *_rows("study", results["study_verification"]),
        _row("level accuracy", results["level_accuracy"]),
        _row("field strength, AUC", probe["auc"]) + "  (from the embedding; 0.5 is best)",
    ]


def _rows(what: str, results: Mapping[str, Any]) -> list[str]:
    parts = [results[name] for name in (_MODEL, _PLAIN)]
    table = [
        _row(title, *(part[name] for part in parts))
        for title, name in (
            (f"{what} AUC", "auc"),
            ("twins only", "twin_auc"),
            ("one scanner only", "same_scanner_auc"),
            ("equal error rate", "equal_error_rate"),
            ("rank 1", "rank_one"),
        )
    ]
    return table + [
        _row(f"TPR at FPR {rate:g}", *(part["true_positive_rate"][f"{rate:g}"] for part in parts))
        for rate in pair_scores.FALSE_RATES
    ]


def _row(title: str, *cells: Mapping[str, Any]) -> str:
    return f"{title:24}" + "".join(f"{bootstrap.text(cell):28}" for cell in cells).rstrip()
