"""A server in a process of its own, on this machine: ports for it, its start and its end."""

import contextlib
import socket
import subprocess
import time
import urllib.request

_START_SECS = 60


def free_ports(count):
    """Ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


@contextlib.contextmanager
def running(command, address, log):
    """Starts a server, waits until `address` answers, and stops it; `log` takes what it prints."""
    with open(log, "w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file)
    try:
        _wait(address, server, log)
        yield
    finally:
        server.terminate()
        server.wait(30)


def _wait(address, server, log):
    end = time.monotonic() + _START_SECS
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address).close()
            return
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server does not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)
