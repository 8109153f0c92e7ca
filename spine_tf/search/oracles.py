"""Keras Tuner's oracles, which choose the values of the next trial and keep the state.

Keras Tuner writes its state in several files that are not written whole, so that a search killed
in between loses a trial or cannot be read. Here the state is one file, written whole.
"""

import os
from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine import trial as trials

from spine_tf import files
from spine_tf.search import options, space

_FORMAT = "spine_tf oracle/1"
_NEVER = 10**9  # failures in a row that stop a search: failed trials are reported, not fatal


class _OneFile(keras_tuner.Oracle):
    """An oracle whose state, with its trials, is one file."""

    path = ""
    after_trial: Callable[[], None] | None = None

    def save(self):
        files.write_json(self.path, self.get_state())

    def resume(self, path: str) -> None:
        """Keeps the state in a file, and goes on from what is there."""
        self.path = path
        if os.path.exists(path):
            self.reload()
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def reload(self):
        self.set_state(files.read_json(self.path, _FORMAT))
        # What was running is run again, on from its checkpoint.
        self._retry_queue += [trial.trial_id for trial in self.ongoing_trials.values()]
        self.ongoing_trials = {}

    def get_state(self):
        kept = {name: trial.get_state() for name, trial in self.trials.items()}
        return super().get_state() | {"format": _FORMAT, "trials": kept}

    def set_state(self, state):
        self.trials = {
            name: trials.Trial.from_state(kept) for name, kept in state["trials"].items()
        }
        super().set_state(state)

    def _save_trial(self, trial):
        """Nothing: `save` follows."""

    def end_trial(self, trial):
        super().end_trial(trial)
        self.save()  # Keras Tuner saves while the trial still counts as running
        if self.after_trial:
            self.after_trial()


class Random(_OneFile, keras_tuner.oracles.RandomSearchOracle):
    """Random search."""

    def schedule(self, epochs: int) -> list[int]:
        """Returns the epochs of every trial."""
        return [epochs] * self.max_trials


class Bayesian(_OneFile, keras_tuner.oracles.BayesianOptimizationOracle):
    """Random trials, three per setting, then where a Gaussian process expects the most."""

    schedule = Random.schedule


class Hyperband(_OneFile, keras_tuner.oracles.HyperbandOracle):
    """Many short trials, of which the best go on. Li et al. 2018, JMLR 18(185)."""

    def schedule(self, epochs: int) -> list[int]:
        """Returns the epochs of every trial that its brackets hold, without those continued."""
        del epochs  # known since it was made
        found = []
        for bracket in reversed(range(self._get_num_brackets())):
            before = 0
            for number in range(self._get_num_rounds(bracket)):
                until = self._get_epochs(bracket, number)
                found += [until - before] * self._get_size(bracket, number)
                before = until
        return found[: self.max_trials]


def make(
    chosen: options.Options,
    searched: space.Space,
    objective: str,
    *,
    epochs: int,
    seed: int,
) -> Any:
    """Makes the oracle of a search.

    Args:
        chosen: Options of the search.
        searched: The space.
        objective: What shall be large.
        epochs: Epochs of a trial at most.
        seed: Seed of the values.
    """
    cls, more = {
        options.RANDOM: (Random, {"max_trials": chosen.max_trials or 20}),
        options.BAYESIAN: (Bayesian, {"max_trials": chosen.max_trials or 20}),
        options.HYPERBAND: (Hyperband, {"max_epochs": epochs, "factor": chosen.hyperband_factor}),
    }[chosen.tuner]
    oracle = cls(
        objective=keras_tuner.Objective(objective, "max"),
        hyperparameters=searched.hyperparameters(),
        seed=seed + 1,  # Keras Tuner takes 0 for none
        max_consecutive_failed_trials=_NEVER,
        **more,
    )
    if chosen.tuner == options.HYPERBAND:
        oracle.max_trials = chosen.max_trials or None
    oracle.verbose = 0
    return oracle
