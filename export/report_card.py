"""What the footer of a report says of the model: its card where it has one, else model.json."""

import os
from collections.abc import Mapping
from typing import Any

from export import saved_model

CARD = os.path.join("assets.extra", "model_card.json")


def rows(exported: saved_model.Exported) -> list[tuple[str, str]]:
    """Returns rows of name and text for a person to read."""
    return _from_info(exported.info)


def _from_info(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    data, versions = info["data"], info["versions"]["trained"]
    return [
        ("Task", f"{info['task']['name']}: {', '.join(g['title'] for g in info['gradings'])}"),
        ("Training data", f"{data['source']}, manifest {data['manifest_sha256']}"),
        ("Weights", f"SHA-256 {info['weights_sha256']}"),
        *((f"Grades of {item['title']}", _counts(item)) for item in info["gradings"]),
        ("Calibrated", "yes" if info.get("calibration") else "no"),
        ("Trained with", f"spine_tf {versions['spine_tf']}, TensorFlow {versions['tensorflow']}"),
    ]


def _counts(item: Mapping[str, Any]) -> str:
    pairs = zip(item["grades"], item["class_counts"], strict=True)
    return "discs in training: " + ", ".join(f"{count} of {grade}" for grade, count in pairs)
