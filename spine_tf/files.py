"""Writing files so that a reader never sees half of one."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from typing import IO, Any


@contextlib.contextmanager
def atomic_write(path: str, mode: str = "w", permissions: int | None = None) -> Iterator[IO]:
    """Opens a temporary file beside `path` and renames it to `path` when the block ends well.

    Args:
        path: Where the whole file shall be.
        mode: "w" for UTF-8 text or "wb" for bytes.
        permissions: File mode such as 0o600; None leaves the default.

    Yields:
        The open file.
    """
    temporary = f"{path}.tmp-{os.getpid()}"
    try:
        encoding = None if "b" in mode else "utf-8"
        with open(temporary, mode, encoding=encoding) as file:
            if permissions is not None:
                os.chmod(temporary, permissions)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or path  # a full disk names no file
        raise
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def write_json(path: str, content: Any, permissions: int | None = None) -> None:
    """Writes JSON with sorted keys, whole or not at all; see `atomic_write`."""
    with atomic_write(path, permissions=permissions) as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")


def read_json(path: str, form: str) -> dict[str, Any]:
    """Reads a JSON object that says of what form it is.

    Args:
        path: The file.
        form: What its field `format` must be.

    Raises:
        ValueError: If it is not valid JSON, or of another form.
    """
    with open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path}: is not valid JSON ({error}).") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != form:
        raise ValueError(f"{path}: `format` must be {form!r}, got {found!r}.")
    return content


def sha256(path: str) -> str:
    """Returns the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
