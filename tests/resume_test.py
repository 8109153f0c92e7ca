"""Runs that are killed again and again end with the bits of a run that was left alone."""

import json
import os

import numpy as np
import pytest

from spine_tf.training import checkpoint, journal
from tests.spine_tf import tiny_runs
from tests.spine_tf.training import processes

pytestmark = pytest.mark.slow

_KILLS = 20
# Checkpoints every second step, so that a life repeats steps of the one before it.
_SETTINGS = {"epochs": 14, "batch_size": 8, "steps_per_epoch": 4, "checkpoint_steps": 2}
_SETTINGS |= {"augment": True, "learning_rate": 5e-4}
# A loss that rises by 0.2 is a plateau: some epochs are one, most save their weights.
_SETTINGS |= {"min_delta": -0.2, "patience": 1, "max_drops": 100}
# Call -> the last one of a life that may be its end, and the most seconds that it still lives.
_DEATHS = {
    "step": (6, 0.2),
    "checkpoint": (3, 0.08),
    "weights": (1, 0.08),
    "replace": (3, 0.005),
    "remove": (5, 0.005),
}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("resume") / "set", (2,) * 20)


def _deaths(workers):
    """Yields a worker and its moment: every call in turn, the rest at random."""
    rng = np.random.default_rng(workers)
    for call, (last, seconds) in list(_DEATHS.items()) * (_KILLS // len(_DEATHS)):
        # Only the chief renames and removes.
        victim = 0 if call in ("replace", "remove") else int(rng.integers(workers))
        number = int(rng.integers(1, last + 1))
        yield victim, {"call": call, "number": number, "seconds": float(rng.uniform(0, seconds))}


@pytest.mark.parametrize(
    "strategy, norm",
    [("one", "batch"), ("one", "lrn"), ("mirrored", "batch"), ("multiworker", "batch")],
)
def test_a_run_that_is_killed_20_times_ends_with_the_same_bits(data_dir, tmp_path, strategy, norm):
    runs = {"run": _SETTINGS | {"norm": norm}}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        os.mkdir(folder)
    processes.run(data_dir, whole, strategy, runs)
    for victim, death in _deaths(processes.LAYOUTS[strategy][0]):
        started = processes.start(data_dir, killed, strategy, runs, deaths={victim: death})
        for number, (status, printed) in enumerate(processes.finish(started)):
            assert status == (-9 if number == victim else 1), (number, victim, death, printed)
            assert number == victim or "another worker is gone" in printed
    processes.run(data_dir, killed, strategy, runs)
    _check_deaths(killed)
    _check_nothing_is_left(killed / "run")
    _check_the_same(whole, killed, strategy)


def _check_deaths(folder):
    """20, and some of them while a file was being written."""
    with open(folder / "deaths.jsonl") as file:
        deaths = [json.loads(line) for line in file]
    assert len(deaths) == _KILLS
    assert sum(death["is_inside"] for death in deaths) >= 3


def _check_nothing_is_left(folder):
    assert not list(folder.glob("tmp-*"))
    assert len(os.listdir(folder / checkpoint.FOLDER)) == 4  # two checkpoints


def _check_the_same(whole, killed, strategy):
    for worker in range(processes.LAYOUTS[strategy][0]):
        expected = dict(processes.steps(whole, "run", worker))
        found = processes.steps(killed, "run", worker)
        assert len(found) > len(expected)  # some steps were taken again
        for place, losses in found:
            assert losses == expected[place], place
        assert dict(found).keys() == expected.keys()
    for read in (processes.weights, processes.state):
        expected, found = read(whole, "run"), read(killed, "run")
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    rows = [journal.read(str(folder / "run")) for folder in (whole, killed)]
    for one, other in zip(*rows, strict=True):
        assert one | {"seconds": ""} == other | {"seconds": ""}
    assert len(rows[0]) == _SETTINGS["epochs"]
