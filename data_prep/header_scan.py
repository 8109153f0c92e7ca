"""Reads the headers of a whole input, each once, in several processes when there are many."""

import concurrent.futures
import dataclasses
import functools
import itertools
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence

from data_prep import archive, dicom, dicom_header, rejection, restart, series_stacks

_CHUNK = 64  # names that a process reads at a time


@dataclasses.dataclass(frozen=True)
class _Read:
    """What one name of a listing gave: images, or a reason why not."""

    name: str
    slices: tuple[dicom_header.SliceHeader, ...] = ()
    unused: str = ""
    rejected: rejection.Rejection | None = None


def scan(
    listing: archive.Listing,
    num_processes: int = 1,
    progress: Callable[[Iterable], Iterable] = iter,
    facts: Sequence[str] = (),
) -> dicom.FolderScan:
    """Reads the header of everything that an input lists, and groups the images into series.

    Args:
        listing: From `archive.open_input`.
        num_processes: Worker processes; the result does not depend on it.
        progress: Wraps the results, for example in a progress bar.
        facts: Which of `spine_tf.header_facts.FACTS` to read.

    Returns:
        The series and what was not used, as `dicom.scan_folder`.
    """
    results = itertools.chain.from_iterable(_map(listing.names, num_processes, facts))
    read = list(progress(results))
    rejections = [*listing.rejections, *(item.rejected for item in read if item.rejected)]
    rejected = {item.path: item.reason for item in rejections}
    unused = {item.name: item.unused for item in read if item.unused}
    slices = [one for item in read for one in item.slices]
    found = series_stacks.group(slices, archive.is_same_image)
    num_files = len(read) + len(listing.rejections) + len(listing.unused)
    return dicom.FolderScan(
        series=found.series,
        rejections=rejections + found.rejections,
        num_files=num_files,
        unused={**listing.unused, **unused, **found.unused},
        rejected={**rejected, **found.rejected},
    )


def _map(names: Sequence[str], num_processes: int, facts) -> Iterator[list[_Read]]:
    read = functools.partial(_read_all, facts=tuple(facts))
    chunks = [names[start : start + _CHUNK] for start in range(0, len(names), _CHUNK)]
    if num_processes == 1 or len(chunks) < 2:
        yield from map(read, ([name] for name in names))
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        num_processes, context, restart.end_with_parent
    ) as pool:
        yield from pool.map(read, chunks)


def _read_all(names: Sequence[str], facts: Sequence[str]) -> list[_Read]:
    return [item for name in names for item in _read(name, facts)]


def _read(name: str, facts: Sequence[str]) -> list[_Read]:
    found = []
    try:
        for image, path in archive.header_files(name):
            found.append(_read_one(image, path, facts))
    except rejection.RejectedInput as error:
        found.append(_Read(error.rejection.path, rejected=error.rejection))
    return found


def _read_one(name: str, path: str, facts: Sequence[str]) -> _Read:
    try:
        slices = dicom_header.read_headers(path, facts)
    except dicom_header.NotNeeded as reason:
        return _Read(name, unused=str(reason))
    except rejection.RejectedInput as error:
        return _Read(name, rejected=archive.renamed(error.rejection, {path: name}).rejection)
    return _Read(name, tuple(dataclasses.replace(item, path=name) for item in slices))
