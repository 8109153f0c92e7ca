"""A real DICOMweb server for tests: Debian's Orthanc, on a free port, with a folder of its own."""

import contextlib
import json
import os
import shutil
import urllib.request

from tests.data_prep import server_process

ABSENT = "orthanc and orthanc-dicomweb are not installed"
_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"


def binary():
    """The path of the server, or None."""
    found = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return found if found and os.path.exists(_PLUGIN) else None


@contextlib.contextmanager
def running(folder):
    """Starts a server whose data lie in `folder`; gives its address, and stops it."""
    http_port, dicom_port = server_process.free_ports(2)
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
    address = f"http://127.0.0.1:{http_port}"
    command = [binary(), folder / "orthanc.json"]
    with server_process.running(command, f"{address}/system", folder / "orthanc.log"):
        yield address


def store(address, path):
    """Sends a file to the server."""
    with open(path, "rb") as file:
        request = urllib.request.Request(f"{address}/instances", file.read(), method="POST")
    urllib.request.urlopen(request).close()
