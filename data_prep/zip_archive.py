"""Members of a zip file, read one at a time and never unpacked as a whole."""

import functools
import os
import shutil
import stat
import zipfile

from data_prep import rejection

MAX_BYTES = 2**29  # of a member, unpacked
_MAX_INFLATION, _SMALL_BYTES = 200, 2**26  # a small member may be one value throughout
_ENCRYPTED = 0x1


def is_zip(path: str) -> bool:
    """Says whether a path is a zip file."""
    return os.path.isfile(path) and zipfile.is_zipfile(path)


def split(path: str) -> tuple[str, str] | None:
    """Splits `FOLDER/FILE.zip/MEMBER` into the zip file and the member; None for other paths."""
    end = path.find(os.sep)
    while end != -1:
        if os.path.isfile(path[:end]):
            return path[:end], path[end + 1 :]
        end = path.find(os.sep, end + 1)
    return None


def list_members(path: str) -> list[str]:
    """Returns `path/MEMBER` of every member that is a file, sorted.

    Raises:
        ValueError: If the zip file is broken.
    """
    members = (item.filename for item in _open(path).infolist() if not item.is_dir())
    return sorted({f"{path}{os.sep}{name}" for name in members})


def extract(path: str, target: str) -> None:
    """Writes one member to a file.

    Args:
        path: From `list_members`.
        target: The file to write; nothing of the member's own name becomes a path.

    Raises:
        rejection.RejectedInput: If the member is broken, encrypted, a link, leads out of the zip
            file, or is as large as only a zip bomb is.
    """
    archive, member = _known_split(path)
    opened = _open(archive)
    try:
        info = opened.getinfo(member)
        problem = _problem(info)
        if problem:
            raise rejection.RejectedInput(path, "", problem)
        with opened.open(info) as source, open(target, "wb") as file:
            shutil.copyfileobj(source, file)
    except rejection.RejectedInput:
        raise
    except Exception as error:  # zipfile and its decoders raise nearly anything
        raise rejection.RejectedInput(
            path, "", f"cannot be unpacked ({type(error).__name__}); make the zip file again"
        ) from None


def _known_split(path: str) -> tuple[str, str]:
    found = split(path)
    if found is None:
        raise rejection.RejectedInput(path, "", "is in no zip file any more; put it back")
    return found


@functools.lru_cache(maxsize=1)
def _open(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path}: is a broken zip file ({error}); make it again.") from None


def _problem(info: zipfile.ZipInfo) -> str:
    """Why a member is not unpacked, or ""."""
    parts = info.filename.replace("\\", "/").split("/")
    if os.path.isabs(info.filename) or ".." in parts or ":" in parts[0]:
        return "its name leads out of the zip file; make the zip file again"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link; put the file itself into the zip file"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted; make a zip file without a password"
    inflation = info.file_size / max(info.compress_size, 1)
    if info.file_size > MAX_BYTES or (info.file_size > _SMALL_BYTES and inflation > _MAX_INFLATION):
        return f"would unpack to {info.file_size} bytes, as a zip bomb; it is not unpacked"
    return ""
