"""A file of results that several runs fill, an entry per part, with what it was measured on."""

import importlib.metadata
import os
import shlex
from typing import Any


def write(path: str, form: str, part: str, found: object, command: str) -> None:
    """Puts a part into a file of results beside the other ones.

    Args:
        path: The JSON file; made if missing.
        form: What its field `format` is.
        part: Name of the part.
        found: What was measured.
        command: How to measure it again, see `command`.

    Raises:
        ValueError: If the file is of another form.
    """
    from spine_tf import files

    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    content = files.read_json(path, form) if os.path.exists(path) else {"format": form}
    content[part] = {
        "found": found,
        "cores": os.cpu_count(),
        "processor": processor(),
        "versions": versions(),
        "command": command,
    }
    files.write_json(path, content)


def command(module: str, given: Any, part: str = "") -> str:
    """Returns the command that is run, without the folders of this machine.

    Args:
        module: Name of the benchmark.
        given: Its flags (`flags.FLAGS`); those that were given are named.
        part: What stands for --parts, of which a run may do several; "" is no such flag.
    """
    words = [f"--parts={part}"] if part else []
    for name in given:
        flag, value = given[name], given[name].value
        if flag.present and not (part and name == "parts"):
            is_path = "_dir" in name or os.path.isabs(str(value))
            paths = value if isinstance(value, list) else [str(value)]
            last = ",".join(map(_last_part, paths))
            words.append(f"--{name}={last}" if is_path else flag.serialize())
    return shlex.join(["python", "-m", f"benchmarks.{module}", *words])


def _last_part(path: str) -> str:
    """The last part of a path; the name of NAME=PATH stays before it."""
    name, equals, named = path.partition("=")
    if equals and os.sep not in name:
        return f"{name}={os.path.basename(named.rstrip(os.sep))}"
    return os.path.basename(path.rstrip(os.sep))


def processor() -> dict[str, bool]:
    """Says which instructions for matrices the processor has, of those that matter here."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        words = set(file.read().split())
    return {name: name in words for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")}


def versions() -> dict[str, str]:
    """Returns the versions of what was measured and is installed."""
    found = {}
    for name in ("tensorflow", "keras", "torch"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
