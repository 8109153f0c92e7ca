"""An exported model on disk: finding, describing and running one version of it.

EXPORT_DIR/1, 2, ...                     versions, as TF Serving wants them
EXPORT_DIR/1/saved_model.pb, variables/  the graph and its weights
EXPORT_DIR/1/assets.extra/model.json     what it is: gradings, crops, data, versions, calibration
EXPORT_DIR/1/assets.extra/               also reference.npz, model_card.json and .md and
                                         tf_serving_warmup_requests, see docs/serving.md
EXPORT_DIR/batching.config, models.config    settings of TF Serving
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf import files
from spine_tf.data import schema

FORMAT = "spine_tf export/1"
RECORD_SCHEMA = schema.SCHEMA_VERSION  # of the records that the signature `examples` takes
EXTRA = "assets.extra"
INFO = os.path.join(EXTRA, "model.json")
BUILTIN = "builtin"  # the name of the package's own model, for research only
_BUILTIN_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights", "pfirrmann")
_GRAPH = "saved_model.pb"
_SHOWN_DIGITS = 12  # of the hash of what decides the answers


class NewerError(ValueError):
    """A model that a newer version of this library wrote."""


class InputError(ValueError):
    """An input that the model refuses; the message is the graph's own."""


@dataclasses.dataclass(frozen=True)
class GradingInfo:
    """One grading of an exported model.

    Attributes:
        name: Its name in outputs.
        title: What a person reads.
        grades: Published grades, in the order of the probabilities.
        graded_levels: Levels that the training data graded.
    """

    name: str
    title: str
    grades: tuple[int, ...]
    graded_levels: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Exported:
    """One loaded version of a grading model.

    Attributes:
        path: Folder of the version.
        info: Content of model.json.
        signatures: Name -> function.
    """

    path: str
    info: Mapping[str, Any]
    signatures: Mapping[str, Callable] = dataclasses.field(repr=False)

    @functools.cached_property  # asked for once a row
    def version(self) -> str:
        """Version number and the start of a hash of weights and calibration: 3-0f2a3c4d5e6f."""
        return version_of(self.path, self.info)

    @property
    def gradings(self) -> tuple[GradingInfo, ...]:
        """Its gradings."""
        return gradings_of(self.info)

    def run(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Runs a signature.

        Raises:
            InputError: If the graph refuses the inputs.
            ValueError: If the model has no such signature.
        """
        if signature not in self.signatures:
            raise ValueError(
                f"{self.path}: must have the signature {signature!r}, got"
                f" {', '.join(sorted(self.signatures))}. Export the model again with spine-tf"
                " export."
            )
        tensors = {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        try:
            outputs = self.signatures[signature](**tensors)
        except (tf.errors.InvalidArgumentError, tf.errors.DataLossError) as error:
            raise InputError(reason(error.message) or type(error).__name__) from None
        return {name: value.numpy() for name, value in outputs.items()}


def version_of(path: str, info: Mapping[str, Any]) -> str:
    """Returns what `Exported.version` says, without loading the graph."""
    number = os.path.basename(os.path.abspath(path))
    answers = {name: info.get(name) for name in ("weights_sha256", "calibration", "reference")}
    content = json.dumps(answers, sort_keys=True).encode()
    return f"{number}-{hashlib.sha256(content).hexdigest()[:_SHOWN_DIGITS]}"


def gradings_of(info: Mapping[str, Any]) -> tuple[GradingInfo, ...]:
    """Returns the gradings that model.json names."""
    return tuple(
        GradingInfo(
            item["name"], item["title"], tuple(item["grades"]), tuple(item["graded_levels"])
        )
        for item in info["gradings"]
    )


def versions(export_dir: str) -> list[int]:
    """Returns the version numbers in an export folder, lowest first."""
    if not os.path.isdir(export_dir):
        return []
    return sorted(int(name) for name in os.listdir(export_dir) if re.fullmatch(r"[0-9]+", name))


def find_version(path: str) -> str:
    """Returns the folder of one version.

    Args:
        path: An export folder, of which the newest version is taken, one version, or `BUILTIN`.

    Raises:
        FileNotFoundError: If it is neither.
    """
    path = _BUILTIN_DIR if path == BUILTIN else path
    newest_first = [os.path.join(path, str(number)) for number in reversed(versions(path))]
    for folder in (path, *newest_first):
        if os.path.isfile(os.path.join(folder, _GRAPH)):
            return folder
    raise FileNotFoundError(
        f"{path}: is not an exported model, it has no {_GRAPH} and no numbered version with one."
        " Give the --export_dir of spine-tf export, or one version in it."
    )


def read_info(path: str) -> dict[str, Any]:
    """Reads model.json of one version of a grading model.

    Raises:
        ValueError: If it was not written by `spine-tf export`, a newer version of this library
            wrote it, or it is no grading model.
    """
    info_path = os.path.join(path, INFO)
    remedy = "Export the model again with spine-tf export."
    try:
        _check_not_newer(info_path)
        info = files.read_json(info_path, FORMAT)
    except FileNotFoundError:
        raise ValueError(f"{info_path}: is missing. {remedy}") from None
    except ValueError as error:
        raise error if isinstance(error, NewerError) else ValueError(f"{error} {remedy}") from error
    if not info["gradings"]:
        raise ValueError(
            f"{path}: must be a model of the task grading, got {info['task']['name']}."
        )
    return info


def _check_not_newer(info_path: str) -> None:
    """Raises NewerError if a later version of this library wrote model.json."""
    with open(info_path, encoding="utf-8") as file:
        try:
            info = json.load(file)
        except ValueError:
            return  # reading it says what is wrong
    found = info if isinstance(info, dict) else {}
    for name, known in (("format", FORMAT), ("record_schema", RECORD_SCHEMA)):
        number, newest = (_number(value) for value in (found.get(name), known))
        if number > newest:
            raise NewerError(
                f"{info_path}: `{name}` must be at most {newest}, got {number}: a newer version of"
                " spine_tf wrote the model. Update spine_tf, or export the model with this version."
            )


def _number(value: Any) -> int:
    """The version in "spine_tf export/2" or 2; 0 of what is no version."""
    found = re.fullmatch(r"(?:spine_tf export/)?(\d+)", str(value))
    return int(found.group(1)) if found else 0


def file_names(path: str) -> list[str]:
    """Returns every file of a version by its path inside the version's folder, in order."""
    found = (os.path.join(parent, name) for parent, _, names in os.walk(path) for name in names)
    return sorted(os.path.relpath(file, path) for file in found)


def file_sizes(path: str) -> dict[str, int]:
    """Returns path inside a version's folder -> bytes, of every file but model.json."""
    names = (name for name in file_names(path) if name != INFO)
    return {name: os.path.getsize(os.path.join(path, name)) for name in names}


def check_whole(path: str, info: Mapping[str, Any]) -> None:
    """Checks that a version's files are those that were exported.

    Args:
        path: Folder of the version.
        info: Content of its model.json.

    Raises:
        ValueError: If a file is missing or has another size.
    """
    for name, size in info.get("files", {}).items():
        file = os.path.join(path, name)
        found = os.path.getsize(file) if os.path.isfile(file) else None
        if found != size:
            raise ValueError(
                f"{file}: must have {size} bytes, got {'no file' if found is None else found}: the"
                " version is half written. Copy it again, or export the model again with spine-tf"
                " export."
            )


def load(path: str) -> Exported:
    """Loads an exported grading model.

    Args:
        path: See `find_version`.

    Raises:
        FileNotFoundError: If there is no exported model.
        ValueError: If it is one of another program or task, a newer version of this library
            wrote it, or a file is missing or cut short.
    """
    folder = find_version(path)
    info = read_info(folder)
    check_whole(folder, info)
    loaded = tf.saved_model.load(folder)
    # The functions do not keep the variables alive; the loaded object does.
    signatures = {name: _Kept(loaded, function) for name, function in loaded.signatures.items()}
    return Exported(folder, info, signatures)


@dataclasses.dataclass(frozen=True)
class _Kept:
    owner: Any
    function: Callable

    def __call__(self, **inputs):
        return self.function(**inputs)


def reason(message: str) -> str:
    """Returns what a graph says in an error, without where it says it."""
    found = re.search(r"assertion failed: (.*?)\s*(\[\[\{\{|\[Op:|$)", message, re.DOTALL)
    if found:
        return " ".join(found.group(1).strip("[]").replace("] [", " ").split())
    lines = [line.strip() for line in message.split("[[{{")[0].splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Graph exec", "Detected"))]
    return lines[-1] if lines else message
