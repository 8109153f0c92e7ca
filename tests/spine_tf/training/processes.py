"""Starts `worker.py` as one process or two, and reads and compares what they leave."""

import json
import os
import socket
import subprocess
import sys

import h5py
import numpy as np
import tensorflow as tf

from spine_tf.training import checkpoint, model_folder

# Strategy -> (number of processes, devices of each).
LAYOUTS = {"one": (1, 1), "mirrored": (1, 2), "multiworker": (2, 1)}


def start(data_dir, folder, strategy, runs, *, deaths=None, elsewhere=None):
    """Starts the processes of runs; returns them, the chief first.

    `runs` is name -> settings, `deaths` worker -> the moment at which it kills itself,
    `elsewhere` worker -> a folder of its own.
    """
    workers, devices = LAYOUTS[strategy]
    runs = {name: {"strategy": strategy} | settings for name, settings in runs.items()}
    cluster = {"worker": [f"localhost:{port}" for port in _free_ports(workers)]}
    started = []
    for number in range(workers):
        orders = {"runs": runs, "devices": devices}
        if number in (deaths or {}):
            orders["death"] = deaths[number]
        environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
        if workers > 1:
            task = {"type": "worker", "index": number}
            environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
        place = (elsewhere or {}).get(number, folder)
        command = [sys.executable, "-m", "tests.spine_tf.training.worker"]
        process = subprocess.Popen(
            [*command, str(data_dir), str(place), json.dumps(orders)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
    return started


def finish(processes, seconds=1200):
    """Waits for processes; returns [(exit status, what it printed)]."""
    found = []
    try:
        for process in processes:
            printed, _ = process.communicate(timeout=seconds)
            found.append((process.returncode, printed))
    finally:
        for process in processes:
            process.kill()
    return found


def run(*arguments):
    """Starts runs as `start` and waits until they are done."""
    for status, printed in finish(start(*arguments)):
        assert status == 0, printed


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


# === What is left ===


def steps(folder, name, worker=0):
    """Returns [((epoch, step), losses)] in the order in which they were made."""
    with open(os.path.join(folder, f"{name}-steps-{worker}.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    return [
        ((line["epoch"], line["step"]), {n: float.fromhex(v) for n, v in line["losses"].items()})
        for line in lines
    ]


def weights(folder, name):
    """Returns the arrays of best.weights.h5 by name."""
    found = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = np.array(item)

    with h5py.File(os.path.join(folder, name, model_folder.WEIGHTS)) as file:
        file.visititems(visit)
    return found


def state(folder, name):
    """Returns every tensor of the newest checkpoint by name: weights, slots, rate, counters."""
    path = checkpoint.saved(os.path.join(folder, name, checkpoint.FOLDER))[0]
    reader = tf.train.load_checkpoint(path)
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {key: reader.get_tensor(key) for key in names}


def difference(one, other):
    """Returns the largest difference of arrays of the same names."""
    assert one.keys() == other.keys()
    return max(
        float(np.abs(np.subtract(one[name], other[name], dtype=float)).max())
        for name in one
        if one[name].size
    )


def loss_difference(one, other):
    """Returns the largest relative difference of the losses of the same steps."""
    assert [place for place, _ in one] == [place for place, _ in other]
    return max(
        abs(a[name] - b[name]) / max(abs(a[name]), 1.0)
        for (_, a), (_, b) in zip(one, other, strict=True)
        for name in a
    )
