"""Calibrates a trained grading model: fits on validation, looks at training once."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm
from scipy import special

from spine_tf import (
    calibrate_settings,
    calibrated,
    calibration,
    files,
    gradings,
    reference,
    serving,
    tasks,
)
from spine_tf.data import records
from spine_tf.evaluation import fold, inference, options
from spine_tf.tasks.downstream import grading
from spine_tf.training import model_folder

_DIGITS = 6
_MAX_ROWS = 5000  # of training discs that travel with the model


def calibrate(
    model_dir: str, data_dir: str, settings: calibrate_settings.Settings
) -> dict[str, Any]:
    """Calibrates a model and writes the result into its folder.

    Args:
        model_dir: A model folder of the task grading.
        data_dir: The data set it was trained on.
        settings: Settings.

    Returns:
        The content of calibration.json.

    Raises:
        FileNotFoundError: If a folder is not what it should be.
        ValueError: If the model is of another task, or the data set is not that of its training.
    """
    folder = _grading_folder(model_dir)
    chosen = options.Options(split="validation", batch_size=settings.batch_size)
    (one,) = fold.open_folds(model_dir, data_dir, chosen, has_flags=False)
    module = serving.make_module(folder.load_model(), folder)
    observe = functools.partial(_observe, module, folder, settings.batch_size)
    validation, training = observe(one.test, "validation"), observe(one.known_train, "training")
    found = reference.fit(
        training["intensity"],
        training["embedding"],
        (validation["intensity"], validation["embedding"]),
    )
    content: dict[str, Any] = {
        "weights_sha256": model_folder.weights_sha256(folder.path),
        "data": dict(folder.data),
        "protocol": folder.protocol,
        "split": "validation",
        "error_rate": settings.error_rate,
        "discs": {"validation": len(one.test), "training": len(one.known_train)},
        "gradings": {
            name: _calibrate_grading(name, one.test, validation, settings.error_rate)
            for name in folder.task.gradings
        },
        "versions": model_folder.library_versions(),
    }
    rows = _rows(folder.task.gradings, one.known_train, training, found, settings.seed)
    calibrated.save(folder.path, content, found.with_rows(rows))
    return files.read_json(os.path.join(folder.path, calibrated.CALIBRATION), calibrated.FORMAT)


def _grading_folder(model_dir: str) -> model_folder.ModelFolder:
    folder = model_folder.load(model_dir)
    if type(folder.task) is not grading.Grading:
        raise ValueError(
            f"{model_dir}: must be a model of the task grading, got {tasks.name_of(folder.task)}."
        )
    return folder


def _observe(
    module: serving.GradingModule,
    folder: model_folder.ModelFolder,
    batch_size: int,
    index: records.Index,
    what: str,
) -> dict[str, np.ndarray]:
    """What the served graph sees of every record of an index."""
    items = np.stack([np.arange(len(index)), np.zeros(len(index), int)], 1)
    with tqdm.tqdm(total=len(index), desc=what, unit=" discs", disable=None) as bar:
        return inference.map_crops(
            index,
            items,
            lambda batch: module.observe(batch["crop"]),
            crop_scale=folder.model_config.crop_scale,
            batch_size=batch_size,
            report=lambda done: bar.update(done - bar.n),
        )


def _calibrate_grading(
    name: str, index: records.Index, observed: Mapping[str, np.ndarray], error_rate: float
) -> dict[str, Any]:
    """Fits one grading on the discs of validation that a reader graded; ready for JSON."""
    item = gradings.from_name(name)
    grades = [row["grades"].get(name, gradings.NOT_GRADED) for row in index.rows]
    true = np.array([item.class_index(grade) for grade in grades])
    logits = observed[f"{name}_logits"][true >= 0].astype(np.float64)
    true = true[true >= 0]
    if not len(true):
        return {"temperature": 1.0, "threshold": None, "discs": 0, "reason": _UNGRADED}
    temperature = calibration.fit_temperature(logits, true)
    before, after = (special.softmax(logits / t, 1) for t in (1.0, temperature))
    chosen = calibration.choose_threshold(after.max(1), after.argmax(1) == true, error_rate)
    nll = functools.partial(calibration.negative_log_likelihood, logits, true)
    ece = functools.partial(calibration.expected_calibration_error, true=true)
    return {
        "temperature": round(temperature, _DIGITS),
        "temperature_is_at_bound": calibration.is_at_bound(temperature),
        "threshold": _rounded(chosen.threshold),
        "discs": len(true),
        "nll": {"before": _rounded(nll(1.0)), "after": _rounded(nll(temperature))},
        "ece": {"before": _rounded(ece(before)), "after": _rounded(ece(after))},
        "answered": {
            "discs": chosen.answered,
            "coverage": _rounded(chosen.coverage),
            "error_rate": _rounded(chosen.error_rate),
            "error_rate_upper": _rounded(chosen.error_rate_upper),
        },
        "reason": "" if chosen.answered else _NOT_MET,
    }


_UNGRADED = "no disc of validation is graded, so every grade is called uncertain"
_NOT_MET = "the error rate is met at no threshold, so every grade is called uncertain"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rows(
    names: Sequence[str],
    index: records.Index,
    observed: Mapping[str, np.ndarray],
    known: reference.Reference,
    seed: int,
) -> dict[str, np.ndarray]:
    """Facts of some training discs without keys, see `reference.Reference.rows`."""
    here = reference.choose_rows(len(index), _MAX_ROWS, seed)
    intensity, embedding = (tf.constant(observed[n][here]) for n in ("intensity", "embedding"))
    scanners = [reference.scanner_name(index.rows[i]["field_strength_t"][0]) for i in here]
    found = {
        "features": known.features(intensity, embedding).numpy(),
        "level": reference.text_array([index.rows[i]["level"] for i in here]),
        "scanner": reference.text_array(scanners),
    }
    for name in names:
        first = gradings.from_name(name).first_grade
        predicted = observed[f"{name}_logits"][here].argmax(1) + first
        found[f"grade_{name}"] = predicted.astype(np.int32)
    return found


def lines(content: Mapping[str, Any]) -> list[str]:
    """Returns a short table of calibration.json for a person."""
    table = [f"error rate among answered discs at most {content['error_rate']:g}, on validation"]
    for name, found in content["gradings"].items():
        text = f"{name}: {found['discs']} discs, temperature {found['temperature']:.3f}"
        if "ece" in found:
            ece, answered = found["ece"], found["answered"]
            text += f", ECE {ece['before']:.3f} -> {ece['after']:.3f}"
            text += f", answered {100 * answered['coverage']:.1f} %"
        if found["reason"]:
            text += f"; {found['reason']}"
        elif found["threshold"] is not None:
            text += (
                f" at threshold {found['threshold']:.3f} with error rate"
                f" {answered['error_rate']:.3f} (95 % upper bound"
                f" {answered['error_rate_upper']:.3f})"
            )
        if found.get("temperature_is_at_bound"):
            text += (
                "; the temperature is at its bound: the model has learned little, or all is right"
            )
        table.append(text)
    return table
