"""A lock on a file or folder, which the system frees however the process that holds it ends."""

import contextlib
import errno
import os
import types
from collections.abc import Iterator

fcntl: types.ModuleType | None
try:
    import fcntl
except ImportError:  # on Windows nothing is locked
    fcntl = None

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems


@contextlib.contextmanager
def held(path: str, is_folder: bool = False) -> Iterator[bool]:
    """Holds the lock of a path until the block or the process ends.

    Args:
        path: A file, which is made if missing; or a folder.
        is_folder: Whether it is a folder, which must exist.

    Yields:
        Whether it is locked: not where the system or the file system has no locks.

    Raises:
        BlockingIOError: If another process holds it.
        FileNotFoundError: If there is no such folder.
    """
    if fcntl is None:
        yield False
        return
    # Network file systems lock only what is open for writing.
    flags = os.O_RDONLY | os.O_DIRECTORY if is_folder else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags, 0o666)
    try:
        yield _try_lock(fcntl, descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def only_one(path: str, message: str) -> Iterator[None]:
    """Holds the lock of a path, see `held`, or says why not.

    Args:
        path: A file, see `held`.
        message: Of the error.

    Raises:
        BlockingIOError: If another process holds it; with the message.
    """
    with contextlib.ExitStack() as until_end:
        try:
            until_end.enter_context(held(path))
        except BlockingIOError as error:
            raise BlockingIOError(message) from error
        yield


def _try_lock(system: types.ModuleType, descriptor: int) -> bool:
    try:
        system.flock(descriptor, system.LOCK_EX | system.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
