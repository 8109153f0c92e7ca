"""A process that holds one way of doing something and says how long it takes.

Every contender is a process of its own, so that thread pools, allocators and libraries of one do
not slow another. They wait while others are measured, which makes interleaved repeats cheap.
"""

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Time(NamedTuple):
    """Seconds of a call: on the clock, and of all processors, which other work disturbs less."""

    wall: float
    cpu: float


class Contender:
    """A function in a process of its own.

    Attributes:
        facts: What the function's maker said of it.
    """

    def __init__(
        self, make: Callable, *arguments: Any, environment: Mapping[str, str] | None = None
    ):
        """Starts the process, which makes the function and calls it once.

        Args:
            make: A function of a module: (*arguments) -> (function without arguments, facts).
            *arguments: What pickle takes.
            environment: Environment variables of the process.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        before = dict(os.environ)
        os.environ.update(environment or {})
        self._process = context.Process(target=_serve, args=(other, make, arguments), daemon=True)
        self._process.start()
        other.close()
        os.environ.clear()
        os.environ.update(before)
        self.facts: dict[str, Any] = {}

    def wait_ready(self) -> None:
        """Waits until the function was made and called once; then `facts` are there."""
        self.facts = self._connection.recv()

    def start(self, count: int) -> None:
        """Lets the process call its function so many times."""
        self._connection.send(count)

    def seconds(self) -> Time:
        """Waits for what `start` began; returns its time."""
        return self._connection.recv()

    def peak_gb(self) -> float:
        """Returns the most memory the process ever held, in GB."""
        self._connection.send(0)
        return self._connection.recv()

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.join()


def _serve(connection, make: Callable, arguments: tuple) -> None:
    from spine_tf import allocator

    allocator.keep_freed_memory()  # for all
    function, facts = make(*arguments)
    function()
    connection.send(facts)
    while True:
        try:
            count = connection.recv()
        except EOFError:
            return
        if not count:
            peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            connection.send(peak_kb * 1024 / 1e9)
            continue
        start, cpu_start = time.perf_counter(), time.process_time()
        for _ in range(count):
            function()
        connection.send(Time(time.perf_counter() - start, time.process_time() - cpu_start))


def interleave(
    contenders: Mapping[str, Sequence[Contender]], counts: Mapping[str, int], repeats: int
) -> dict[str, list[Time]]:
    """Measures contenders in turn, and prints each round.

    Args:
        contenders: Name -> the processes that do it together.
        counts: Name -> calls per repeat.
        repeats: Rounds over all contenders.

    Returns:
        Name -> time of one call in every round: of those together the longest on the clock, and the
        sum of processors.
    """
    found: dict[str, list[Time]] = {name: [] for name in contenders}
    for number in range(repeats):
        for name, together in contenders.items():
            for one in together:
                one.start(counts[name])
            times = [one.seconds() for one in together]
            wall, cpu = max(time.wall for time in times), sum(time.cpu for time in times)
            found[name].append(Time(wall / counts[name], cpu / counts[name]))
            print(f"round {number + 1}: {name} {wall / counts[name]:.3f} s", flush=True)
    return found


def thread_limits(count: int) -> dict[str, str]:
    """Returns environment variables that give TensorFlow and PyTorch so many threads."""
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys(names, str(count))


def walls(times: Mapping[str, Sequence[Time]]) -> dict[str, list[float]]:
    """Returns name -> seconds on the clock in every round."""
    return {name: [one.wall for one in found] for name, found in times.items()}


def summary(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Returns median, lowest and highest."""
    found = {"median": statistics.median(values), "low": min(values), "high": max(values)}
    return {name: round(value, digits) for name, value in found.items()}


def ratios(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Returns median, lowest and highest of the ratios within the rounds."""
    return summary([a / b for a, b in zip(above, below, strict=True)])
