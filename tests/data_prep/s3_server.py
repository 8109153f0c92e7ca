"""A stand-in for S3 for tests: moto's server, on a free port, with a folder's files in a bucket."""

import contextlib
import importlib.util
import os
import sys

from tests.data_prep import server_process

ABSENT = "moto is not installed; pip install 'moto[s3]' flask flask-cors"


def is_there():
    """Whether the packages of the server are installed."""
    return all(importlib.util.find_spec(name) for name in ("moto", "flask_cors"))


@contextlib.contextmanager
def running(folder, bucket, log):
    """Starts a server with the files of `folder`; gives the environment that finds it."""
    import boto3

    (port,) = server_process.free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}
    with server_process.running(command, f"{address}/moto-api/", log):
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
