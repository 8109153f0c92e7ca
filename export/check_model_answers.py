"""Rules on answers: every signature says what the training side says."""

import numpy as np

from export import check_model_rules, check_model_trained
from spine_tf import gradings, serving
from spine_tf.data import schema

TOLERANCE = 1e-5
TOLERANCE_UINT16 = 1e-4  # through crops that were rounded to uint16
# Distances divide by how much each feature varies in the training set, which may be little, and
# percentiles of intensities move by a step of their bins.
_WATCHED = {"distance": 1e-3, "features": 1e-3}
BATCHES = (1, 2, 17)
_RETRAIN = "The graph is not that of --model_dir: export it again with spine-tf export."

Answers = dict[str, np.ndarray]


def differences(got: Answers, wanted: Answers) -> dict[str, float]:
    """Returns output -> largest difference, absolute up to 1 and relative above.

    Args:
        got: What a signature answered.
        wanted: What the training side says; only outputs in both are compared.

    Raises:
        ValueError: If an output has another shape, or nothing can be compared.
    """
    shared = sorted(set(got) & set(wanted))
    if not shared:
        raise ValueError(f"outputs must be among {sorted(wanted)}, got {sorted(got)}")
    return {name: _difference(name, got[name], wanted[name]) for name in shared}


def _difference(name: str, got: np.ndarray, wanted: np.ndarray) -> float:
    if got.shape != wanted.shape:
        raise ValueError(f"{name} must have shape {wanted.shape}, got {got.shape}")
    if not got.size:
        return 0.0
    found = np.abs(got.astype(np.float64) - wanted) / np.maximum(1.0, np.abs(wanted))
    return float(found.max()) if np.isfinite(found).all() else float("inf")


def _verdict(found: dict[str, float], tolerance: float) -> check_model_rules.Verdict:
    passed = all(value <= _WATCHED.get(name, tolerance) for name, value in found.items())
    return check_model_rules.Verdict(passed, {name: _finite(v) for name, v in found.items()})


def _finite(value: float) -> float | str:
    """JSON has no number for infinity."""
    return value if np.isfinite(value) else "not finite"


def _largest(found: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for one in found for name in one})
    return {name: max(one[name] for one in found if name in one) for name in names}


def _warmup(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """Every request is answered, with finite numbers."""
    counts: dict[str, int] = {}
    for request in subject.requests:
        answer = subject.loaded.ask(request.signature, **request.inputs)
        for name, value in answer.items():
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise ValueError(f"{request.signature}: {name} is not finite")
        counts[request.signature] = counts.get(request.signature, 0) + 1
    return check_model_rules.Verdict(set(counts) == set(subject.loaded.signatures), counts)


def _crops(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    wanted = subject.trained.answers(subject.crops)
    return _verdict(
        _largest(
            [
                differences(subject.loaded.ask(name, crops=subject.crops), wanted)
                for name in (serving.DEFAULT, serving.EMBED)
            ]
        ),
        TOLERANCE,
    )


def _packed(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    wanted = subject.trained.answers(subject.crops)
    packed = np.array([schema.encode_pixels(crop) for crop in subject.crops], object)
    answer = subject.loaded.ask(serving.PACKED, crops=packed)
    return _verdict(differences(answer, wanted), TOLERANCE_UINT16)


def _records(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    inputs = subject.inputs_of(serving.EXAMPLES)
    crops = subject.trained.crops_of_records(list(inputs["examples"]))
    answer = subject.loaded.ask(serving.EXAMPLES, **inputs)
    return _verdict(differences(answer, subject.trained.answers(crops)), TOLERANCE)


def _scan(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    inputs = subject.inputs_of(serving.SCAN)
    discs, crops = subject.trained.crops_of_scan(inputs)
    answer = subject.loaded.ask(serving.SCAN, **inputs)
    if answer["disc"].tolist() != discs:
        raise ValueError(f"disc must be {discs}, got {answer['disc'].tolist()}")
    wanted = subject.trained.answers(crops) | {"crops": crops}
    return _verdict(differences(answer, wanted), TOLERANCE_UINT16)


def _batches(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """Each crop of a batch is answered as if it were alone."""
    crops = np.resize(subject.crops, (max(BATCHES), *subject.crops.shape[1:]))
    brightness = np.linspace(0.5, 1.0, len(crops), dtype=np.float32)  # no two alike
    crops *= brightness[:, None, None, None]
    wanted = subject.trained.answers(crops)
    found = []
    for size in BATCHES:
        answer = subject.loaded.ask(serving.DEFAULT, crops=crops[:size])
        part = {name: value[:size] for name, value in wanted.items()}
        found.append(differences(answer, part))
    return _verdict(_largest(found), TOLERANCE)


def _derived(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """Grades, and what is uncertain or an outlier, follow from the numbers beside them."""
    answer = subject.loaded.ask(serving.DEFAULT, crops=subject.crops)
    wrong = {}
    for name in subject.trained.folder.task.gradings:
        for output, wanted in _consequences(name, answer, subject.trained).items():
            wrong[output] = int(np.sum(answer[output] != wanted))
    if "distance" in answer:
        wrong["is_outlier"] = int(np.sum(answer["is_outlier"] != (answer["distance"] > 1)))
    return check_model_rules.Verdict(not any(wrong.values()), wrong)


def _consequences(name: str, answer: Answers, trained: check_model_trained.Trained) -> Answers:
    chance = answer[f"{name}_probabilities"]
    grades = np.array(gradings.from_name(name).grades)
    found = {f"{name}_grade": grades[chance.argmax(1)]}
    if trained.calibration:
        threshold = np.float32(trained.calibration.threshold(name))
        found[f"{name}_uncertain"] = chance.max(1) < threshold
    return found


RULES = (
    check_model_rules.Rule(
        "warmup",
        "finite answers to warmup requests of every signature",
        "Export again with tensorflow-serving-api installed (pip install 'spine-tf[serving]').",
        _warmup,
    ),
    check_model_rules.Rule(
        "crops", f"within {TOLERANCE:g} of the training-side model", _RETRAIN, _crops
    ),
    check_model_rules.Rule(
        "packed",
        f"within {TOLERANCE_UINT16:g} of the training-side model, through uint16",
        _RETRAIN,
        _packed,
    ),
    check_model_rules.Rule(
        "records", f"within {TOLERANCE:g} of the training side on records", _RETRAIN, _records
    ),
    check_model_rules.Rule(
        "scan",
        f"crops and answers within {TOLERANCE_UINT16:g} of converting the scan to records",
        "The graph cuts crops in another way than conversion does: export it again with the"
        " version of spine_tf that converted the training data.",
        _scan,
    ),
    check_model_rules.Rule(
        "batches",
        f"batches of {', '.join(map(str, BATCHES))} within {TOLERANCE:g} of the training side",
        _RETRAIN,
        _batches,
    ),
    check_model_rules.Rule(
        "derived",
        "grades, uncertain and is_outlier that follow from the numbers beside them",
        _RETRAIN,
        _derived,
    ),
)
