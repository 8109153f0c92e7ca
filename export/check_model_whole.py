"""Rules on a version as a whole: its files, signatures, time, size and accuracy."""

import os
import statistics
from typing import Any

import numpy as np

from export import check_model_rules, check_model_served, model_card, saved_model
from spine_tf import files, gradings, serving
from spine_tf.data import records
from spine_tf.evaluation import fold, options, ordinal

METRIC = "balanced_accuracy"
_INPUTS = {
    serving.DEFAULT: {"crops"},
    serving.PACKED: {"crops"},
    serving.EMBED: {"crops"},
    serving.EXAMPLES: {"examples"},
    serving.SCAN: {"volume", "affine", "corners_mm", "levels"},
}
_EXPORT = "Export the model again with spine-tf export."


def _files(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """Every file that was exported has its size."""
    known = subject.info.get("files", {})
    saved_model.check_whole(subject.version, subject.info)
    return check_model_rules.Verdict(bool(known), f"{len(known)} files")


def _weights(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    found = subject.info["weights_sha256"]
    return check_model_rules.Verdict(found == subject.trained.weights_sha256, found)


def _loads(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    facts = subject.loaded.facts
    return check_model_rules.Verdict(not facts["python_graph"], dict(facts))


def _signatures(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """All are there; inputs and outputs are named and typed; outputs have any number of rows."""
    found = subject.loaded.signatures
    wrong = [
        f"{name} must take {', '.join(sorted(inputs))}"
        for name, inputs in _INPUTS.items()
        if name not in found or set(found[name].inputs) != inputs
    ]
    for name, signature in found.items():
        wrong += _untyped(name, signature)
    return check_model_rules.Verdict(not wrong, wrong or sorted(found))


def _untyped(name: str, signature: check_model_served.Signature) -> list[str]:
    wrong = [
        f"{name}: {key} must have a type and a rank"
        for key, tensor in {**signature.inputs, **signature.outputs}.items()
        if not tensor.type or tensor.shape is None
    ]
    batched = dict(signature.outputs)
    if name != serving.SCAN:  # a scan is one; its discs are the batch
        batched |= signature.inputs
    return wrong + [
        f"{name}: {key} must have any number of rows, got {tensor.shape}"
        for key, tensor in batched.items()
        if tensor.shape is not None and tensor.shape[:1] != (None,)
    ]


def _calibrated(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    found, trained = subject.info["calibration"], subject.trained.calibration
    temperatures = {
        name: one["temperature"] for name, one in (found or {}).get("gradings", {}).items()
    }
    known = None if trained is None else {name: trained.temperature(name) for name in temperatures}
    same = found is not None and known == temperatures
    return check_model_rules.Verdict(same, temperatures or "not calibrated")


def _latency(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """Medians in ms, after one request that is not counted."""
    asked = {
        serving.DEFAULT: {"crops": subject.crops[:1]},
        serving.SCAN: subject.inputs_of(serving.SCAN),
    }
    found = {}
    for name, inputs in asked.items():
        times = [
            subject.loaded.ask_timed(name, **inputs)[1] for _ in range(subject.settings.repeats + 1)
        ]
        found[name] = round(1000 * statistics.median(times[1:]), 3)
    return check_model_rules.Verdict(
        max(found.values()) <= subject.settings.max_latency_ms,
        {f"{k}_ms": v for k, v in found.items()},
    )


def _size(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    paths = saved_model.file_names(subject.version)
    sizes = (os.path.getsize(os.path.join(subject.version, path)) for path in paths)
    megabytes = round(sum(sizes) / 1e6, 3)
    return check_model_rules.Verdict(
        megabytes <= subject.settings.max_size_mb, {"megabytes": megabytes}
    )


# === Accuracy ===


def _accuracy(subject: check_model_rules.Subject) -> check_model_rules.Verdict:
    """What a reader graded in the test split is graded as well as the model card says."""
    if not subject.data_dir:
        raise ValueError("no --data_dir was given")
    bounds = _bounds(subject)
    chosen = options.Options(split="test", batch_size=subject.settings.batch_size)
    folder = subject.trained.folder.path
    (one,) = fold.open_folds(folder, subject.data_dir, chosen, has_flags=False)
    answers = _grade(subject, one.test)
    found: dict[str, Any] = {}
    for name, low in bounds.items():
        value, count = _measured(name, one.test, answers[f"{name}_grade"])
        found[name] = {METRIC: value, "lower_bound": low, "discs": count}
    passed = all(
        item[METRIC] is not None and item[METRIC] >= item["lower_bound"] for item in found.values()
    )
    return check_model_rules.Verdict(bool(found) and passed, found or "no bound in the model card")


def _bounds(subject: check_model_rules.Subject) -> dict[str, float]:
    """Grading -> lower 95 % bound in the model card, of those that have one."""
    path = os.path.join(subject.version, saved_model.EXTRA, model_card.JSON)
    evaluation = files.read_json(path, model_card.FORMAT)["evaluation"]
    if evaluation is None:
        raise ValueError("the model card has no evaluation; run spine-tf evaluate, export again")
    found = evaluation["results"]["gradings"]
    lows = {name: found[name]["model"][METRIC]["low"] for name in found}
    return {name: low for name, low in lows.items() if low is not None}


def _grade(subject: check_model_rules.Subject, index: records.Index) -> dict[str, np.ndarray]:
    size, parts = subject.settings.batch_size, []
    for start in range(0, len(index), size):
        numbers = range(start, min(start + size, len(index)))
        serialized = np.array([index.read(number) for number in numbers], object)
        parts.append(subject.loaded.ask(serving.EXAMPLES, examples=serialized))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _measured(name: str, index: records.Index, predicted: np.ndarray) -> tuple[float | None, int]:
    item = gradings.from_name(name)
    true = np.array([row["grades"].get(name, gradings.NOT_GRADED) for row in index.rows])
    graded = true != gradings.NOT_GRADED
    pairs = [[item.class_index(int(a)) for a in one[graded]] for one in (true, predicted)]
    confusion = np.zeros((item.num_classes, item.num_classes))
    np.add.at(confusion, tuple(np.array(pairs, int)), 1)
    value = float(ordinal.balanced_accuracy(confusion))
    return (round(value, 6) if np.isfinite(value) else None), int(graded.sum())


FIRST = (
    check_model_rules.Rule(
        "files",
        "every exported file at its size",
        f"The version is half written or has changed. {_EXPORT}",
        _files,
        needs_served=False,
    ),
    check_model_rules.Rule(
        "weights",
        "the weights of --model_dir, by the hash in model.json",
        f"Give the model folder that was exported. {_EXPORT}",
        _weights,
        needs_served=False,
    ),
    check_model_rules.Rule(
        "loads",
        "to load through the C library, in a process without TensorFlow's Python",
        f"A file is damaged, or the graph needs an operation of its own. {_EXPORT}",
        _loads,
    ),
    check_model_rules.Rule(
        "signatures",
        "serving_default, packed, embed, examples and scan, each input and output with a name, a"
        " type and any number of rows",
        _EXPORT,
        _signatures,
    ),
    check_model_rules.Rule(
        "calibrated",
        "a calibrated model, with the temperatures of --model_dir",
        "Run spine-tf calibrate, then spine-tf export.",
        _calibrated,
        needs_served=False,
    ),
)
LAST = (
    check_model_rules.Rule(
        "latency",
        "a median of at most {max_latency_ms:g} ms",
        "Use a smaller preset, a faster machine, or --max_latency_ms.",
        _latency,
    ),
    check_model_rules.Rule(
        "size",
        "at most {max_size_mb:g} MB",
        "Use a smaller preset, or --max_size_mb.",
        _size,
        needs_served=False,
    ),
    check_model_rules.Rule(
        "accuracy",
        "balanced accuracy on the test split at or above the lower 95 % bound in the model card",
        "Give --data_dir, the data set of the training. If the bound is missed the graph or the"
        " records are not those of the evaluation.",
        _accuracy,
    ),
)
