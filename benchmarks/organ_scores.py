"""Cross-validated scores of hand-made features: classes of images, boxes of organs."""

import numpy as np
from sklearn import ensemble, linear_model, metrics, model_selection, pipeline, preprocessing

from spine_tf.organ_phantom import patient

_FOLDS = 5


def classification(features: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> dict:
    """Returns F1 of both models and of the better one's classes.

    Args:
        features: [n, k] float.
        labels: [n] names.
        subjects: [n]; a subject is in one fold only.
    """
    models = {
        "logistic regression": pipeline.make_pipeline(
            preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=2000)
        ),
        "random forest": ensemble.RandomForestClassifier(300, min_samples_leaf=2, random_state=0),
    }
    folds, found = model_selection.GroupKFold(_FOLDS), {}
    for name, model in models.items():
        guessed = model_selection.cross_val_predict(
            model, features, labels, groups=subjects, cv=folds
        )
        found[name] = metrics.f1_score(labels, guessed, average=None, zero_division=0)
    means = {name: round(float(scores.mean()), 4) for name, scores in found.items()}
    best = max(means, key=means.get)
    names = sorted(set(labels))
    each = {str(c): round(float(f), 4) for c, f in zip(names, found[best], strict=True)}
    return {"f1": means, "f1_of_classes": {best: each}}


def localisation(features: np.ndarray, boxes_mm: np.ndarray) -> dict:
    """Returns the mean distance of the middles of predicted and true boxes.

    Args:
        features: [n, k] float; columns 3 and 4 are the middle of the body (x, y) in mm.
        boxes_mm: [n, organs, 2, 3] first and last edge along z, y, x; NaN without organ.
    """
    middle = np.stack([np.zeros(len(features)), features[:, 4], features[:, 3]], axis=-1)
    relative = boxes_mm - middle[:, None, None]
    apart = {"ridge regression": np.full(boxes_mm.shape[:2], np.nan)}
    apart["mean box"] = apart["ridge regression"].copy()
    for train, test in model_selection.KFold(_FOLDS).split(features):
        for organ in range(boxes_mm.shape[1]):
            known = train[~np.isnan(relative[train, organ, 0, 0])]
            truth = relative[known, organ].reshape(len(known), 6)
            ridge = pipeline.make_pipeline(
                preprocessing.StandardScaler(), linear_model.RidgeCV(np.logspace(-2, 3, 11))
            )
            guesses = {
                "ridge regression": ridge.fit(features[known], truth).predict(features[test]),
                "mean box": np.broadcast_to(truth.mean(axis=0), (len(test), 6)),
            }
            for name, guess in guesses.items():
                missed = guess.reshape(-1, 2, 3).mean(axis=1) - relative[test, organ].mean(axis=1)
                apart[name][test, organ] = np.linalg.norm(missed, axis=-1)
    means = {name: np.nanmean(distance, axis=0) for name, distance in apart.items()}
    return {
        "centroid_mm": {name: round(float(mean.mean()), 2) for name, mean in means.items()},
        "centroid_mm_of_organs": {
            name: {o: round(float(x), 2) for o, x in zip(patient.ORGANS, mean, strict=True)}
            for name, mean in means.items()
        },
        "organs_seen": {
            o: int(c)
            for o, c in zip(patient.ORGANS, (~np.isnan(boxes_mm[:, :, 0, 0])).sum(0), strict=True)
        },
    }
