"""Keras Tuner's tuner around the project's own training loop.

`run_trial` is the method that Keras Tuner means to be overridden; `model.fit` is never called.
"""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import keras_tuner
from keras_tuner import errors
from keras_tuner.engine import base_tuner

from spine_tf.search import outcome, processes, progress
from spine_tf.search import trial as trials

Trial: TypeAlias = keras_tuner.engine.trial.Trial
_KERAS_TUNER = "keras_tuner"  # its folder in WORK_DIR
_IDLE_S = 1.0


class Tuner(base_tuner.BaseTuner):
    """Runs trials until the oracle, in this process or in the chief's, has no more."""

    def __init__(
        self,
        oracle: Any,
        setup: trials.Setup,
        report: progress.Report,
        say: Callable[[str], None],
    ):
        """Makes a tuner.

        Args:
            oracle: Chooses the values; see `oracles.make`.
            setup: What all trials share.
            report: Makes the lines a person reads.
            say: Takes them.
        """
        super().__init__(oracle=oracle, directory=setup.work_dir, project_name=_KERAS_TUNER)
        self._setup, self._report, self._say = setup, report, say
        self._is_idle = False

    def save(self) -> None:
        """Nothing: the oracle saves its state itself, and the tuner has none."""

    def pre_create_trial(self) -> None:
        # Keras Tuner asks again at once while hyperband waits for other workers.
        if self._is_idle:
            time.sleep(_IDLE_S)
        self._is_idle = True

    def on_trial_begin(self, trial: Trial) -> None:
        self._is_idle = False

    def run_trial(self, trial: Trial) -> dict[str, float]:
        """Runs a trial; returns the objective."""
        begun = self._begun(trial)
        self._say(self._report.begin(begun))
        try:
            ended = trials.run(self._setup, begun, self._say)
        except OSError as error:
            raise errors.FatalValueError(f"trial {begun.trial}: {error}") from error
        self._say(self._report.end(ended))
        # Keras Tuner prints the stack of any error but a fatal one. So a failed trial returns a
        # number too, and `on_trial_end` says that it failed, so that the number is never looked at.
        return {self.oracle.objective.name: ended.objective or 0.0}

    def on_trial_end(self, trial: Trial) -> None:
        ended = outcome.read(self._setup.work_dir, _number(trial.trial_id))
        if ended.status == outcome.FAILED:
            trial.status, trial.message = "FAILED", ended.reason
        super().on_trial_end(trial)

    def _begun(self, trial: Trial) -> outcome.Outcome:
        """What a trial of Keras Tuner asks for; hyperband says by its values what it continues."""
        drawn = trial.hyperparameters.values
        return outcome.Outcome(
            trial=_number(trial.trial_id),
            values=self._setup.space.values(drawn),
            epochs=drawn.get("tuner/epochs", self._setup.base.train_config.epochs),
            first_epoch=drawn.get("tuner/initial_epoch", 0),
            continues=_number(drawn.get("tuner/trial_id", "-1")),
            worker=processes.name(),
        )


def _number(trial_id: str) -> int:
    """A trial's number, from 1 on; Keras Tuner's names are numbers from 0 on."""
    return int(trial_id) + 1
