"""Keras Tuner's tuner around the project's own training loop.

`run_trial` is the method that Keras Tuner means to be overridden; `model.fit` is never called.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from keras_tuner import errors
from keras_tuner.engine import base_tuner

from spine_tf.search import outcome, processes, progress
from spine_tf.search import trial as trials

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

    def save(self):
        """Nothing: the oracle saves its state itself, and the tuner has none."""

    def pre_create_trial(self):
        # Keras Tuner asks again at once while hyperband waits for other workers.
        if self._is_idle:
            time.sleep(_IDLE_S)
        self._is_idle = True

    def on_trial_begin(self, trial):
        self._is_idle = False

    def run_trial(self, trial):
        begun = self._begun(trial)
        self._say(self._report.begin(begun))
        try:
            ended = trials.run(self._setup, begun, self._say)
        except OSError as error:
            raise errors.FatalValueError(f"trial {begun.trial}: {error}") from error
        self._say(self._report.end(ended))
        # FailedTrialError would print a stack trace; `on_trial_end` says that it failed.
        value = math.nan if ended.status == outcome.FAILED else ended.objective
        return {self.oracle.objective.name: value}

    def on_trial_end(self, trial):
        ended = outcome.read(self._setup.work_dir, trial.trial_id)
        if ended.status == outcome.FAILED:
            trial.status, trial.message = "FAILED", ended.reason
        super().on_trial_end(trial)

    def _begun(self, trial) -> outcome.Outcome:
        """What a trial of Keras Tuner asks for; hyperband says by its values what it continues."""
        drawn = trial.hyperparameters.values
        return outcome.Outcome(
            trial=trial.trial_id,
            values=self._setup.space.values(drawn),
            epochs=drawn.get("tuner/epochs", self._setup.base.train_config.epochs),
            first_epoch=drawn.get("tuner/initial_epoch", 0),
            continues=drawn.get("tuner/trial_id", ""),
            worker=processes.name(),
        )
