"""Files on the file systems that TensorFlow and tensorflow-io open, such as s3://BUCKET/FOLDER.

They are listed and copied by a process of their own, because one that has used tensorflow-io's S3
aborts when it ends, and its exit status is lost.
"""

import atexit
import concurrent.futures
import functools
import importlib.util
import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from data_prep import dicomweb, rejection, restart

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://")


def is_address(path: str) -> bool:
    """Says whether a path is one that this module opens."""
    return bool(_ADDRESS.match(path)) and not dicomweb.is_address(path)


def check_is_local(name: str, path: str) -> None:
    """Checks a path that is written to, where files become whole by being renamed.

    Raises:
        ValueError: If it is an address.
    """
    if _ADDRESS.match(path):
        raise ValueError(f"`{name}` must be a folder of this machine, got {path}.")


def list_files(folder: str) -> list[str]:
    """Returns the address of every file below a folder, sorted.

    Raises:
        FileNotFoundError: If there is no such folder, or it cannot be reached.
        ValueError: If nothing that is installed opens such addresses.
    """
    return _call(_list, f"{folder.rstrip('/')}/")


def fetch(names: Sequence[str], paths: Sequence[str]) -> None:
    """Copies files to this machine.

    Args:
        names: Their addresses.
        paths: The file for each.

    Raises:
        rejection.RejectedInput: If one cannot be had.
    """
    for name, path in zip(names, paths, strict=True):
        problem = _call(_copy, name, path)
        if problem:
            raise rejection.RejectedInput(name, "", f"cannot be fetched ({problem}); try it again")


def _call(function: Callable, *arguments: str) -> Any:
    return _worker().submit(function, *arguments).result()


@functools.cache
def _worker() -> concurrent.futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(1, context, _begin)


def _begin() -> None:
    restart.end_with_parent()
    atexit.register(os._exit, 0)


def _gfile():
    import tensorflow as tf

    if importlib.util.find_spec("tensorflow_io"):
        import tensorflow_io  # noqa: F401  (it adds its file systems)
    return tf.io.gfile


def _list(folder: str) -> list[str]:
    import tensorflow as tf

    def refuse(error):
        raise OSError(f"{folder}: cannot be listed ({type(error).__name__}).")

    try:
        is_there = _gfile().exists(folder) and _gfile().isdir(folder)
    except tf.errors.UnimplementedError:
        raise ValueError(
            f"{folder}: nothing that is installed opens such addresses; tensorflow-io, in the extra"
            " addons, opens s3://, az:// and others."
        ) from None
    if not is_there:
        raise FileNotFoundError(f"{folder}: there is no such folder, or it cannot be reached.")
    walk = _gfile().walk(folder, onerror=refuse)
    return sorted(f"{root.rstrip('/')}/{name}" for root, _, names in walk for name in names)


def _copy(name: str, path: str) -> str:
    """Copies one file; returns what is wrong."""
    import tensorflow as tf

    try:
        _gfile().copy(name, path, overwrite=True)
    except (tf.errors.OpError, OSError) as error:
        return type(error).__name__
    return ""
