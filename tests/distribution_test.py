"""One device, two devices and two processes give the same run; a worker that is gone stops it.

Tolerances are about ten times what was measured on both stacks.
"""

import os
import time

import numpy as np
import pytest

from spine_tf.training import model_folder
from tests.spine_tf import tiny_runs
from tests.spine_tf.training import processes, worker

pytestmark = pytest.mark.slow

_SETTINGS = {"epochs": 2, "batch_size": 8, "steps_per_epoch": 4, "augment": True}
_SETTINGS |= {"min_delta": -1e9}  # the last epoch is the best
_GROUPS = {"accumulate_steps": 2, "clip_norm": 0.1}
_TASKS = {
    "sampled": {"task": "longitudinal"},
    "all": {"task": "longitudinal", "options": {"mode": "all"}},
    "grading": {"task": "grading"},
    "accumulated": {"task": "longitudinal"} | _GROUPS,
}
# The largest relative difference of a loss and of the whole update. A maximum pool sends the
# gradient to one pixel; where several are all but equal, rounding says to which, so that the runs
# part by more than rounding. The sum of squares of batch norm is not the cause: with its moments
# taken in two passes they part as much. So batch norm is held to what it does with mean pools
# ("smooth"), and one run of the network as it is to what was seen.
_TOLERANCES = {"none": (1e-6, 3e-5), "smooth": (5e-5, 1e-3), "batch": (1e-3, 1e-2)}
_TOLERANCES |= {"lrn": _TOLERANCES["none"]}
_NORMS = {
    "none": {"norm": "none", "learning_rate": 1e-3},
    "smooth": {"norm": "batch", "learning_rate": 1e-4, "mean_pools": True},
}
_RUNS = {
    f"{name}-{norm}": _SETTINGS | settings | values
    for norm, values in _NORMS.items()
    for name, settings in _TASKS.items()
}
_RUNS["sampled-batch"] = _SETTINGS | {"norm": "batch", "learning_rate": 1e-4}
# Dropout is the same on any number of devices.
_RUNS["dropout-lrn"] = _SETTINGS | {"norm": "lrn", "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("distribution") / "set", (2,) * 20)


@pytest.fixture(scope="module")
def folders(data_dir, tmp_path_factory):
    """Strategy -> folder of all runs."""
    found = {name: tmp_path_factory.mktemp(name) for name in processes.LAYOUTS}
    for name, folder in found.items():
        processes.run(data_dir, folder, name, _RUNS)
    return found


@pytest.mark.parametrize("name", _RUNS)
@pytest.mark.parametrize("strategy", ["mirrored", "multiworker"])
def test_the_same_losses_and_weights_as_on_one_device(folders, strategy, name):
    losses, update = _TOLERANCES[name.split("-")[1]]
    one, other = folders["one"], folders[strategy]
    expected, found = processes.steps(one, name), processes.steps(other, name)
    assert len(expected) == 8
    measured = processes.loss_difference(expected, found), _update_difference(one, other, name)
    print(f"{strategy} {name}: losses differ by {measured[0]:.1e}, updates by {measured[1]:.1e}")
    assert measured[0] < losses and measured[1] < update


@pytest.mark.parametrize("name", _RUNS)
def test_all_workers_see_the_same_losses(folders, name):
    folder = folders["multiworker"]
    assert processes.steps(folder, name, 0) == processes.steps(folder, name, 1)


def _update_difference(one, other, name):
    """Norm of the difference of the trained weights by the norm of what training changed."""
    loaded = [model_folder.load(os.path.join(folder, name)) for folder in (one, other)]
    with pytest.MonkeyPatch.context() as patch:
        worker.enlarge_first_weights(patch)
        start = loaded[0].build().trainable_weights
    a, b = (folder.load_model().trainable_weights for folder in loaded)
    changed = sum(np.sum(np.square(x - y)) for x, y in zip(a, start, strict=True))
    differs = sum(np.sum(np.square(x - y)) for x, y in zip(a, b, strict=True))
    return float(np.sqrt(differs / changed))


@pytest.mark.parametrize("before, after", [("one", "mirrored"), ("multiworker", "one")])
def test_a_run_goes_on_with_other_devices(folders, data_dir, tmp_path, before, after):
    name, settings = "sampled-none", _RUNS["sampled-none"]
    processes.run(data_dir, tmp_path, before, {name: settings | {"epochs": 1}})
    processes.run(data_dir, tmp_path, after, {name: settings})
    one = folders["one"]
    found = processes.steps(tmp_path, name)
    losses, update = _TOLERANCES["none"]
    assert processes.loss_difference(processes.steps(one, name), found) < losses
    assert _update_difference(one, tmp_path, name) < update


@pytest.mark.parametrize("victim", [0, 1])
def test_a_worker_that_dies_stops_the_other_and_the_run_goes_on(
    folders, data_dir, tmp_path, victim
):
    runs = {"sampled-batch": _RUNS["sampled-batch"] | {"checkpoint_steps": 1}}
    death = {"call": "step", "number": 3, "seconds": 0.0}
    started = processes.start(data_dir, tmp_path, "multiworker", runs, deaths={victim: death})
    started[victim].wait(timeout=600)
    begin = time.monotonic()
    status, printed = processes.finish([started[1 - victim]], seconds=60)[0]
    print(f"the other worker stopped after {time.monotonic() - begin:.1f} s")
    started[victim].communicate()
    assert started[victim].returncode == -9 and status == 1
    assert "error: another worker is gone, so this one stops. Start all of them again" in printed

    processes.run(data_dir, tmp_path, "multiworker", runs)
    whole = folders["multiworker"]
    assert dict(processes.steps(tmp_path, "sampled-batch")) == dict(
        processes.steps(whole, "sampled-batch")
    )
    for read in (processes.weights, processes.state):
        assert (
            processes.difference(read(whole, "sampled-batch"), read(tmp_path, "sampled-batch")) == 0
        )


def test_workers_that_do_not_see_one_folder(data_dir, tmp_path):
    runs = {"run": _SETTINGS | {"epochs": 1}}
    folders = [tmp_path / "chief", tmp_path / "other"]
    for folder in folders:
        os.mkdir(folder)
    processes.run(data_dir, folders[0], "multiworker", runs)
    runs["run"] |= {"epochs": 2}
    for status, printed in processes.finish(
        processes.start(data_dir, folders[0], "multiworker", runs, elsewhere={1: folders[1]})
    ):
        assert status == 1
        assert "`model_dir` must be a folder that all workers see" in printed
        assert "go on at epoch 1, step 1 and epoch 2, step 1." in printed


def test_a_batch_that_two_workers_cannot_share(data_dir, tmp_path):
    runs = {"odd": _SETTINGS | {"batch_size": 7, "task": "grading"}}
    for status, printed in processes.finish(
        processes.start(data_dir, tmp_path, "multiworker", runs)
    ):
        assert status == 1
        assert "`batch_size` must be a multiple of the 2 devices, got 7" in printed
    assert not os.listdir(tmp_path)


def test_xla_is_refused_on_several_devices(data_dir, tmp_path):
    runs = {"xla": _SETTINGS | {"xla": True}}
    ((status, printed),) = processes.finish(processes.start(data_dir, tmp_path, "mirrored", runs))
    assert status == 1
    assert "`xla` must be off on several devices" in printed
    assert not os.listdir(tmp_path)
