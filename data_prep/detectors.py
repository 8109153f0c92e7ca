"""The detector that --detector asks for."""

import functools
import os

from data_prep import local_files, rejection
from spine_tf import files, pack_detector_lib, vertebrae
from spine_tf.detection import detector, finder
from spine_tf.training import model_folder

BUILTIN, NONE = "builtin", "none"
FOUND = "vertebrae"  # folder in `local/`


def weights(name: str) -> str:
    """Returns the file of weights of a detector.

    Args:
        name: BUILTIN, a file of `pack-detector`, or a model folder.

    Raises:
        FileNotFoundError: If there is none.
    """
    path = finder.WEIGHTS if name == BUILTIN else name
    if os.path.isdir(path):
        path = os.path.join(path, model_folder.WEIGHTS)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"{path}: is missing; --detector must be {BUILTIN}, a file of pack-detector, or a model"
            " folder of the task detection."
        )
    return path


def source(name: str) -> str:
    """Returns what annotations of a detector name as their source: its kind and its weights."""
    kind = BUILTIN if name == BUILTIN else os.path.basename(os.path.normpath(name))
    return f"spine_tf detector {kind}, weights {files.sha256(weights(name))[:16]}"


@functools.lru_cache(maxsize=1)
def load(name: str) -> finder.Finder:
    """Loads a detector, once in a process.

    Args:
        name: See `weights`.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no detector.
    """
    path = weights(name)
    if not os.path.isdir(name):
        return finder.load_packed(path, source(name))
    model = pack_detector_lib.load_folder(name).load_model()
    return finder.Finder(detector.predictor(model), source(name))


def check_named(found: finder.Found, path: str, uid: str) -> vertebrae.Annotation:
    """Returns the annotation that was found.

    Args:
        found: What the detector says.
        path: Where the scan is.
        uid: Of its series, or "".

    Raises:
        rejection.RejectedInput: If its levels are unknown.
    """
    if not found.is_answered:
        raise rejection.RejectedInput(
            path, uid, f"the levels of its vertebrae are unknown: {found.annotation.reason}"
        )
    return found.annotation


def keep(output_dir: str, name: str, found: finder.Found) -> None:
    """Writes what was found to `local/vertebrae/NAME.json` of a data set, for its owner only.

    It may be corrected by hand there, and the folder given as --vertebrae.
    """
    folder = os.path.join(output_dir, local_files.LOCAL, FOUND)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, f"{name}.json")
    files.write_json(path, found.to_json(), permissions=0o600)
