"""Searches for tests."""

import os

from spine_tf import config, run_config
from spine_tf.data import records
from spine_tf.search import options, run, space, trial
from spine_tf.training import journal, model_folder
from tests.spine_tf import tiny_runs

COLUMN = "val_disc_bulging/balanced_accuracy"
RATES = {"train.learning_rate": {"log": [1e-4, 1e-1]}}


def make_base(name="grading", **train):
    """Settings for the tiny data set."""
    settings = {"epochs": 1, "batch_size": 4, "steps_per_epoch": 2, "augment": False} | train
    return run_config.RunConfig(
        tiny_runs.make_task(name), tiny_runs.MODEL, config.TrainConfig(**settings)
    )


def make_setup(data_dir, work_dir, content=RATES, base=None, **changes):
    """A search of grading over the learning rate."""
    base = base or make_base()
    fields = {
        "work_dir": str(work_dir),
        "base": base,
        "space": space.parse(content, base),
        "objective": COLUMN,
        "data": records.open_folder(str(data_dir)),
        "protocol": base.task.protocol,
    }
    return trial.Setup(**fields | changes)


def search(setup, **chosen):
    """Runs a search; returns its trials and what was said."""
    said = []
    return run.search(setup, options.Options(**{"max_trials": 3} | chosen), said.append), said


def pretend(asked):
    """Stands for `loop.train`: the accuracy is the rate, and a tenth of it more per epoch."""

    def train(request, say):
        settings = request.train_config
        before = len(journal.read(request.model_dir))
        asked.append((request, before))
        os.makedirs(request.model_dir, exist_ok=True)
        if settings.learning_rate > 1:
            raise ValueError("the loss must be finite, got nan.")
        for epoch in range(before, settings.epochs):
            value = settings.learning_rate * (1 + epoch / 10)
            journal.write(request.model_dir, epoch, {"val_loss": 1.0, COLUMN: value})
        open(os.path.join(request.model_dir, model_folder.WEIGHTS), "wb").close()

    return train
