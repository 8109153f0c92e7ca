"""Keeps the notes of libraries, such as which processor TensorFlow found, out of what people read.

TensorFlow prints some of them while it is imported, whatever its log level
(https://github.com/tensorflow/tensorflow/issues/100442). Warnings and errors come through, a
moment later. TF_CPP_MIN_LOG_LEVEL=0 lets everything through.
"""

import contextlib
import importlib.abc
import importlib.machinery
import logging
import os
import re
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence
from typing import Any

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA, AMD and WSL
_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_LIBRARY = "tensorflow"
_NOTE = re.compile(
    rb"I0000 00:00:\d+\.\d+ +\d+ \S+:\d+\] "
    rb"|\d{4}-\d\d-\d\d [\d:.]+: I "
    rb"|WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|To enable the following instructions: "
)


def quiet_libraries() -> None:
    """Hides the notes of TensorFlow and Beam from now on; call it before they are imported."""
    # Where there is no GPU, TensorFlow calls that an error.
    has_gpu = any(map(os.path.exists, _GPU_DEVICES))
    level = os.environ.setdefault(_LOG_LEVEL, "2" if has_gpu else "3")
    logging.getLogger(_LIBRARY).setLevel(logging.ERROR)
    # Beam says at its import that a client of Google Cloud is missing.
    logging.getLogger().addFilter(lambda record: "apitools" not in record.getMessage())
    if level != "0" and _LIBRARY not in sys.modules and not _is_hooked():
        sys.meta_path.insert(0, _Finder())


def _is_hooked() -> bool:
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as always, and filters stderr while it is executed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _LIBRARY:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: Any):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with without_notes():
            self._loader.exec_module(module)


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Holds back what this process writes to stderr, and then passes on all but notes."""
    try:
        stderr = os.dup(2)
    except OSError:  # it is closed
        yield
        return
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _NOTE.match(line):
                    os.write(2, line)
