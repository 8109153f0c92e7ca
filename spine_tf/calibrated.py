"""Calibration as it travels with a model: two files in the model folder.

calibration.json   temperatures, thresholds and what they reach on validation, per grading
reference.npz      the training set as inputs are compared with it, see `reference.Reference`
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from spine_tf import files, reference

FORMAT = "spine_tf calibration/1"
CALIBRATION = "calibration.json"
REFERENCE = "reference.npz"
_REMEDY = "Run spine-tf calibrate on the model again."


@dataclasses.dataclass(frozen=True)
class Calibrated:
    """What `spine-tf calibrate` found.

    Attributes:
        content: Content of calibration.json.
        reference: The training set.
    """

    content: Mapping[str, Any]
    reference: reference.Reference

    def temperature(self, grading: str) -> float:
        """What the logits of a grading are divided by."""
        return self.content["gradings"][grading]["temperature"]

    def threshold(self, grading: str) -> float:
        """Least probability of a certain grade; above 1 where none can be certain."""
        found = self.content["gradings"][grading]["threshold"]
        return 2.0 if found is None else found


def save(folder: str, content: Mapping[str, Any], found: reference.Reference) -> None:
    """Writes both files into a model folder, each whole; calibration.json names the other's hash.

    Args:
        folder: The model folder.
        content: What calibration.json shall say, without format, hash and what is watched.
        found: The training set.
    """
    path = os.path.join(folder, REFERENCE)
    with files.atomic_write(path, "wb") as file:
        found.save(file)
    watched = {
        "features": list(found.feature_names),
        "limit": round(float(found.limit), 6),
        "sha256": files.sha256(path),
    }
    content = {"format": FORMAT, **content, "reference": watched}
    files.write_json(os.path.join(folder, CALIBRATION), content)


def load(folder: str, weights_sha256: str) -> Calibrated | None:
    """Reads the calibration of a model folder.

    Args:
        folder: The model folder.
        weights_sha256: Hash of the model's weights.

    Returns:
        None if the model was not calibrated.

    Raises:
        ValueError: If the files are of other weights or do not belong together.
    """
    path = os.path.join(folder, CALIBRATION)
    if not os.path.exists(path):
        return None
    content = files.read_json(path, FORMAT)
    if content["weights_sha256"] != weights_sha256:
        raise ValueError(
            f"{path}: `weights_sha256` must be that of the model's weights,"
            f" {weights_sha256[:12]}..., got {content['weights_sha256'][:12]}...: the model was"
            f" trained after it was calibrated. {_REMEDY}"
        )
    other = os.path.join(folder, REFERENCE)
    if not os.path.exists(other) or files.sha256(other) != content["reference"]["sha256"]:
        raise ValueError(f"{other}: must be the one that {path} was written with. {_REMEDY}")
    return Calibrated(content, reference.load(other))
