"""What `benchmarks.conversion` measures: an archive, a plain loop over it, and commands."""

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import gdcm
import numpy as np
import pydicom
import pydicom.uid

from benchmarks import contender
from data_prep import convert_dicom_lib, dicom, make_phantom_lib
from spine_tf.phantom import cohort

_KEY = b"k" * 32
# A process that is started counts what its parent holds, so this one, which is small, starts it.
_STARTED = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_maxrss, used.ru_utime + used.ru_stime)
sys.exit(status)
"""


@dataclasses.dataclass(frozen=True)
class Work:
    """What is measured.

    Attributes:
        work_dir: Folder of the archive and of what is made of it.
        num_studies: Studies of the archive, at least; a subject comes with all its visits.
        matrices: Matrix sizes of its images, pixels.
        crop_scale: Scale of stored crops.
    """

    work_dir: str
    num_studies: int
    matrices: tuple[int, ...]
    crop_scale: float

    @property
    def archive_dir(self) -> str:
        """The folder of the archive."""
        return os.path.join(self.work_dir, f"studies-{self.num_studies}-{self.matrices[0]}")


def measure(work: Work, repeats: int) -> dict:
    """Makes the archive if it is missing, and measures all contenders in turn.

    Args:
        work: What is measured.
        repeats: Rounds.

    Returns:
        Seconds of each stage and command, ratios, memory and bytes.
    """
    make_archive(work)
    begun = time.perf_counter()
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(work.archive_dir), _KEY)
    headers = time.perf_counter() - begun
    stages: dict[str, list[contender.Time]] = {}
    commands: dict[str, list[Run]] = {}
    for _ in range(repeats):
        for name, taken in _in_process(plain_loop, plan.requests, work.crop_scale).items():
            stages.setdefault(name, []).append(taken)
        for num_processes in (1, 2):
            run = _convert(work, num_processes)
            commands.setdefault(f"{num_processes} processes", []).append(run)
        if shutil.which("dcm2niix"):
            run = _dcm2niix(work, [request.path for request in plan.requests])
            commands.setdefault("dcm2niix", []).append(run)
    return _result(work, plan.requests, headers, stages, commands)


def make_archive(work: Work) -> None:
    """Writes phantom studies and compresses their images as JPEG 2000 without loss."""
    if os.path.isdir(work.archive_dir):
        return
    temporary = f"{work.archive_dir}.making"
    shutil.rmtree(temporary, ignore_errors=True)
    config = cohort.CohortConfig(num_subjects=_num_subjects(work), matrices=work.matrices)
    make_phantom_lib.write_cohort(config, temporary)
    for path in dicom.list_files(temporary):
        if path.endswith(".dcm"):
            _compress(path)
    os.replace(temporary, work.archive_dir)


def _compress(path: str) -> None:
    """Compresses the image of a file as JPEG 2000 without loss, in place."""
    reader = gdcm.ImageReader()
    reader.SetFileName(path)
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEG2000Lossless))
    if not reader.Read():
        raise OSError(f"{path}: cannot be read.")
    change.SetInput(reader.GetImage())
    writer = gdcm.ImageWriter()
    writer.SetFileName(path)
    writer.SetFile(reader.GetFile())
    if not change.Change():
        raise ValueError(f"{path}: cannot be compressed.")
    writer.SetImage(change.GetOutput())
    if not writer.Write():
        raise OSError(f"{path}: cannot be written.")


def measure_memory(work: Work, num_files: int) -> dict:
    """Converts the archive within a tree of so many files, with two processes.

    Args:
        work: What is measured.
        num_files: Files of the tree, at least.

    Returns:
        Files, seconds, and the most memory of any one process.
    """
    make_archive(work)
    tree_dir = make_tree(work, num_files)
    run = _convert(work, 2, tree_dir)
    return {
        "files": len(dicom.list_files(tree_dir)),
        "seconds": round(run.seconds, 1),
        "peak_mib": round(run.peak_mib),
    }


def make_tree(work: Work, num_files: int) -> str:
    """Makes a folder of the archive and further T1 series, with UIDs of their own."""
    tree_dir = f"{work.archive_dir}-{num_files}"
    if os.path.isdir(tree_dir):
        return tree_dir
    temporary = f"{tree_dir}.making"
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(work.archive_dir, temporary, copy_function=os.link)
    there = dicom.list_files(temporary)
    copied = [path for path in there if os.path.basename(os.path.dirname(path)) == "T1"]
    for number in range(num_files - len(there)):
        again, index = divmod(number, len(copied))
        image = pydicom.dcmread(copied[index])
        for name in ("SeriesInstanceUID", "SOPInstanceUID"):
            entropy = [str(image[name].value), str(again)]
            setattr(image, name, pydicom.uid.generate_uid(entropy_srcs=entropy))
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.save_as(f"{copied[index]}.{again}")
    os.replace(temporary, tree_dir)
    return tree_dir


def _num_subjects(work: Work) -> int:
    """The fewest subjects that have so many studies."""
    count = 1
    while True:
        config = cohort.CohortConfig(num_subjects=count, matrices=work.matrices)
        if sum(1 for _ in make_phantom_lib.studies(config)) >= work.num_studies:
            return count
        count += max(1, work.num_studies // 50)


def plain_loop(requests: Sequence, crop_scale: float) -> dict[str, contender.Time]:
    """Decodes and crops the chosen scans one after the other.

    Args:
        requests: As convert-dicom plans them.
        crop_scale: Scale of stored crops.

    Returns:
        Time of decoding and of cropping; the first scan is done once before, to warm up.
    """
    from data_prep import scan_crops

    spent = {"decode": np.zeros(2), "crops": np.zeros(2)}
    for number, request in enumerate([requests[0], *requests]):
        begun = _now()
        scan, annotation = convert_dicom_lib.load(request)
        decoded = _now()
        scan_crops.disc_crops(scan, annotation, crop_scale)
        scan_crops.vertebra_crops(scan, annotation, crop_scale)
        if number:
            spent["decode"] += decoded - begun
            spent["crops"] += _now() - decoded
    return {name: contender.Time(*map(float, found)) for name, found in spent.items()}


def _now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def _in_process(function, *arguments):
    """Calls a function in a process of its own, with one thread."""
    before = dict(os.environ)
    os.environ.update(contender.thread_limits(1))
    context = multiprocessing.get_context("spawn")
    try:
        with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one command took.

    Attributes:
        seconds: On the clock.
        processor_seconds: Of all its processes, which other work disturbs less.
        peak_mib: Most memory of any one of its processes.
        output_bytes: Of the data set.
    """

    seconds: float
    processor_seconds: float
    peak_mib: float
    output_bytes: int = 0


def _run(command: Sequence[str]) -> Run:
    environment = os.environ | contender.thread_limits(1)
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _STARTED, *command], env=environment, stdout=subprocess.PIPE
    )
    if done.returncode:
        raise ValueError(f"{' '.join(command[:3])} failed; try it by itself.")
    peak_kib, processor_seconds = done.stdout.split()
    return Run(time.perf_counter() - begun, float(processor_seconds), int(peak_kib) / 2**10)


def _convert(work: Work, num_processes: int, input_dir: str = "") -> Run:
    output_dir = os.path.join(work.work_dir, "data")
    shutil.rmtree(output_dir, ignore_errors=True)
    run = _run(
        [sys.executable, "-m", "data_prep.convert_dicom"]
        + [f"--input_dir={input_dir or work.archive_dir}", f"--output_dir={output_dir}"]
        + [f"--key_file={work.work_dir}/key", f"--crop_scale={work.crop_scale}"]
        + [f"--num_processes={num_processes}"]
    )
    return dataclasses.replace(run, output_bytes=sum(map(_size, dicom.list_files(output_dir))))


def _dcm2niix(work: Work, folders: Sequence[str]) -> Run:
    output_dir = os.path.join(work.work_dir, "nifti")
    shutil.rmtree(output_dir, ignore_errors=True)
    os.makedirs(output_dir)
    runs = [_run(["dcm2niix", "-f", "%j", "-o", output_dir, folder]) for folder in folders]
    return Run(
        sum(run.seconds for run in runs),
        sum(run.processor_seconds for run in runs),
        max(run.peak_mib for run in runs),
    )


_size = os.path.getsize


def _result(
    work: Work,
    requests: Sequence,
    headers: float,
    stages: Mapping[str, Sequence[contender.Time]],
    commands: Mapping[str, Sequence[Run]],
) -> dict:
    both = list(zip(stages["decode"], stages["crops"], strict=True))
    bare_wall = [decode.wall + crops.wall for decode, crops in both]
    bare_processor = [decode.cpu + crops.cpu for decode, crops in both]
    walls = contender.walls(stages) | {k: [r.seconds for r in v] for k, v in commands.items()}
    processor = {name: [time.cpu for time in found] for name, found in stages.items()}
    processor |= {k: [r.processor_seconds for r in v] for k, v in commands.items()}
    files = dicom.list_files(work.archive_dir)
    return {
        "studies": len(requests),
        "files": len(files),
        "crop_scale": work.crop_scale,
        "headers_seconds": round(headers, 2),
        "seconds": {name: contender.summary(found) for name, found in walls.items()},
        "processor_seconds": {name: contender.summary(found) for name, found in processor.items()},
        "one_process_over_bare": contender.ratios(walls["1 processes"], bare_wall),
        "one_process_over_bare_processor": contender.ratios(
            processor["1 processes"], bare_processor
        ),
        "one_process_over_two": contender.ratios(walls["1 processes"], walls["2 processes"]),
        "peak_mib": {
            name: round(max(run.peak_mib for run in runs)) for name, runs in commands.items()
        },
        "bytes_per_study": {
            "archive": round(sum(map(_size, files)) / len(requests)),
            "data set": round(commands["1 processes"][0].output_bytes / len(requests)),
            "request": len(pickle.dumps(requests)) // len(requests),
        },
    }
