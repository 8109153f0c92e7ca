"""A trained detector's model folder to one file of weights and its model card."""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any

from spine_tf import files, tasks
from spine_tf.detection import network
from spine_tf.tasks.downstream import detection
from spine_tf.training import model_folder

FORMAT = "spine_tf model card/1"
_USE = "Research only, not a medical device: not for diagnosis or treatment."
_DATA = {
    "spider": {
        "name": "SPIDER",
        "source": "van der Graaf et al., Lumbar spine segmentation in MR images: a dataset and a"
        " public benchmark, Scientific Data 11:264, 2024; https://doi.org/10.5281/zenodo.10159290",
        "licence": "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/",
        "changes": "Images resampled, slices averaged, masks reduced to classes; corners of S1"
        " marked by hand.",
    },
    "phantom": {
        "name": "Synthetic lumbar scans of this project (make-phantom)",
        "licence": "Apache-2.0",
    },
    "dicom": {"name": "DICOM studies with vertebrae/1 annotations of the user"},
}


@dataclasses.dataclass(frozen=True)
class Said:
    """What a card says that no model folder knows.

    Attributes:
        status: preliminary or final.
        commands: The commands that made the model.
        notes: What a reader should know.
        results_file: JSON of what was measured; its lines per patient are left out.
    """

    status: str = "preliminary"
    commands: Sequence[str] = ()
    notes: Sequence[str] = ()
    results_file: str | None = None


def card_path(path: str) -> str:
    """Returns where the model card of packed weights lies."""
    return f"{os.path.splitext(path)[0]}.json"


def load_folder(model_dir: str) -> model_folder.ModelFolder:
    """Reads the model folder of a detector.

    Raises:
        FileNotFoundError: If it is no model folder.
        ValueError: If it is of another task.
    """
    folder = model_folder.load(model_dir)
    if not isinstance(folder.task, detection.Detection):
        name = tasks.name_of(folder.task)
        raise ValueError(f"{model_dir}: must be a model of the task detection, got {name}.")
    return folder


def pack(model_dir: str, output_file: str, said: Said) -> dict[str, Any]:
    """Writes the weights of a model folder as float16, and the model card beside them.

    Args:
        model_dir: Model folder of the task `detection`.
        output_file: NAME.npz; its folder is made if missing.
        said: What else the card says.

    Returns:
        The card.

    Raises:
        FileNotFoundError: If the folder holds no trained model.
        ValueError: If it is of another task, or `output_file` is no .npz.
    """
    if not output_file.endswith(".npz"):
        raise ValueError(f"`output_file` must end in .npz, got {output_file!r}.")
    folder = load_folder(model_dir)
    results = _results(said.results_file) if said.results_file else {}
    os.makedirs(os.path.dirname(os.path.abspath(output_file)), exist_ok=True)
    network.save(output_file, folder.load_model(), folder.model_config, {"status": said.status})
    card = {
        "format": FORMAT,
        "status": said.status,
        "use": _USE,
        "notes": list(said.notes),
        "file": os.path.basename(output_file),
        "sha256": files.sha256(output_file),
        "bytes": os.path.getsize(output_file),
        "data": [_DATA[name] for name in folder.data["source"].split("+") if name in _DATA],
        "training": {
            "protocol": folder.protocol,
            "data": dict(folder.data),
            "settings": dataclasses.asdict(folder.train_config),
            "model": dataclasses.asdict(folder.model_config),
            "versions": dict(folder.versions),
            "commands": list(said.commands),
            "validation": _best_epoch(folder),
        },
        "results": results,
    }
    files.write_json(card_path(output_file), card)
    return card


def _results(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: is not valid JSON ({error}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must be a JSON object, got {type(content).__name__}.")
    return {name: value for name, value in content.items() if name != "per_patient"}


def _best_epoch(folder: model_folder.ModelFolder) -> dict[str, float]:
    """The numbers of the epoch whose weights are packed."""
    return {name: value for name, value in folder.kept_epoch().items() if name != "seconds"}
