"""A model folder to a numbered SavedModel."""

import dataclasses
import itertools
import os
import shutil
from typing import Any

from export import saved_model
from spine_tf import calibrated, files, gradings, serving, tasks
from spine_tf.data import crops
from spine_tf.tasks.downstream import grading
from spine_tf.training import model_folder


def export(model_dir: str, export_dir: str) -> str:
    """Writes the next version of a model: aside first, then renamed when whole.

    Args:
        model_dir: A model folder.
        export_dir: Folder of the versions; made if missing.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: If `model_dir` is no model folder, or has no weights yet.
        ValueError: If its config.json is not valid, its task cannot be exported, or it was
            calibrated with other weights.
    """
    folder = model_folder.load(model_dir)
    model = folder.load_model()
    weights_sha256 = files.sha256(os.path.join(model_dir, model_folder.WEIGHTS))
    calibration = calibrated.load(model_dir, weights_sha256)
    module = serving.make_module(model, folder, calibration)
    os.makedirs(export_dir, exist_ok=True)
    # TF Serving takes folders whose names are numbers; this one it does not see.
    temporary = os.path.join(export_dir, f".tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        serving.save(module, temporary)
        extra = os.path.dirname(os.path.join(temporary, saved_model.INFO))
        os.makedirs(extra, exist_ok=True)
        if calibration:
            shutil.copy(os.path.join(model_dir, calibrated.REFERENCE), extra)
        info = describe(folder, calibration) | {"weights_sha256": weights_sha256}
        files.write_json(os.path.join(temporary, saved_model.INFO), info)
        return _rename_to_next(temporary, export_dir)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rename_to_next(temporary: str, export_dir: str) -> str:
    """Renames to the next free number, also if another process takes one at the same time."""
    newest = max(saved_model.versions(export_dir), default=0)
    for number in itertools.count(newest + 1):
        path = os.path.join(export_dir, str(number))
        try:
            os.rename(temporary, path)
        except OSError:
            if not os.path.exists(path):
                raise
        else:
            return path


def describe(
    folder: model_folder.ModelFolder, calibration: calibrated.Calibrated | None
) -> dict[str, Any]:
    """Returns the content of model.json but for the hash of the weights; no path."""
    names = folder.task.gradings if isinstance(folder.task, grading.Grading) else ()
    kind, scale = folder.task.crop_kind, folder.model_config.crop_scale
    return {
        "format": saved_model.FORMAT,
        "task": {"name": tasks.name_of(folder.task), **dataclasses.asdict(folder.task)},
        "gradings": [_describe_grading(name, folder) for name in names],
        "crop": {
            "kind": kind.name,
            "shape": folder.task.encoder_shape(folder.model_config),
            "scale": scale,
            "record_scale": folder.data["crop_scale"],
            "pixels_per_width": kind.pixels_per_width * scale,
            "median": crops.MEDIAN_INTENSITY,
            "range": [0.0, crops.MAX_INTENSITY],
        },
        "data": dict(folder.data),
        "protocol": folder.protocol,
        "versions": {
            "trained": dict(folder.versions),
            "exported": model_folder.library_versions(),
        },
        "calibration": _describe_calibration(calibration),
        "reference": calibration.content["reference"] if calibration else None,
    }


def _describe_calibration(calibration: calibrated.Calibrated | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {name: calibration.content[name] for name in ("error_rate", "gradings", "discs")}


def _describe_grading(name: str, folder: model_folder.ModelFolder) -> dict[str, Any]:
    item = gradings.from_name(name)
    return {
        "name": name,
        "title": item.title,
        "grades": item.grades,
        "source": item.source,
        "graded_levels": list(folder.statistics.graded_levels.get(name, ())),
        "class_counts": list(folder.statistics.class_counts[name]),
    }
