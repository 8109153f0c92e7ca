"""The folder beside the versions in which one is made until it is whole.

TF Serving takes folders whose names are numbers; this one it does not see. The process that writes
it holds its lock, which the system frees however the process ends, so that the next export knows
what a killed one has left.
"""

import contextlib
import glob
import os
import shutil
import types
from collections.abc import Iterator

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows nothing is locked, and nothing is cleared
    fcntl = None

_PREFIX = ".tmp-"


@contextlib.contextmanager
def folder(export_dir: str) -> Iterator[str]:
    """Makes an empty folder for a version, and removes those of exports that were killed.

    Args:
        export_dir: Folder of the versions; made if missing.

    Yields:
        The folder, .tmp-PROCESS. What is not renamed when the block ends is removed.
    """
    os.makedirs(export_dir, exist_ok=True)
    for left in glob.glob(os.path.join(glob.escape(export_dir), f"{_PREFIX}*")):
        _clear(left)
    path = os.path.join(export_dir, f"{_PREFIX}{os.getpid()}")
    os.mkdir(path)
    try:
        with _locked(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _clear(path: str) -> None:
    with contextlib.suppress(OSError), _locked(path):  # in use, or it cannot be locked: stays
        if fcntl is not None:
            shutil.rmtree(path)


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Holds the lock of a folder; raises OSError if another process has it."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
