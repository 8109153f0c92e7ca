"""Two workers of a thread each against one process of two threads, at one global batch."""

import json
import socket
from collections.abc import Iterator

from benchmarks import contender, spine_step

_WORKERS = 2


def measure(preset: str, crops_per_worker: int, num_steps: int, repeats: int) -> dict:
    """Times steps of both in turn.

    Args:
        preset: Size of the network.
        crops_per_worker: Crops of a worker's part of a batch.
        num_steps: Steps of one measurement.
        repeats: Rounds.

    Returns:
        Seconds per step of both, and "overhead", two workers over one process minus 1.
    """
    made = ("float32", _WORKERS * crops_per_worker)
    threads = [
        contender.thread_limits(_WORKERS),
        *(contender.thread_limits(1) | one for one in tf_configs()),
    ]
    one = contender.Contender(spine_step.make, preset, *made, environment=threads[0])
    workers = [
        contender.Contender(spine_step.make, preset, *made, "multiworker", environment=variables)
        for variables in threads[1:]
    ]
    for process in (one, *workers):
        process.wait_ready()
    names = {"one process": [one], "two workers": workers}
    seconds = contender.walls(contender.interleave(names, dict.fromkeys(names, num_steps), repeats))
    for process in (one, *workers):
        process.close()
    cost = contender.ratios(seconds["two workers"], seconds["one process"])
    return {
        "preset": preset,
        "crops_per_worker": crops_per_worker,
        "threads": _WORKERS,
        "seconds_per_step": {name: contender.summary(found) for name, found in seconds.items()},
        "overhead": {name: round(value - 1, 4) for name, value in cost.items()},
    }


def tf_configs() -> Iterator[dict[str, str]]:
    """Yields TF_CONFIG of every worker, at free ports of this machine."""
    sockets = [socket.socket() for _ in range(_WORKERS)]
    for found in sockets:
        found.bind(("localhost", 0))
    addresses = [f"localhost:{found.getsockname()[1]}" for found in sockets]
    for found in sockets:
        found.close()
    for number in range(_WORKERS):
        task = {"type": "worker", "index": number}
        yield {"TF_CONFIG": json.dumps({"cluster": {"worker": addresses}, "task": task})}
