"""What two studies are judged by: a longitudinal model and its evaluation."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from spine_tf import files, tasks
from spine_tf.data import schema
from spine_tf.evaluation import run, study_reference
from spine_tf.training import model_folder

KINDS = (schema.VERTEBRA_PAIRS, schema.DISC_PAIRS)
_TASK = "longitudinal"


@dataclasses.dataclass(frozen=True)
class Judge:
    """A model, and what its evaluation says of pairs of studies.

    Attributes:
        folder: The model folder.
        weights_sha256: Hash of its weights.
        reference: Scales, quantiles and thresholds.
        evaluation: Content of evaluation.json.
        false_positive_rate: Share of pairs of different persons that may be called the same.
    """

    folder: model_folder.ModelFolder
    weights_sha256: str
    reference: study_reference.Reference
    evaluation: Mapping[str, Any]
    false_positive_rate: float


def load(model: str, evaluation: str, false_positive_rate: float) -> Judge:
    """Opens a model and its evaluation.

    Args:
        model: A model folder of the longitudinal task.
        evaluation: Output folder of `evaluate` with this model, or with its folds.
        false_positive_rate: One that the evaluation has a threshold for.

    Raises:
        FileNotFoundError: If a folder is not what it should be.
        ValueError: If the model is of another task, or the evaluation is of other weights or has no
            such threshold.
    """
    folder = model_folder.load(model)
    name = tasks.name_of(folder.task)
    if name != _TASK or folder.task.record_kind not in KINDS:
        raise ValueError(
            f"`model` must be of the task {_TASK}, on vertebrae or discs, got {model}: {name},"
            f" {folder.task.record_kind}."
        )
    weights = os.path.join(folder.path, model_folder.WEIGHTS)
    if not os.path.exists(weights):
        raise FileNotFoundError(f"{weights}: is missing; train at least one epoch first.")
    found = model_folder.weights_sha256(folder.path)
    content = _read_evaluation(evaluation, found)
    try:
        fold = content["weights_sha256"].index(found)
        reference = study_reference.from_results(content["results"], fold)
        reference.near(false_positive_rate)
    except ValueError as error:
        raise ValueError(f"{evaluation}: {error}") from None
    return Judge(folder, found, reference, content, false_positive_rate)


def _read_evaluation(folder: str, weights_sha256: str) -> dict[str, Any]:
    path = os.path.join(folder, run.EVALUATION)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{folder}: is not an evaluation, it has no {run.EVALUATION}. Give the --output_dir of"
            " spine-tf evaluate."
        )
    content = files.read_json(path, run.FORMAT)
    if content.get("task") != _TASK:
        raise ValueError(f"{path}: `task` must be {_TASK!r}, got {content.get('task')!r}.")
    if weights_sha256 not in content["weights_sha256"]:
        shown = ", ".join(f"{sha256[:12]}..." for sha256 in content["weights_sha256"])
        raise ValueError(
            f"{path}: must be an evaluation of the model's weights (SHA-256"
            f" {weights_sha256[:12]}...), got {shown}: thresholds of one model say nothing of"
            " another. Run spine-tf evaluate with this model."
        )
    knows_them = content["manifest_sha256"] == content["model_data"]["manifest_sha256"]
    if content["split"] == "train" or (content["split"] == "all records" and knows_them):
        raise ValueError(
            f"{path}: `split` must hold subjects the model was not trained on, got"
            f" {content['split']!r} of the data set of the training. Evaluate the test split."
        )
    return content
