"""A real DICOMweb server for tests: Debian's Orthanc, on a free port, with a folder of its own."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request

ABSENT = "orthanc and orthanc-dicomweb are not installed"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"
_START_SECS = 60


def binary():
    """The path of the server, or None."""
    found = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found if found and os.path.exists(_PLUGIN) else None


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in sockets]


@contextlib.contextmanager
def running(folder):
    """Starts a server whose data lie in `folder`; gives its address, and stops it."""
    http_port, dicom_port = _free_ports(2)
    config = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [_PLUGIN],
        "DicomWeb": {"Enable": True},
    }
    (folder / "orthanc.json").write_text(json.dumps(config))
    with open(folder / "orthanc.log", "w") as log:
        server = subprocess.Popen([binary(), folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{http_port}"
        _wait(f"{address}/system", server, folder / "orthanc.log")
        yield address
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
            raise RuntimeError(f"Orthanc does not start: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def store(address, path):
    """Sends a file to the server."""
    with open(path, "rb") as file:
        request = urllib.request.Request(f"{address}/instances", file.read(), method="POST")
    urllib.request.urlopen(request).close()
