"""Whether a version may be served: a file that names every other file's hash.

EXPORT_DIR/1/assets.extra/gate.json      what was measured, written by every gate
EXPORT_DIR/1/assets.extra/blessed.json   only after a gate that was passed whole

A later change of any file, a new one or a missing one takes the blessing away. Neither file is part
of it, so that a gate may be run again.
"""

import contextlib
import hashlib
import os
from collections.abc import Mapping

from export import saved_model
from spine_tf import files

FORMAT = "spine_tf blessing/1"
GATE = os.path.join(saved_model.EXTRA, "gate.json")
BLESSED = os.path.join(saved_model.EXTRA, "blessed.json")
_NOT_PART = (GATE, BLESSED)
_MOST_NAMED = 5


def file_hashes(version: str) -> dict[str, str]:
    """Returns relative path -> SHA-256 of every file of a version but gate.json and blessed.json.

    Raises:
        OSError: If a file cannot be read.
    """
    return {
        name.replace(os.sep, "/"): files.sha256(os.path.join(version, name))
        for name in saved_model.file_names(version)
        if name not in _NOT_PART
    }


def version_sha256(hashes: Mapping[str, str]) -> str:
    """Returns one hash of what `file_hashes` found."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(hashes.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def bless(version: str, hashes: Mapping[str, str]) -> None:
    """Writes blessed.json for the files that were checked."""
    content = {"format": FORMAT, "version_sha256": version_sha256(hashes), "files": dict(hashes)}
    files.write_json(os.path.join(version, BLESSED), content)


def withdraw(version: str) -> None:
    """Removes blessed.json, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(version, BLESSED))


def problem(version: str) -> str:
    """Says why a version is not blessed; empty if it is.

    Args:
        version: Folder of the version.
    """
    remedy = "Run spine-tf check-model."
    path = os.path.join(version, BLESSED)
    try:
        known = files.read_json(path, FORMAT)["files"]
    except FileNotFoundError:
        return f"{version}: is not blessed, it has no {BLESSED}. {remedy}"
    except ValueError as error:
        return f"{error} {remedy}"
    found = file_hashes(version)
    names = sorted(n for n in {*known, *found} if known.get(n) != found.get(n))
    if not names:
        return ""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (
        f"{version}: has changed since it was blessed: {', '.join(names[:_MOST_NAMED])}{more}."
        f" {remedy}"
    )
