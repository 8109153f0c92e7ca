"""What lets a conversion be killed at any moment and started again.

One process at a time writes to a folder: it holds the lock `parts/main.lock`, which the system
frees however the process ends. Its workers share `parts/workers.lock` and end when their main
process has ended, so the next run never meets a worker of the one before.
"""

import contextlib
import glob
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence

from spine_tf import lock

_MAIN, _WORKERS = "main.lock", "workers.lock"
_POLL_SECS = 0.2
_WAIT_SECS = 30.0
_LOG = "conversion.log"

_held = []  # locks that this process keeps until its end


@contextlib.contextmanager
def claimed(parts_dir: str, output: str = "") -> Iterator[str]:
    """Keeps other runs out of a folder, and waits until workers of an earlier run have ended.

    Args:
        parts_dir: Folder of the parts; made if missing.
        output: What is being written, for the message; by default the folder around the parts.

    Yields:
        A name of this run, for `follow`.

    Raises:
        ValueError: If another run is at work there.
    """
    os.makedirs(parts_dir, exist_ok=True)
    run = uuid.uuid4().hex
    with (
        open(os.path.join(parts_dir, _MAIN), "a+", encoding="utf-8") as main,
        open(os.path.join(parts_dir, _WORKERS), "a", encoding="utf-8") as workers,
    ):
        # A worker looks at the lock for a moment when its main process has ended.
        output = output or os.path.dirname(parts_dir)
        _lock_or_raise(main, 10 * _POLL_SECS, output)
        main.truncate(0)
        main.write(run)
        main.flush()
        _lock_or_raise(workers, _WAIT_SECS, output)
        _unlock(workers)
        yield run


def follow(parts_dir: str, run: str, main_pid: int) -> None:
    """Ends this process soon after the main process of its run has ended.

    Args:
        parts_dir: As of `claimed`.
        run: From `claimed`.
        main_pid: Process of `claimed`; nothing is done where this is that process.
    """
    if lock.fcntl is None or os.getpid() == main_pid or _held:
        return
    workers = open(os.path.join(parts_dir, _WORKERS), encoding="utf-8")  # noqa: SIM115
    lock.fcntl.flock(workers, lock.fcntl.LOCK_SH)
    _held.append(workers)
    threading.Thread(target=_watch, args=(parts_dir, run), daemon=True).start()


def end_with_parent() -> None:
    """Ends this process when its parent has ended, however that was."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise ValueError("`end_with_parent` must be called in a process of multiprocessing.")
    sentinel = parent.sentinel

    def watch():
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def clear_temporaries(folders: Sequence[str], name: str | None = None) -> None:
    """Removes what a killed run was just writing: files named NAME.tmp-PROCESS.

    Args:
        folders: Where they are.
        name: What was being written; None is anything.
    """
    pattern = "*" if name is None else glob.escape(name)
    for folder in folders:
        for path in glob.glob(os.path.join(glob.escape(folder), f"{pattern}.tmp-*")):
            if path.rpartition("-")[2].isdigit() and os.path.isfile(path):
                os.remove(path)


def log(local_dir: str, scan_key: str, event: str) -> None:
    """Adds a line on one scan to `local/conversion.log`; several processes may do so.

    Args:
        local_dir: The folder `local` of the data set.
        scan_key: Pseudonym of the scan.
        event: What happened: begun, converted, rejected, or kept from an earlier run.
    """
    os.makedirs(local_dir, mode=0o700, exist_ok=True)
    descriptor = os.open(
        os.path.join(local_dir, _LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
    )
    try:
        os.write(descriptor, f"{scan_key} {event}\n".encode())
    finally:
        os.close(descriptor)


def _watch(parts_dir: str, run: str) -> None:
    while not _has_ended(os.path.join(parts_dir, _MAIN), run):
        time.sleep(_POLL_SECS)
    os._exit(1)


def _has_ended(path: str, run: str) -> bool:
    """Whether the main process of a run does not hold its lock any more."""
    try:
        with open(path, encoding="utf-8") as main:
            return main.read() != run or _try_lock(main, exclusive=False)
    except FileNotFoundError:  # the data set is whole
        return True


def _lock_or_raise(file, wait_secs: float, output: str) -> None:
    end = time.monotonic() + wait_secs
    while not _try_lock(file, exclusive=True):
        if time.monotonic() > end:
            raise ValueError(
                f"The output must not be in use, got {output}, which another run is writing to."
                " Wait for it, or stop it."
            )
        time.sleep(_POLL_SECS / 2)


def _try_lock(file, exclusive: bool) -> bool:
    if lock.fcntl is None:
        return exclusive
    how = lock.fcntl.LOCK_EX if exclusive else lock.fcntl.LOCK_SH
    try:
        lock.fcntl.flock(file, how | lock.fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _unlock(file) -> None:
    if lock.fcntl is not None:
        lock.fcntl.flock(file, lock.fcntl.LOCK_UN)
