"""A model folder to a numbered SavedModel."""

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from export import aside, export_settings, model_card, saved_model, server_config, warmup
from spine_tf import calibrated, files, gradings, serving, tasks
from spine_tf.data import crops
from spine_tf.tasks.downstream import grading
from spine_tf.training import model_folder


def export(
    model_dir: str,
    export_dir: str,
    settings: export_settings.Settings | None = None,
    say: Callable[[str], object] = lambda note: None,
) -> str:
    """Writes the next version of a model: aside first, then renamed when whole.

    Args:
        model_dir: A model folder.
        export_dir: Folder of the versions; made if missing.
        settings: Settings; None is the defaults.
        say: Is told what the version lacks.

    Returns:
        The folder of the new version.

    Raises:
        FileNotFoundError: If `model_dir` is no model folder, or has no weights yet.
        ValueError: If its config.json is not valid, its task cannot be exported, or its calibration
            or evaluation is of other weights.
    """
    settings = settings or export_settings.Settings()
    folder = model_folder.load(model_dir)
    model = folder.load_model()
    weights_sha256 = model_folder.weights_sha256(model_dir)
    calibration = calibrated.load(model_dir, weights_sha256)
    module = serving.make_module(model, folder, calibration)
    info = describe(folder, calibration) | {"weights_sha256": weights_sha256}
    evaluation = model_card.read_evaluation(settings.evaluation, model_dir, weights_sha256)
    card = model_card.describe(folder, info, settings, evaluation)
    requests = warmup.requests(folder, settings.data_dir)
    with aside.folder(export_dir) as temporary:
        serving.save(module, temporary)
        _write_extra(os.path.join(temporary, saved_model.EXTRA), card, requests)
        if calibration:
            source = os.path.join(model_dir, calibrated.REFERENCE)
            shutil.copy(source, os.path.join(temporary, saved_model.EXTRA))
        info["files"] = saved_model.file_sizes(temporary)
        files.write_json(os.path.join(temporary, saved_model.INFO), info)
        server_config.write(export_dir, settings.name)
        path = _rename_to_next(temporary, export_dir)
    for note in _notes(info, evaluation, requests):
        say(note)
    return path


def _write_extra(folder: str, card: dict[str, Any], requests: Sequence[warmup.Request]) -> None:
    """Writes what a server or a person reads beside the graph."""
    os.makedirs(folder, exist_ok=True)
    files.write_json(os.path.join(folder, model_card.JSON), card)
    with files.atomic_write(os.path.join(folder, model_card.MARKDOWN)) as file:
        file.write(model_card.to_markdown(card))
    if requests and warmup.is_installed():
        warmup.write(os.path.join(folder, warmup.FILE), card["name"], requests)


def _notes(info, evaluation, requests) -> Iterator[str]:
    """What a version lacks, and how to get it."""
    if info["gradings"] and not info["calibration"]:
        yield (
            "not calibrated: no grade is ever called uncertain. Run spine-tf calibrate, then export"
            " again"
        )
    if evaluation is None:
        yield (
            "the model card has no metrics: run spine-tf evaluate with"
            " --output_dir=MODEL_DIR/evaluation, then export again"
        )
    if not warmup.is_installed():
        yield warmup.NOT_INSTALLED
    elif not requests:
        yield "no warmup requests were written: a phantom has no plain images. Give --data_dir"


def _rename_to_next(temporary: str, export_dir: str) -> str:
    """Renames to the next free number, also if another process takes one at the same time."""
    number = max(saved_model.versions(export_dir), default=0)
    while True:
        number += 1
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
    """Returns the content of model.json but for the hash of the weights and files; no path."""
    names = folder.task.gradings if isinstance(folder.task, grading.Grading) else ()
    kind, scale = folder.task.crop_kind, folder.model_config.crop_scale
    return {
        "format": saved_model.FORMAT,
        "record_schema": saved_model.RECORD_SCHEMA,
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
