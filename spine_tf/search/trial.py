"""Running one trial: `training.loop` with some values of the space, and then the probe.

    WORK_DIR/trials/7/model    the model folder
    WORK_DIR/trials/7/probe    the probe's, trained on the frozen encoder of the first

A trial that was killed goes on from its checkpoint. One that continues another trial (hyperband)
starts from a copy of that one's model folder and asks for more epochs.
"""

import dataclasses
import gc
import os
import shutil
import time
from collections.abc import Callable
from typing import Any

import keras

from spine_tf import config, run_config
from spine_tf.data import records
from spine_tf.search import objective, outcome, space
from spine_tf.training import frozen_features, journal, loop, model_folder

MODEL, PROBE = "model", "probe"
_FEATURES = "features"  # of one frozen encoder that all trials share


@dataclasses.dataclass(frozen=True)
class Setup:
    """What all trials of a search share.

    Attributes:
        work_dir: Folder of the search.
        base: The settings that are not searched; its epochs are the most that a trial gets.
        space: The settings that are.
        objective: Column of metrics.csv, of the probe's where there is a probe.
        data: The data set.
        protocol: Protocol of the split.
        init_from: Model folder whose encoder is taken, or "".
        freeze_encoder: Whether that encoder stays as it is.
        probe: Task that is trained on the frozen encoder, or None.
        probe_epochs: Its epochs.
    """

    work_dir: str
    base: run_config.RunConfig
    space: space.Space
    objective: str
    data: records.DataFolder
    protocol: str
    init_from: str = ""
    freeze_encoder: bool = False
    probe: Any = None  # a task.Task
    probe_epochs: int = 1

    def request(self, settings: run_config.RunConfig, model_dir: str) -> loop.Request:
        """Returns what the loop shall train."""
        return loop.Request(
            task=settings.task,
            model_config=settings.model_config,
            train_config=settings.train_config,
            data=self.data,
            protocol=self.protocol,
            model_dir=model_dir,
            init_from=self.init_from,
            freeze_encoder=self.freeze_encoder,
            feature_cache=os.path.join(self.work_dir, _FEATURES),
        )

    def probe_request(self, settings: run_config.RunConfig, folder: str) -> loop.Request:
        """Returns what the loop shall train on the encoder of a trial in `folder`.

        Every trial is probed with the same settings, those that are not searched.
        """
        plain = dataclasses.replace(self.base.train_config, epochs=self.probe_epochs, augment=False)
        return loop.Request(
            task=self.probe,
            model_config=settings.model_config,
            train_config=plain,
            data=self.data,
            protocol=self.probe.protocol,
            model_dir=os.path.join(folder, PROBE),
            init_from=os.path.join(folder, MODEL),
            freeze_encoder=True,
        )


def run(setup: Setup, begun: outcome.Outcome, say: Callable[[str], None]) -> outcome.Outcome:
    """Runs a trial to its end and writes its file.

    Args:
        setup: What all trials share.
        begun: The trial.
        say: Takes warnings.

    Returns:
        The trial, done, or failed with its reason.

    Raises:
        OSError: If a file cannot be read or written: that is no fault of the trial's values.
    """
    start = time.monotonic()
    outcome.write(setup.work_dir, begun)
    try:
        value, epoch = _objective(setup, begun, say)
        ended = {"status": outcome.DONE, "objective": value, "best_epoch": epoch}
    except OSError:
        raise
    except Exception as error:  # out of memory, say: the search goes on with other values
        ended = {"status": outcome.FAILED, "reason": _reason(error)}
    seconds = round(time.monotonic() - start, 1)
    ended = dataclasses.replace(begun, seconds=seconds, **ended)
    outcome.write(setup.work_dir, ended)
    return ended


def _objective(setup: Setup, begun: outcome.Outcome, say) -> tuple[float, int]:
    """Trains, and probes; returns the objective and its epoch."""
    settings = settings_of(setup, begun)
    _forget(settings.train_config.seed)
    folder = outcome.folder(setup.work_dir, begun.trial)
    model_dir = os.path.join(folder, MODEL)
    if begun.continues:
        _copy(os.path.join(outcome.folder(setup.work_dir, begun.continues), MODEL), model_dir)
    request = setup.request(settings, model_dir)
    loop.train(request, say=_only_warnings(say))
    if not os.path.exists(os.path.join(model_dir, model_folder.WEIGHTS)):
        raise ValueError("the validation loss must be finite in some epoch, got none")
    if setup.probe:
        _forget(settings.train_config.seed)
        request = setup.probe_request(settings, folder)
        loop.train(request, say=_only_warnings(say))
        shutil.rmtree(os.path.join(request.model_dir, frozen_features.FOLDER), ignore_errors=True)
    keeps_last = request.train_config.schedule == config.COSINE
    return objective.best(journal.history(request.model_dir), setup.objective, keeps_last)


def settings_of(setup: Setup, found: outcome.Outcome) -> run_config.RunConfig:
    """Returns the settings of a trial."""
    settings = space.apply(setup.base, found.values)
    return space.apply(settings, {"train.epochs": found.epochs})


def _forget(seed: int) -> None:
    """Frees the last model, and lets no trial depend on the trials before it."""
    keras.backend.clear_session()
    gc.collect()
    keras.utils.set_random_seed(seed)


def _copy(source: str, target: str) -> None:
    """Copies a folder, whole or not at all; one that is there stays."""
    if not os.path.exists(target):
        partial = f"{target}.tmp"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(source, partial)
        os.replace(partial, target)


def _only_warnings(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(line) if line.startswith("warning") else None


def _reason(error: Exception) -> str:
    """The first line of an error; with its kind where it is none of the library's own."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
