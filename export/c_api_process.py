"""A SavedModel in a process of its own, which never imports TensorFlow's Python.

What the library prints goes to the process's stderr. A crash of the library ends that process alone
and is told as an error.
"""

import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing import connection

import numpy as np

from export import c_api

_END_SECONDS = 5.0


class CrashError(Exception):
    """The process ended, or did not answer in time."""


class Process:
    """One SavedModel behind the C API.

    Attributes:
        facts: "version" of the C library, "python_graph": whether the process holds TensorFlow's
            Python, "load_seconds".
    """

    def __init__(self, path: str, timeout_seconds: float = 300.0):
        """Starts the process and loads the model.

        Args:
            path: Folder of the version.
            timeout_seconds: How long loading, and later a call, may take.

        Raises:
            c_api.Error: If the library cannot load it.
            CrashError: If the process ends or takes too long.
        """
        context = multiprocessing.get_context("spawn")
        self._timeout_seconds = timeout_seconds
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, path), daemon=True)
        self._process.start()
        other.close()
        try:
            self.facts = self._answer()
        except Exception:
            self.close()
            raise

    def run(
        self, inputs: Mapping[str, np.ndarray], outputs: Sequence[str]
    ) -> tuple[list[np.ndarray], float]:
        """Runs the graph; see `c_api.Session.run`. After a call that took too long it is over.

        Returns:
            The outputs, and the seconds that the library took.

        Raises:
            c_api.Error: If the graph refuses the inputs.
            CrashError: If the process ends or takes too long.
        """
        try:
            self._connection.send((dict(inputs), list(outputs)))
        except OSError:
            raise CrashError("the process has ended before.") from None
        return self._answer()

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.join(_END_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def _answer(self):
        try:
            if not self._connection.poll(self._timeout_seconds):
                self._process.kill()  # a late answer would be taken for that of the next call
                raise CrashError(f"no answer within {self._timeout_seconds:g} s.")
            found = self._connection.recv()
        except (EOFError, OSError):
            self._process.join(_END_SECONDS)
            code = self._process.exitcode
            raise CrashError(f"the C library ended its process with exit code {code}.") from None
        if isinstance(found, Exception):
            raise found
        return found


def serve(asker: connection.Connection, path: str) -> None:
    """Answers one process until it closes its side."""
    try:
        start = time.perf_counter()
        session = c_api.Session(path)
        asker.send(
            {
                "version": session.version,
                "python_graph": "tensorflow" in sys.modules,
                "load_seconds": time.perf_counter() - start,
            }
        )
        while True:
            asker.send(_run(session, *asker.recv()))
    except EOFError:
        return
    except (c_api.Error, ImportError) as error:
        asker.send(error)


def _run(session: c_api.Session, inputs, outputs):
    start = time.perf_counter()
    try:
        found = session.run(inputs, outputs)
    except (c_api.Error, TypeError) as error:
        return error
    return found, time.perf_counter() - start
