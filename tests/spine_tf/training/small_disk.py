"""A disk that is full: files may not grow beyond a size."""

import contextlib
import resource
import signal


@contextlib.contextmanager
def limit(num_bytes):
    """Lets every write beyond `num_bytes` of a file fail in its block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # else it ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
