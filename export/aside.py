"""The folder beside the versions in which one is made until it is whole.

TF Serving takes folders whose names are numbers; this one it does not see. The process that writes
it holds its lock, which the system frees however the process ends, so that the next export knows
what a killed one has left.
"""

import contextlib
import glob
import os
import shutil
import time
from collections.abc import Iterator

from spine_tf import lock

_PREFIX = ".tmp-"
_ATTEMPTS, _WAIT_SECS = 50, 0.01


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
    try:
        with _made(path):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _made(path: str) -> contextlib.ExitStack:
    """Makes a folder and locks it; again if another export cleared it before it was locked."""
    for left in reversed(range(_ATTEMPTS)):
        try:
            os.mkdir(path)
            with contextlib.ExitStack() as stack:
                stack.enter_context(lock.held(path, is_folder=True))
                if os.path.isdir(path):
                    return stack.pop_all()
        except OSError:
            if not left:
                raise
        time.sleep(_WAIT_SECS)
    raise BlockingIOError(f"{path}: other exports remove it; export again")


def _clear(path: str) -> None:
    with contextlib.suppress(OSError), lock.held(path, is_folder=True) as is_locked:
        if is_locked:  # else another export may be writing it
            shutil.rmtree(path)
