"""Measures how hard a phantom cohort is for methods without a network.

A phantom that plain correlation solves teaches a network nothing, and one in which identity is not
there at all teaches it less. `TARGETS` says where the phantom has to lie.
"""

import concurrent.futures
import dataclasses
import hashlib
import multiprocessing
import pathlib

import numpy as np
import tqdm
from sklearn import linear_model, metrics, model_selection

from spine_tf.phantom import cohort, measures

# Measure -> (lowest, highest) value.
TARGETS = {
    "plain_correlation_auc": (0.55, 0.75),
    "shifted_correlation_auc": (0.55, 0.75),
    "shape_features_auc": (0.60, 0.85),
    "header_facts_auc": (0.45, 0.55),
    "disc_ridge_balanced_accuracy": (0.45, 0.65),
    "reader_kappa": (0.70, 0.80),
}
_NEGATIVES = 3  # per positive pair
_SHIFTS = range(-3, 4)  # of pixels of 1.3 mm
_FOLDS = 5


def fingerprint() -> str:
    """Returns the SHA-256 of the modules that make the phantom: which phantom was measured."""
    folder = pathlib.Path(__file__).parent
    measuring = {"calibration.py", "measures.py"}
    sources = sorted(path for path in folder.glob("*.py") if path.name not in measuring)
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def measure(config: cohort.CohortConfig, num_processes: int = 1) -> dict:
    """Calibrates a cohort.

    Args:
        config: The cohort; subjects with one visit count for the discs only.
        num_processes: Worker processes; the result does not depend on it.

    Returns:
        The measures of `TARGETS`, ready for JSON, with the sizes and parts behind them.
    """
    visits = [
        (index, visit)
        for index in range(config.num_subjects)
        for visit in range(min(cohort.num_visits(config, index), 2))
    ]
    found = dict(zip(visits, _measure_all(config, visits, num_processes), strict=True))
    subjects = [index for index, visit in visits if visit == 1]
    first = [found[index, 0] for index in subjects]
    second = [found[index, 1] for index in subjects]
    pairs = make_pairs([cohort.family_index(index) for index in subjects])
    headers = header_aucs(first, second, pairs)
    families = [cohort.family_index(index) for index, _ in visits]
    return {
        "phantom_sha256": fingerprint(),
        "num_subjects": config.num_subjects,
        "seed": config.seed,
        "num_positive_pairs": int(7 * len(subjects)),
        "plain_correlation_auc": _auc(pairs, plain_correlations(first, second, pairs)),
        "shifted_correlation_auc": _auc(pairs, shifted_correlations(first, second, pairs)),
        "shape_features_auc": shape_auc(first, second, pairs),
        "header_facts_auc": headers.pop("all"),
        "header_facts_auc_each": headers,
        "disc_ridge_balanced_accuracy": ridge_accuracy(list(found.values()), families),
        "disc_grades": np.bincount(_grades(found.values()), minlength=5)[1:].tolist(),
        "reader_kappa": reader_kappa(config, visits),
        "targets": {name: list(limits) for name, limits in TARGETS.items()},
    }


def _measure_all(config, visits, num_processes: int) -> list[measures.Measures]:
    bar = {"total": len(visits), "desc": "visits", "unit": "visit", "disable": None}
    indices, numbers = zip(*visits, strict=True)
    configs = [config] * len(visits)
    if num_processes == 1:
        return list(tqdm.tqdm(map(measures.measure, configs, indices, numbers), **bar))
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(num_processes, context) as pool:
        found = pool.map(measures.measure, configs, indices, numbers, chunksize=4)
        return list(tqdm.tqdm(found, **bar))


# === Pairs ===


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of a first and a second visit.

    Attributes:
        first: [n] which subject's first visit.
        second: [n] which subject's second visit.
        is_same: [n] bool.
    """

    first: np.ndarray
    second: np.ndarray
    is_same: np.ndarray


def make_pairs(families: list[int]) -> Pairs:
    """Pairs every subject with itself and with the next ones of other families."""
    count = len(families)
    first, second = list(range(count)), list(range(count))
    for index in range(count):
        others = [(index + step) % count for step in range(1, count)]
        others = [other for other in others if families[other] != families[index]]
        first += [index] * len(others[:_NEGATIVES])
        second += others[:_NEGATIVES]
    first, second = np.array(first), np.array(second)
    return Pairs(first, second, first == second)


def _auc(pairs: Pairs, scores: np.ndarray) -> float:
    """AUC of [n, levels] scores, pooled."""
    labels = np.repeat(pairs.is_same, scores.shape[1])
    return round(float(metrics.roc_auc_score(labels, scores.ravel())), 4)


def _standardised(images: np.ndarray) -> np.ndarray:
    """[..., k] to zero mean and unit length along the last axis."""
    images = images - images.mean(axis=-1, keepdims=True)
    return images / np.maximum(np.linalg.norm(images, axis=-1, keepdims=True), 1e-6)


def plain_correlations(first: list, second: list, pairs: Pairs) -> np.ndarray:
    """Returns [n, 7] normalised cross-correlations of the crops as they are."""
    scores = []
    for one, other in zip(pairs.first, pairs.second, strict=True):
        a = _standardised(first[one].crops.astype(np.float32).reshape(7, -1))
        b = _standardised(second[other].crops.astype(np.float32).reshape(7, -1))
        scores.append((a * b).sum(axis=-1))
    return np.array(scores)


def shifted_correlations(first: list, second: list, pairs: Pairs) -> np.ndarray:
    """Returns [n, 7] largest correlations over shifts of 4 mm in plane and one slice."""
    margin, rim = max(_SHIFTS), 1
    fixed, moved = {}, {}
    for key in np.unique(pairs.first):
        image = _reduced(first[key].crops)[:, rim:-rim, margin:-margin, margin:-margin]
        fixed[key] = _standardised(image.reshape(7, -1))
    for key in np.unique(pairs.second):
        moved[key] = _all_shifts(_reduced(second[key].crops), margin, rim)
    scores = [
        np.einsum("lk,lsk->ls", fixed[one], moved[other]).max(axis=1)
        for one, other in zip(pairs.first, pairs.second, strict=True)
    ]
    return np.array(scores)


def _reduced(crops: np.ndarray) -> np.ndarray:
    """Averages 2 by 2 pixels: [7, slices, 56, 56] float32 of about 1.3 mm."""
    shape = crops.shape
    blocks = crops.astype(np.float32).reshape(*shape[:2], shape[2] // 2, 2, shape[3] // 2, 2)
    return blocks.mean(axis=(3, 5))


def _all_shifts(image: np.ndarray, margin: int, rim: int) -> np.ndarray:
    """[7, shifts, pixels], standardised."""
    slices, size = image.shape[1], image.shape[2]
    shifted = [
        image[
            :,
            rim + k : slices - rim + k,
            margin + i : size - margin + i,
            margin + j : size - margin + j,
        ]
        for k in (-rim, 0, rim)
        for i in _SHIFTS
        for j in _SHIFTS
    ]
    stacked = np.stack(shifted, axis=1)
    return _standardised(stacked.reshape(7, len(shifted), -1))


def _distances(first: np.ndarray, second: np.ndarray, pairs: Pairs) -> np.ndarray:
    """[n, 7, features] absolute differences of features standardised per level and visit."""
    first = (first - first.mean(axis=0)) / np.maximum(first.std(axis=0), 1e-9)
    second = (second - second.mean(axis=0)) / np.maximum(second.std(axis=0), 1e-9)
    return np.abs(first[pairs.first] - second[pairs.second])


def shape_auc(first: list, second: list, pairs: Pairs) -> float:
    """AUC of the distance between ten hand-measured shape features."""
    apart = _distances(
        np.array([item.shapes for item in first]), np.array([item.shapes for item in second]), pairs
    )
    return _auc(pairs, -np.sqrt((apart**2).sum(axis=-1)))


def header_aucs(first: list, second: list, pairs: Pairs) -> dict[str, float]:
    """AUC of header and geometry facts, each and all together."""
    apart = _distances(
        np.array([item.headers for item in first]),
        np.array([item.headers for item in second]),
        pairs,
    )
    aucs = {name: _auc(pairs, -apart[..., k]) for k, name in enumerate(measures.HEADER_FEATURES)}
    return {"all": _auc(pairs, -np.sqrt((apart**2).sum(axis=-1))), **aucs}


# === Discs ===


def _grades(found) -> np.ndarray:
    return np.concatenate([item.grades for item in found])


def ridge_accuracy(found: list[measures.Measures], families: list[int]) -> float:
    """Balanced accuracy of ordinal ridge on disc features, cross-validated by family.

    The grade is regressed, and the predictions are cut so that the training discs fall into the
    classes as often as they should.
    """
    features = np.concatenate([item.discs for item in found])
    grades = _grades(found)
    groups = np.repeat(families, [len(item.grades) for item in found])
    predicted = np.zeros_like(grades)
    for train, test in model_selection.GroupKFold(_FOLDS).split(features, grades, groups):
        predicted[test] = _ridge(features[train], grades[train], features[test])
    return round(float(metrics.balanced_accuracy_score(grades, predicted)), 4)


def _ridge(features: np.ndarray, grades: np.ndarray, new: np.ndarray) -> np.ndarray:
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    model = linear_model.Ridge(1.0).fit((features - mean) / deviation, grades)
    fitted = model.predict((features - mean) / deviation)
    shares = np.cumsum(np.bincount(grades, minlength=5)[1:4]) / len(grades)
    return 1 + np.searchsorted(np.quantile(fitted, shares), model.predict((new - mean) / deviation))


def reader_kappa(config: cohort.CohortConfig, visits: list[tuple[int, int]]) -> float:
    """Cohen's kappa of two readings of disc degeneration."""
    once, again = [], []
    for index, visit in visits:
        plan = cohort.make_plan(config, index)
        second = cohort.second_reading(config, index, visit)
        for disc, grades in plan.gradings[visit].items():
            once.append(grades["disc_degeneration"])
            again.append(second[disc]["disc_degeneration"])
    return round(float(metrics.cohen_kappa_score(once, again)), 4)


def table(measured: dict) -> str:
    """Returns the measures beside their targets, one line each."""
    lines = [f"{'measure':<32}{'value':>8}  target"]
    for name, (low, high) in TARGETS.items():
        verdict = "" if low <= measured[name] <= high else "  outside"
        lines.append(f"{name:<32}{measured[name]:8.3f}  {low:.2f} to {high:.2f}{verdict}")
    lines.append(f"{'disc grades 1 to 4':<32}{measured['disc_grades']}")
    lines.append(f"{'header facts, each':<32}{measured['header_facts_auc_each']}")
    return "\n".join(lines)
