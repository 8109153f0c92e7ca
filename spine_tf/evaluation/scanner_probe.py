"""Does the embedding tell the scanner? If so, distances partly measure it.

A logistic regression from the embedding to the field strength, on families it was not fitted to.
Where field strength goes with the visit, it may read the subject's age instead. Source: methods P4.
"""

from typing import Any

import numpy as np
from sklearn import linear_model, model_selection, pipeline, preprocessing

from spine_tf.evaluation import bootstrap, pair_list, roc

_NUM_FOLDS = 5
_MAX_ITERATIONS = 2000


def probe(
    embedding: np.ndarray,
    visits: pair_list.Visits,
    units: np.ndarray,
    counts: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Probes embeddings for the field strength.

    Args:
        embedding: [visits, units of FC7].
        visits: The bodies; those of unknown field strength are left out.
        units: [visits] code of the subject or family, for the bootstrap.
        counts: [draws, units], see `bootstrap.draw_counts`.
        seed: Seed of the folds of the cross-validation.

    Returns:
        "accuracy" and, of two field strengths, "auc", with intervals; "majority" is the share of
        the most frequent field strength. Ready for JSON.
    """
    field_t = visits.field_strength_t
    predicted = np.full((len(field_t), 2), np.nan)  # field strength, probability of the highest
    names = np.unique(field_t[field_t > 0])
    for fold in np.unique(visits.fold):  # embeddings of two models have nothing in common
        here = np.flatnonzero((visits.fold == fold) & (field_t > 0))
        predicted[here] = _cross_validated(
            embedding[here], field_t[here], visits.family[here], seed
        )
    known = np.isfinite(predicted[:, 0])
    reason = "needs two field strengths, each of at least two families"
    hit = predicted[known, 0] == field_t[known]
    found = {"accuracy": bootstrap.share(hit, units[known], counts, reason)}
    if not known.any():
        return found | {"auc": bootstrap.interval(np.nan, np.empty(0), reason)}
    is_highest = field_t[known] == names[-1]
    sample = roc.Sample(
        is_highest, -predicted[known, 1], np.ones(known.sum()), np.stack([units[known]] * 2, 1)
    )
    drawn = roc.measures(sample, np.concatenate([np.ones((1, counts.shape[1])), counts]))["auc"]
    if len(names) > 2:
        drawn[:] = np.nan
    more = f"is told of two field strengths, there are {len(names)}"
    found["auc"] = bootstrap.interval(drawn[0], drawn[1:], more)
    frequent = max(np.mean(field_t[known] == name) for name in names)
    return found | {
        "majority": round(float(frequent), 6),
        "field_strengths_t": {f"{name:g}": int(np.sum(field_t[known] == name)) for name in names},
    }


def _cross_validated(
    embedding: np.ndarray, field_t: np.ndarray, family: np.ndarray, seed: int
) -> np.ndarray:
    """[n, 2] predicted field strength and probability of the highest; NaN where not possible."""
    predicted = np.full((len(field_t), 2), np.nan)
    names, code = np.unique(field_t, return_inverse=True)
    families = [len(set(family[field_t == name])) for name in names]
    if len(names) < 2 or min(families) < 2:
        return predicted
    folds = model_selection.StratifiedGroupKFold(
        min(_NUM_FOLDS, *families), shuffle=True, random_state=seed
    )
    for train, test in folds.split(embedding, code, family):
        if len(set(code[train])) < len(names):
            continue
        model = pipeline.make_pipeline(
            preprocessing.StandardScaler(),
            linear_model.LogisticRegression(max_iter=_MAX_ITERATIONS),
        )
        share = model.fit(embedding[train], code[train]).predict_proba(embedding[test])
        predicted[test] = np.stack([names[share.argmax(1)], share[:, -1]], 1)
    return predicted
