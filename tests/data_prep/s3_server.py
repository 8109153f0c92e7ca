"""A stand-in for S3 for tests: moto's server, on a free port, with a folder's files in a bucket."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.request

ABSENT = "moto is not installed; pip install 'moto[s3]' flask flask-cors"
_START_SECS = 60


def is_there():
    """Whether the packages of the server are installed."""
    return all(importlib.util.find_spec(name) for name in ("moto", "flask_cors"))


@contextlib.contextmanager
def running(folder, bucket, log):
    """Starts a server with the files of `folder`; gives the environment that finds it."""
    import boto3

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with open(log, "w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file)
    address = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    try:
        _wait(f"{address}/moto-api/", server, log)
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name=keys["AWS_REGION"],
            aws_access_key_id="a",
            aws_secret_access_key="b",
        )
        client.create_bucket(Bucket=bucket)
        for path in (path for path in folder.rglob("*") if path.is_file()):
            client.put_object(
                Bucket=bucket, Key=path.relative_to(folder).as_posix(), Body=path.read_bytes()
            )
        yield os.environ | keys | {"S3_ENDPOINT": address}
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
