"""Model folders with first weights, for tests of what comes after training."""

import os

from spine_tf import config, tasks
from spine_tf.data import records
from spine_tf.training import model_folder

MODEL = config.ModelConfig(crop_scale=0.5, width=1 / 32, fc6=16, fc7=8, conv4_padding=1)


def save(path, data_dir, task_name, protocol=None, model=MODEL, **task_options):
    """Writes a model folder that claims to be trained on a data set; returns its path."""
    data = records.open_folder(data_dir)
    task = tasks.TASKS[task_name](**task_options)
    protocol = protocol or task.protocol
    index = data.index(task.record_kind, protocol, "train")
    task = task.configure(index)
    folder = model_folder.ModelFolder(
        path=str(path),
        task=task,
        model_config=model,
        train_config=config.TrainConfig(),
        statistics=records.statistics(index, task.class_counts(index)),
        protocol=protocol,
        data=model_folder.describe_data(data),
        versions=model_folder.library_versions(),
        request={},
    )
    model_folder.save_config(folder)
    folder.build().save_weights(os.path.join(folder.path, model_folder.WEIGHTS))
    return folder.path


def save_folds(path, data_dir, task_name, num_folds, **task_options):
    """Writes fold0, fold1, ... below a folder; returns its path."""
    for fold in range(num_folds):
        save(os.path.join(path, f"fold{fold}"), data_dir, task_name, f"fold{fold}", **task_options)
    return str(path)
