"""What the footer of a report says of the model: its card where it has one, else model.json."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from export import model_card, results_table, saved_model
from spine_tf import files

Row = tuple[str, str]


def rows(exported: saved_model.Exported) -> list[Row]:
    """Returns rows of name and text for a person to read.

    Raises:
        ValueError: If model_card.json is broken, or of another form.
    """
    card = _card(exported)
    return [*_purpose(card), *_origin(exported.info), *_quality(exported.info, card), *_code(card)]


def results(exported: saved_model.Exported) -> list[results_table.Table]:
    """Returns what was measured of each grading; none if the model was not evaluated.

    Raises:
        ValueError: If model_card.json is broken, or of another form.
    """
    evaluation = _card(exported).get("evaluation")
    titles = {item["name"]: item["title"] for item in exported.info["gradings"]}
    return results_table.tables(evaluation, titles) if evaluation else []


def _card(exported: saved_model.Exported) -> dict[str, Any]:
    """The content of model_card.json; nothing where there is none."""
    path = os.path.join(exported.path, saved_model.EXTRA, model_card.JSON)
    return files.read_json(path, model_card.FORMAT) if os.path.isfile(path) else {}


def _purpose(card: Mapping[str, Any]) -> Iterator[Row]:
    titles = {"name": "Name", "intended_use": "Intended use", "licence": "Licence"}
    for name, title in titles.items():
        if card.get(name):
            yield title, str(card[name])


def _origin(info: Mapping[str, Any]) -> Iterator[Row]:
    data, versions = info["data"], info["versions"]["trained"]
    yield "Training data", f"{data['source']}, manifest {data['manifest_sha256']}"
    for item in info["gradings"]:
        pairs = zip(item["grades"], item["class_counts"], strict=True)
        counts = ", ".join(f"{count} of grade {grade}" for grade, count in pairs)
        yield item["title"], f"discs in training: {counts}"
    yield "Weights", f"SHA-256 {info['weights_sha256']}"
    yield "Trained with", f"spine_tf {versions['spine_tf']}, TensorFlow {versions['tensorflow']}"


def _quality(info: Mapping[str, Any], card: Mapping[str, Any]) -> Iterator[Row]:
    if not card.get("evaluation"):
        yield "Results", "none: the model was not evaluated before it was exported"
    calibration = info.get("calibration")
    if not calibration:
        yield "Calibration", "none: the model cannot say where it is uncertain"
        return
    titles = {item["name"]: item["title"] for item in info["gradings"]}
    for name, found in calibration["gradings"].items():
        yield f"Calibration, {titles[name]}", _calibration(found, calibration["error_rate"])


def _calibration(found: Mapping[str, Any], error_rate: float) -> str:
    answered = found["answered"]
    if found["threshold"] is None:
        return f"on {found['discs']} discs; {found['reason']}"
    return (
        f"uncertain below a probability of {found['threshold']:.2f}: on {found['discs']} discs of"
        f" the validation split {answered['coverage']:.0%} are answered, and"
        f" {answered['error_rate']:.0%} of these are wrong (aim: {error_rate:.0%}; at most"
        f" {answered['error_rate_upper']:.0%} with 95 % confidence)"
    )


def _code(card: Mapping[str, Any]) -> Iterator[Row]:
    if card:
        code = card["code"]
        yield "Exported by", f"spine_tf {code['version']}, sources {code['sources_sha256']}"
