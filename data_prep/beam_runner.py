"""Runs a Beam pipeline: quiet, with a progress bar, in one process or several or elsewhere."""

import contextlib
import dataclasses
import logging
import os
import shlex
import threading
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
import tqdm
from apache_beam.options import pipeline_options

_POLL_SECS = 0.5
# Several processes with a thread per core each would fight for the cores.
ONE_THREAD = {
    name: "1" for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
}


@dataclasses.dataclass(frozen=True)
class Runner:
    """Where a pipeline runs.

    Attributes:
        name: Name or class of a Beam runner.
        options: Beam's own options, as on its command line.
    """

    name: str = "DirectRunner"
    options: tuple[str, ...] = ()

    @property
    def is_direct(self) -> bool:
        """Whether all workers are processes of this machine."""
        return self.name.lower() in ("direct", "directrunner")


LOCAL = Runner()


def parse_runner(name: str, options: str) -> Runner:
    """Returns the runner that two flags ask for.

    Args:
        name: Name or class of a Beam runner.
        options: Beam's options in one text, such as "--flink_master=host:8081 --parallelism=8".

    Raises:
        ValueError: If the text is not a list of options, or names the runner once more.
    """
    found = tuple(shlex.split(options))
    for option in found:
        if not option.startswith("--") or option.split("=")[0] == "--runner":
            raise ValueError(
                f"`beam_options` must be options such as --parallelism=8, and not --runner, got"
                f" {option!r}."
            )
    return Runner(name, found)


def worthwhile_processes(num_pieces: int, least_pieces: int) -> int:
    """Returns how many processes a piece of work is worth: at most one per core.

    Args:
        num_pieces: Of work.
        least_pieces: That a process should have, so that starting it pays.
    """
    return max(1, min(_num_cores(), num_pieces // least_pieces))


def _num_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def pipeline(
    num_processes: int,
    done: Sequence[str],
    unit: str,
    runner: Runner = LOCAL,
    sizes: Sequence[int] | None = None,
) -> Iterator[beam.Pipeline]:
    """Gives a pipeline that runs when the block ends.

    Args:
        num_processes: 1 runs in this process; more have one thread of TensorFlow each.
        done: Files that the pipeline writes, one per piece of work; the progress bar counts them.
        unit: What a piece of work is called.
        runner: Where it runs; `num_processes` is of the direct runner.
        sizes: How many units each of these files stands for; one by default.

    Yields:
        The pipeline, to add steps to.
    """
    options = pipeline_options.PipelineOptions(
        list(runner.options), runner=runner.name, save_main_session=False, **_direct(num_processes)
    )
    threads = ONE_THREAD if num_processes > 1 and runner.is_direct else {}
    with _quiet(), _environment(threads), _progress(done, unit, sizes):
        with beam.Pipeline(options=options) as made:
            yield made


def _direct(num_processes: int) -> dict:
    """Options of the direct runner, which others pass over."""
    return {
        "direct_num_workers": num_processes,
        "direct_running_mode": "multi_processing" if num_processes > 1 else "in_memory",
        "default_sdk_harness_log_level": "ERROR",
    }


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables that are not set, for the workers that start meanwhile."""
    added = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Lets only errors of Beam's own workers through."""
    logger = logging.getLogger("apache_beam")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _progress(done: Sequence[str], unit: str, sizes: Sequence[int] | None) -> Iterator[None]:
    stop = threading.Event()
    size_of = dict(zip(done, sizes or [1] * len(done), strict=True))
    with tqdm.tqdm(total=sum(size_of.values()), unit=f" {unit}", disable=None) as bar:

        def count():
            bar.update(sum(n for path, n in size_of.items() if os.path.exists(path)) - bar.n)

        def watch():
            while not stop.wait(_POLL_SECS):
                count()

        # Counting costs a stat per file: worth it only where somebody looks.
        watcher = threading.Thread(target=watch, daemon=True) if not bar.disable else None
        if watcher:
            watcher.start()
        try:
            yield
        finally:
            stop.set()
            if watcher:
                watcher.join()
                count()
