"""The smallest data set and runs that training can do, for tests of the loop and of tasks."""

from spine_tf import config, tasks
from spine_tf.data import records
from spine_tf.training import loop
from tests.spine_tf import small_data

MODEL = config.ModelConfig(crop_scale=0.5, width=1 / 64, fc6=16, fc7=8, conv4_padding=1)
PLAIN = config.ModelConfig(
    crop_scale=0.5, width=1 / 64, fc6=16, fc7=8, conv4_padding=1, norm="none"
)
UNET = config.ModelConfig(crop_scale=0.5, width=1 / 32, network=config.UNET)
SONONET = config.ModelConfig(crop_scale=0.5, width=1 / 32, network=config.SONONET)
SONONET_6 = config.ModelConfig(crop_scale=0.5, width=1 / 32, network=config.SONONET_6)
# Task -> network, where it is not MODEL.
MODELS = {"segmentation": UNET, "classification": SONONET, "localisation": SONONET_6}
MODELS |= {"detection": UNET}
# Fields of a task with which it runs on `make_data`.
OPTIONS = {
    "grading": {"gradings": ["disc_bulging"]},
    "longitudinal": {"margin": 1.0, "margin_unit": "distance"},
    "strong": {"gradings": ["disc_bulging"]},
    "context_restoration": {},
    "autoencoder": {},
    "relative_positions": {},
    "jigsaw": {"num_permutations": 10},
    "context_prediction": {},
    "segmentation": {"patch_size": 32, "labels": (1, 2), "image_shape": (1, 32, 32, 1)},
    "classification": {"classes": ("a", "b"), "image_shape": (1, 64, 64, 1)},
    "localisation": {"organs": ("x", "y"), "labels": (1, 2), "image_shape": (1, 64, 64, 1)},
    "detection": {"rows": 32, "columns": 32},
}


def make_data(folder, num_visits=(2,) * 6 + (1,) * 4, **options):
    """Writes a data set of one vertebra, one disc and one slice per visit; returns its path."""
    return small_data.make(
        folder, num_visits, vertebra_names=("L4",), disc_names=("L4-L5",), slices=True, **options
    )


def make_task(name):
    """The task of that name, ready for the data set."""
    return tasks.TASKS[name](**OPTIONS[name])


def model_of(name):
    """The network of the task of that name."""
    return MODELS.get(name, MODEL)


def make_request(data_dir, model_dir, name="grading", *, model=None, task=None, **changes):
    """Asks for a run of one epoch of two steps; `changes` are fields of request or settings."""
    made = task or make_task(name)
    train = {"epochs": 1, "batch_size": 4, "steps_per_epoch": 2, "augment": False}
    train |= {"reestimate_batches": 2}
    fields = {"init_from", "freeze_encoder", "feature_cache", "protocol"}
    train |= {key: value for key, value in changes.items() if key not in fields}
    request = {key: value for key, value in changes.items() if key in fields}
    return loop.Request(
        task=made,
        model_config=model or model_of(name),
        train_config=config.TrainConfig(**train),
        data=records.open_folder(str(data_dir)),
        model_dir=str(model_dir),
        **{"protocol": made.protocol} | request,
    )


def train(*arguments, **changes):
    """Runs what `make_request` asks for, silently; returns the model folder."""
    return loop.train(make_request(*arguments, **changes), say=lambda line: None)


def stop_at(monkeypatch, number):
    """Lets a run fail when it takes its batch of that number, from 1 on."""
    split, count = loop.strategies.split, iter(range(1, 1_000_000))

    def stopping(strategy, batch):
        if next(count) == number:
            raise KeyboardInterrupt
        return split(strategy, batch)

    monkeypatch.setattr(loop.strategies, "split", stopping)
