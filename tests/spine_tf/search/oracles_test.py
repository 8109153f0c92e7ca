"""The state of an oracle, and how many trials it will ask for."""

import json

import pytest

from spine_tf.search import options, oracles, space
from tests.spine_tf.search import searches


def _make(path, tuner="random", max_trials=4, epochs=9, content=searches.RATES, seed=0):
    base = searches.make_base()
    chosen = options.Options(tuner=tuner, max_trials=max_trials)
    made = oracles.make(chosen, space.parse(content, base), "score", epochs=epochs, seed=seed)
    made.resume(str(path / "state" / "oracle.json"))
    return made


def _rate(trial):
    return trial.hyperparameters.values["train.learning_rate"]


def _end(oracle, trial, score=None):
    if score is not None:
        oracle.update_trial(trial.trial_id, {"score": score})
    trial.status = "FAILED" if score is None else "COMPLETED"
    oracle.end_trial(trial)


def _run_all(oracle, score=_rate):
    """Runs every trial; returns their values."""
    found = []
    while (trial := oracle.create_trial("tuner0")).status == "RUNNING":
        found.append(dict(trial.hyperparameters.values))
        _end(oracle, trial, score(trial))
    return found


@pytest.mark.parametrize("epochs, factor", [(9, 3), (4, 2), (1, 3), (10, 3)])
def test_the_schedule_of_hyperband_is_what_it_asks_for(tmp_path, epochs, factor):
    base = searches.make_base()
    chosen = options.Options(tuner="hyperband", hyperband_factor=factor)
    searched = space.parse(searches.RATES, base)
    oracle = oracles.make(chosen, searched, "score", epochs=epochs, seed=0)
    oracle.resume(str(tmp_path / "oracle.json"))
    found = _run_all(oracle)
    trained = sorted(one["tuner/epochs"] - one["tuner/initial_epoch"] for one in found)
    assert trained == sorted(oracle.schedule(epochs))
    assert max(one["tuner/epochs"] for one in found) == epochs


def test_hyperband_goes_on_after_failures(tmp_path):
    """A failed trial takes the place of one in the next round."""
    oracle = _make(tmp_path, "hyperband", max_trials=0, epochs=9)
    numbers = iter(range(99))
    found = _run_all(oracle, lambda trial: _rate(trial) if next(numbers) else None)
    assert len(found) < len(oracle.schedule(9))
    assert sum("tuner/trial_id" in one for one in found) > 1


def test_at_most(tmp_path):
    assert len(_run_all(_make(tmp_path / "a", "hyperband", max_trials=3))) == 3
    assert len(_run_all(_make(tmp_path / "b", max_trials=0))) == 20
    assert len(_make(tmp_path / "c", "hyperband", max_trials=3).schedule(9)) == 3


@pytest.mark.parametrize("tuner", ["random", "hyperband", "bayesian"])
def test_a_stopped_search_goes_on_with_the_same_values(tmp_path, tuner):
    """After a trial that ended, and while one was running."""
    whole = _run_all(_make(tmp_path / "whole", tuner))
    oracle = _make(tmp_path / "part", tuner)
    first = oracle.create_trial("tuner0")
    _end(oracle, first, _rate(first))
    running = oracle.create_trial("tuner0")

    oracle = _make(tmp_path / "part", tuner)
    assert oracle.trials[first.trial_id].status == "COMPLETED"
    again = oracle.create_trial("another")
    assert again.trial_id == running.trial_id
    assert again.hyperparameters.values == running.hyperparameters.values
    _end(oracle, again, _rate(again))
    rest = _run_all(oracle)
    known = [first.hyperparameters.values, again.hyperparameters.values, *rest]
    assert known == whole


def test_the_state_is_one_file_at_any_time(tmp_path):
    oracle = _make(tmp_path)
    oracle.create_trial("tuner0")
    assert [one.name for one in (tmp_path / "state").iterdir()] == ["oracle.json"]
    state = json.loads((tmp_path / "state" / "oracle.json").read_text())
    assert list(state["trials"]) == ["0"] and state["ongoing_trials"] == {"tuner0": "0"}


def test_many_failures_in_a_row_do_not_stop_a_search(tmp_path):
    assert len(_run_all(_make(tmp_path, max_trials=8), lambda trial: None)) == 8


def test_seed_0_is_a_seed(tmp_path):
    first, second, other = (
        _run_all(_make(tmp_path / name, seed=seed)) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == second != other


def test_what_follows_a_trial(tmp_path):
    oracle, called = _make(tmp_path), []
    oracle.after_trial = lambda: called.append(len(oracle.trials))
    _run_all(oracle)
    assert called == [1, 2, 3, 4]
