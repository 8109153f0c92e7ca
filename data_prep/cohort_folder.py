"""A folder that a synthetic cohort is written to, one subject after the other, and can go on."""

import concurrent.futures
import functools
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import tqdm

from spine_tf import files


def claim(output_dir: str, name: str, content: Mapping[str, Any]) -> None:
    """Notes in a folder whose it is.

    Args:
        output_dir: Made if missing.
        name: File of the note.
        content: The settings of the cohort.

    Raises:
        ValueError: If the folder belongs to another cohort.
    """
    check(output_dir, name, content)
    os.makedirs(output_dir, exist_ok=True)
    files.write_json(os.path.join(output_dir, name), content)


def check(output_dir: str, name: str, content: Mapping[str, Any]) -> None:
    """Raises ValueError if `claim` would; writes nothing."""
    path = os.path.join(output_dir, name)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        if found != json.loads(json.dumps(content)):
            raise ValueError(
                f"`output_dir` must be a new folder or one of the same cohort, got {output_dir},"
                f" whose {name} has other settings. Choose another folder."
            )


def write_missing(
    write: Callable[[Any, str], None],
    folders: Mapping[str, Any],
    num_processes: int = 1,
    *,
    unit: str = "subject",
    title: str = "subjects",
) -> None:
    """Writes the folders that are not there yet, with a bar; each appears when it is whole.

    Args:
        write: Takes an item and a folder and writes into it; of a module, so that it can be sent
            to another process.
        folders: Folder -> item.
        num_processes: Worker processes.
        unit: What the bar calls an item.
        title: What it calls all of them.

    Raises:
        ValueError: If `num_processes` is not positive.
    """
    if num_processes < 1:
        raise ValueError(f"`num_processes` must be at least 1, got {num_processes}.")
    missing = [(folder, item) for folder, item in folders.items() if not os.path.isdir(folder)]
    bar = tqdm.tqdm(total=len(folders), desc=title, unit=unit, disable=None)
    bar.update(len(folders) - len(missing))
    for _ in _map(functools.partial(_write_whole, write), missing, num_processes):
        bar.update()
    bar.close()


def _map(function: Callable, items: Sequence, num_processes: int) -> Iterator[None]:
    if num_processes == 1 or len(items) < 2:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(num_processes, context) as pool:
        futures = [pool.submit(function, item) for item in items]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()


def _write_whole(write: Callable[[Any, str], None], job: tuple[str, Any]) -> None:
    folder, item = job
    temporary = f"{folder}.tmp-{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    os.makedirs(temporary)
    write(item, temporary)
    os.replace(temporary, folder)
