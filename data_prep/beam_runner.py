"""Runs a Beam pipeline: quiet, with a progress bar, in one process or several or elsewhere."""

import contextlib
import dataclasses
import logging
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence

import apache_beam as beam
import tqdm
from apache_beam.options import pipeline_options
from apache_beam.runners.portability import fn_api_runner
from apache_beam.transforms import environments

_POLL_SECS = 0.5
_WORKER = "data_prep.beam_worker"
_INTERRUPTED = KeyboardInterrupt.__name__
# What Beam raises in a thread of its own when a worker is gone; it then waits for it for ever.
_LOST = "Worker subprocess exited with return code"
_BY_INTERRUPT = ("-2", "130")  # a worker gets the Ctrl-C of a terminal, too
# An operation is not split over threads, so that its sums are always rounded in one order.
UNDIVIDED = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
_INTEROP = "TF_NUM_INTEROP_THREADS"
# Each arena of glibc keeps what was freed in it: 70 MiB of a worker that cuts crops.
_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}


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


def worthwhile_processes(num_pieces: int, least_pieces: int, num_threads: int = 1) -> int:
    """Returns how many processes a piece of work is worth: at most one per core.

    Args:
        num_pieces: Of work.
        least_pieces: That a process should have, so that starting it pays.
        num_threads: That a process has; then as many processes as have a core for each.
    """
    return max(1, min(-(-num_cores() // num_threads), num_pieces // least_pieces))


def num_cores() -> int:
    """Returns how many cores this process may use."""
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
    num_threads: int = 1,
) -> Iterator[beam.Pipeline]:
    """Gives a pipeline that runs when the block ends.

    Args:
        num_processes: 1 runs in this process, with the threads of TensorFlow that it has; of more,
            each has `num_threads`, which would else fight for the cores.
        done: Files that the pipeline writes, one per piece of work; the progress bar counts them.
        unit: What a piece of work is called.
        runner: Where it runs; `num_processes` is of the direct runner.
        sizes: How many units each of these files stands for; one by default.
        num_threads: Operations of TensorFlow that a worker process runs at once.

    Yields:
        The pipeline, to add steps to.
    """
    options = pipeline_options.PipelineOptions(
        list(runner.options), runner=runner.name, save_main_session=False, **_direct(num_processes)
    )
    is_shared = num_processes > 1 and runner.is_direct
    made_runner = _several_processes() if is_shared else None
    variables = UNDIVIDED | _ONE_ARENA | {_INTEROP: str(num_threads)} if is_shared else {}
    watched = _watched() if is_shared else contextlib.nullcontext()
    with _quiet(), _environment(variables), _progress(done, unit, sizes):
        with _interruptible(), watched, beam.Pipeline(made_runner, options=options) as made:
            yield made


def _several_processes() -> fn_api_runner.FnApiRunner:
    """The direct runner with workers of `beam_worker`, which are as Beam's own, but quiet."""
    command = f"{shlex.quote(sys.executable)} -m {_WORKER}"
    environment = environments.SubprocessSDKEnvironment.from_command_string(command)
    return fn_api_runner.FnApiRunner(default_environment=environment)


def _direct(num_processes: int) -> dict:
    """Options of the direct runner, which others pass over."""
    return {
        "direct_num_workers": num_processes,
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
def _interruptible() -> Iterator[None]:
    """Gives back the KeyboardInterrupt that Beam logs and raises as an error of the step."""

    def is_error(record: logging.LogRecord) -> bool:
        return _INTERRUPTED not in record.getMessage()

    logger = logging.getLogger("apache_beam.runners.common")
    logger.addFilter(is_error)
    try:
        yield
    except RuntimeError as error:
        if str(error).startswith(_INTERRUPTED):
            raise KeyboardInterrupt from error
        raise
    finally:
        logger.removeFilter(is_error)


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Ends the wait for a worker process that was killed; only where the main thread waits.

    After a Ctrl-C, of which the workers end, too, nothing is said of connections that broke.

    Raises:
        ChildProcessError: If one was killed.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main or not hasattr(signal, "SIGUSR1"):  # Windows
        yield
        return
    lost: list[str] = []
    interrupted: list[int] = []
    hook = threading.excepthook

    def notice(raised: threading.ExceptHookArgs) -> None:
        text = str(raised.exc_value)
        if interrupted:
            return
        if not text.startswith(_LOST):
            hook(raised)
        elif not text.endswith(_BY_INTERRUPT):
            lost.append(text.split()[-1])
            if len(lost) == 1:
                signal.pthread_kill(main.ident or 0, signal.SIGUSR1)

    def stop(number, frame) -> None:
        raise ChildProcessError(
            f"a worker process was killed ({lost[0]}), perhaps for its memory. Give the same"
            " command with fewer --num_processes: what is done is kept."
        )

    def interrupt(number, frame) -> None:
        interrupted.append(number)
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL + 1)
        signal.default_int_handler(number, frame)

    # Not SIGINT: a command that a script starts in the background ignores it.
    handlers = {signal.SIGUSR1: signal.signal(signal.SIGUSR1, stop)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        handlers[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    threading.excepthook = notice
    try:
        yield
    finally:
        threading.excepthook = hook
        for number, handler in handlers.items():
            signal.signal(number, handler)


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
