"""Runs a Beam pipeline on this machine: quiet, in one process or several, with a progress bar."""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence

import apache_beam as beam
import tqdm
from apache_beam.options import pipeline_options

_POLL_SECS = 0.5


@contextlib.contextmanager
def pipeline(num_processes: int, done: Sequence[str], unit: str) -> Iterator[beam.Pipeline]:
    """Gives a pipeline that runs when the block ends.

    Args:
        num_processes: 1 runs in this process.
        done: Files that the pipeline writes, one per piece of work; the progress bar counts them.
        unit: What a piece of work is called.

    Yields:
        The pipeline, to add steps to.
    """
    options = pipeline_options.PipelineOptions(
        [],
        runner="DirectRunner",
        direct_num_workers=num_processes,
        direct_running_mode="multi_processing" if num_processes > 1 else "in_memory",
        default_sdk_harness_log_level="ERROR",
        save_main_session=False,
    )
    with _quiet(), _progress(done, unit), beam.Pipeline(options=options) as made:
        yield made


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
def _progress(done: Sequence[str], unit: str) -> Iterator[None]:
    stop = threading.Event()
    with tqdm.tqdm(total=len(done), unit=f" {unit}", disable=None) as bar:

        def count():
            bar.update(sum(os.path.exists(path) for path in done) - bar.n)

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
