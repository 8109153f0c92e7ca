"""Ordinal ridge on hand-made disc features: the plain baseline of grading.

Features come from the stored crop, in which the median of the neighbouring bodies is 0.5 and a
disc width is a fixed number of pixels. A ridge regression to the grade is cut at the thresholds
that give the best balanced accuracy on the training discs.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from sklearn import linear_model, pipeline, preprocessing

from spine_tf import levels
from spine_tf.data import crops, records
from spine_tf.data import pipeline as data_pipeline

_ALPHAS = np.logspace(-2, 4, 13)
_MIDDLE_SLICES = 3
_DISC_NAMES = tuple(disc.value for disc in levels.DiscLevel)
# Regions in disc widths from the centre of the crop: (top, bottom), (front, back).
_NUCLEUS = (-0.06, 0.06), (-0.25, 0.25)
_FRONT = (-0.06, 0.06), (-0.5, -0.3)
_BACK = (-0.06, 0.06), (0.3, 0.5)
_BEHIND = (-0.1, 0.1), (0.52, 0.68)
_CANAL = (-0.35, 0.35), (0.68, 0.95)
_ABOVE = (-0.35, -0.2), (-0.3, 0.3)
_BELOW = (0.2, 0.35), (-0.3, 0.3)
_PROFILE = (-0.35, 0.35), (-0.25, 0.25)
FEATURE_NAMES = (
    *("mean", "max", "std", "p10", "p50", "p90"),
    *("front_mean", "back_mean", "above_mean", "below_mean", "contrast"),
    *("height", "quad_height", "behind_mean", "canal_mean", "bulge"),
    *_DISC_NAMES,
)


def features(
    image: np.ndarray, slice_is_valid: np.ndarray, corners_mm: np.ndarray, level: str
) -> np.ndarray:
    """Returns the features of one disc.

    Args:
        image: [15, rows, columns] stored crop, the bodies' median is 0.5.
        slice_is_valid: [15] bool.
        corners_mm: [4, 3] quad of the disc, `vertebrae.CORNER_ORDER`.
        level: Published name of the disc.

    Returns:
        [features] float64 by `FEATURE_NAMES`: signal of the middle region (the nucleus) and around
        it; height between the endplates, in disc widths, seen in the image and between the corners;
        how much darker it is just behind the disc than in the canal (bulge); the level, one-hot.
    """
    begin = (len(image) - _MIDDLE_SLICES) // 2
    middle = slice(begin, begin + _MIDDLE_SLICES)
    used = image[middle][slice_is_valid[middle]] if slice_is_valid[middle].any() else image[middle]
    plane = used.mean(0)
    nucleus, behind = _region(used, _NUCLEUS).ravel(), _region(plane, _BEHIND).mean()
    bone = (_region(plane, _ABOVE).mean() + _region(plane, _BELOW).mean()) / 2
    canal = np.percentile(_region(plane, _CANAL), 75)
    signal = [nucleus.mean(), nucleus.max(), nucleus.std(), *np.percentile(nucleus, (10, 50, 90))]
    around = [_region(plane, box).mean() for box in (_FRONT, _BACK, _ABOVE, _BELOW)]
    shape = [_height(plane), _quad_height(corners_mm), behind, canal, canal - behind]
    one_hot = [float(level == name) for name in _DISC_NAMES]
    return np.array([*signal, *around, nucleus.mean() - bone, *shape, *one_hot], np.float64)


def _region(image: np.ndarray, box) -> np.ndarray:
    """The pixels [..., rows, columns] of a box given in disc widths from the centre."""
    width = image.shape[-1] / crops.DISC.stored_columns * crops.DISC.pixels_per_width
    spans = []
    for size, (low, high) in zip(image.shape[-2:], box, strict=True):
        begin = int(np.clip(round(size / 2 + low * width), 0, size - 1))
        spans.append(slice(begin, max(begin + 1, round(size / 2 + high * width))))
    return image[..., spans[0], spans[1]]


def _height(plane: np.ndarray) -> float:
    """Distance in disc widths between the strongest edges above and below the centre."""
    width = plane.shape[-1] / crops.DISC.stored_columns * crops.DISC.pixels_per_width
    steps = np.abs(np.diff(_region(plane, _PROFILE).mean(1)))
    half = len(steps) // 2
    return float((half + np.argmax(steps[half:]) - np.argmax(steps[:half])) / width)


def _quad_height(corners_mm: np.ndarray) -> float:
    """Mean height of the quad over its mean width."""
    front_top, back_top, back_bottom, front_bottom = np.asarray(corners_mm, np.float64)
    height = np.linalg.norm((front_top + back_top - front_bottom - back_bottom) / 2)
    width = float(np.linalg.norm((back_top + back_bottom - front_top - front_bottom) / 2))
    return float(height / max(width, 1e-6))


def index_features(index: records.Index) -> np.ndarray:
    """Returns [records, features] of every disc of an index."""
    plan = np.arange(len(index), dtype=np.int32).reshape(-1, 1, 1)

    def preprocess(example, inputs, seed: tf.Tensor):
        return {name: example[name] for name in ("image", "slice_is_valid", "corners_mm", "level")}

    found = []
    process = data_pipeline.compile_preprocess(index.kind, index.crop_scale, preprocess, None)
    for _, batch in data_pipeline.items(index, plan, process, seed=0):
        disc = {name: value[0].numpy() for name, value in batch.items()}
        corners_mm = disc["corners_mm"].reshape(4, 3)
        level = disc["level"].decode()
        found.append(features(disc["image"], disc["slice_is_valid"], corners_mm, level))
    return np.array(found).reshape(len(index), len(FEATURE_NAMES))


@dataclasses.dataclass(frozen=True)
class OrdinalRidge:
    """A fitted ridge regression and its thresholds [classes - 1], not falling."""

    regression: pipeline.Pipeline
    thresholds: np.ndarray

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the class index [n] of [n, features]."""
        return np.searchsorted(self.thresholds, self.regression.predict(inputs), side="right")


def fit(inputs: np.ndarray, classes: np.ndarray, num_classes: int) -> OrdinalRidge:
    """Fits the baseline.

    Args:
        inputs: [n, features].
        classes: [n] class index, at least two different ones.
        num_classes: Number of classes of the grading.

    Raises:
        ValueError: If fewer than two classes occur.
    """
    if len(np.unique(classes)) < 2:
        raise ValueError("`classes` must hold at least two grades to fit a regression, got one.")
    regression = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.RidgeCV(alphas=_ALPHAS)
    )
    regression.fit(inputs, classes.astype(float))
    return OrdinalRidge(
        regression, best_thresholds(regression.predict(inputs), classes, num_classes)
    )


def best_thresholds(scores: np.ndarray, classes: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns the thresholds with the best balanced accuracy, exactly, by dynamic programming.

    Args:
        scores: [n] continuous predictions.
        classes: [n] class index.
        num_classes: Number of classes.

    Returns:
        [num_classes - 1], not falling; a score at or above a threshold is in the higher class. A
        class that is best never predicted has two equal thresholds.
    """
    order = np.argsort(scores, kind="stable")
    scores, classes = scores[order], classes[order]
    gain = np.zeros((num_classes, len(scores) + 1))  # [class, first k scores]: recall won
    for number in range(num_classes):
        is_class = classes == number
        gain[number, 1:] = np.cumsum(is_class) / max(is_class.sum(), 1)
    is_cut = np.append(np.append(True, scores[1:] > scores[:-1]), True)  # not between equal scores
    best, choices = np.where(is_cut, gain[0], -np.inf), []
    for number in range(1, num_classes):
        won = best - gain[number]
        place = np.maximum.accumulate(
            np.where(won == np.maximum.accumulate(won), np.arange(len(won)), 0)
        )
        choices.append(place)
        best = np.where(is_cut, won[place] + gain[number], -np.inf)
    cuts, end = [], len(scores)
    for place in reversed(choices):
        end = place[end]
        cuts.append(end)
    edges = np.concatenate([[-np.inf], (scores[1:] + scores[:-1]) / 2, [np.inf]])
    return edges[cuts[::-1]]
