"""The detector that --detector asks for."""

import functools
import os

from data_prep import rejection
from spine_tf import files, pack_detector_lib, vertebrae, volume
from spine_tf.detection import detector, finder
from spine_tf.training import model_folder

BUILTIN, NONE = "builtin", "none"


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


def find(name: str, scan: volume.Volume, uid: str | None = None) -> finder.Found:
    """Finds the vertebrae of a scan with a detector; see `finder.Finder.find`."""
    return load(name).find(scan, uid)
