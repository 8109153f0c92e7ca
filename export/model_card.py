"""The model card: what a model is, what it was trained on, how good it is and what it is for.

model_card.json is for programs, model_card.md the same for people.
"""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import spine_tf
from data_prep import page_template
from export import export_settings, results_table
from spine_tf import files
from spine_tf.evaluation import bootstrap, run
from spine_tf.training import model_folder, pretext_mark

FORMAT = "spine_tf model card/1"
JSON, MARKDOWN = "model_card.json", "model_card.md"
_FROM_INFO = (
    *("task", "gradings", "crop", "data", "protocol", "versions"),
    *("calibration", "reference", "weights_sha256"),
)


def describe(
    folder: model_folder.ModelFolder,
    info: Mapping[str, Any],
    settings: export_settings.Settings,
    evaluation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the content of model_card.json; no path.

    Args:
        folder: The model folder.
        info: Content of model.json.
        settings: Name, intended use and licence.
        evaluation: Content of evaluation.json; None if the model was not evaluated.
    """
    return {
        "format": FORMAT,
        "name": settings.name,
        "intended_use": settings.intended_use,
        "licence": settings.licence,
        **{name: info[name] for name in _FROM_INFO},
        "configuration": {
            "model": dataclasses.asdict(folder.model_config),
            "training": dataclasses.asdict(folder.train_config),
        },
        "encoder_from": pretext_mark.start(folder.path),
        "code": {"version": spine_tf.__version__, "sources_sha256": sources_sha256()},
        "evaluation": evaluation,
    }


def read_evaluation(path: str, model_dir: str, weights_sha256: str) -> dict[str, Any] | None:
    """Reads the evaluation of a model.

    Args:
        path: An evaluation.json; empty is MODEL_DIR/evaluation/evaluation.json.
        model_dir: The model folder.
        weights_sha256: Hash of the model's weights.

    Returns:
        None if `path` is empty and there is none.

    Raises:
        FileNotFoundError: If `path` is not there.
        ValueError: If it is of other weights.
    """
    usual = os.path.join(model_dir, "evaluation", run.EVALUATION)
    if not path and not os.path.exists(usual):
        return None
    path = path or usual
    content = files.read_json(path, run.FORMAT)
    if weights_sha256 not in content["weights_sha256"]:
        raise ValueError(
            f"{path}: must be of the model's weights, {weights_sha256[:12]}..., got"
            f" {', '.join(one[:12] for one in content['weights_sha256'])}: the model was trained"
            " after it was evaluated. Run spine-tf evaluate again."
        )
    return content


def to_markdown(card: Mapping[str, Any]) -> str:
    """Returns model_card.md of the content of model_card.json."""
    tables, others, split = [], [], ""
    if card["evaluation"]:
        titles = {item["name"]: item["title"] for item in card["gradings"]}
        tables = results_table.tables(card["evaluation"], titles)
        others = [] if tables else list(metrics(card["evaluation"]["results"]))
        split = results_table.split(card["evaluation"])
    template = page_template.load(__file__, MARKDOWN, is_html=False)
    return template.render(
        card=card,
        mark=pretext_mark.MARK,
        split=split,
        tables=tables,
        columns=results_table.COLUMNS,
        metrics=others,
    )


def metrics(results: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """Yields (name, value with interval) of every result that is not of one part of the data.

    Args:
        results: "results" of evaluation.json, or a part of it.
        path: Names that lead to that part.
    """
    if not isinstance(results, Mapping):
        return
    if "value" in results:
        if results["value"] is not None:
            yield " / ".join(path), bootstrap.text(dict(results))
        return
    for name, found in results.items():
        if not name.startswith("per_"):
            yield from metrics(found, (*path, name))


def sources_sha256() -> str:
    """Returns one hash over the sources of spine_tf: the code version, also between releases."""
    root = pathlib.Path(spine_tf.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
