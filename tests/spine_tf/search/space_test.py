"""Search spaces as JSON, and what Keras Tuner draws from them."""

import json

import pytest

from spine_tf import config, run_config, tasks
from spine_tf.search import space
from tests.spine_tf.search import searches

CONTENT = {
    "train.learning_rate": {"log": [1e-5, 1e-2]},
    "train.batch_size": {"linear": [4, 64]},
    "train.optimizer": ["sgd", "adam"],
    "train.augment": [True, False],
    "train.augment_strength": {"linear": [0.5, 1]},
    "model.width": [1, 0.5],
    "task.margin": [1, 10.0],
}


@pytest.fixture(name="base")
def _base():
    return searches.make_base("longitudinal")


def test_every_kind_of_setting(base):
    made = space.parse(CONTENT, base)
    assert made.to_json() == CONTENT
    assert made.num_combinations() is None
    drawn = made.hyperparameters()
    assert [one.name for one in drawn.space] == list(CONTENT)
    # Keras Tuner gives 1 for a true among choices, and the lowest values by default.
    assert drawn.values["train.augment"] == 1 and drawn.values["train.batch_size"] == 4
    drawn = drawn.values | {"train.learning_rate": 0.000123456789, "train.augment_strength": 0.75}
    values = made.values(drawn)
    assert values["train.learning_rate"] == 0.0001235
    assert values["train.augment"] is True and values["train.augment_strength"] == 0.75
    found = space.apply(base, values | {"task.margin": 10.0, "train.optimizer": "adam"})
    assert found.task.margin == 10 and found.model_config.width == 1
    assert found.train_config.optimizer == "adam" and found.train_config.augment
    assert found.model_config.fc6 == base.model_config.fc6


def test_strength_counts_for_nothing_without_augmentation(base):
    made = space.parse(CONTENT, base)
    drawn = made.hyperparameters().values | {"train.augment": 0}
    assert "train.augment_strength" not in made.values(drawn)


def test_a_drawn_value_stays_in_its_range(base):
    made = space.parse({"train.learning_rate": {"log": [0.00012344, 1]}}, base).dimensions[0]
    assert made.value(0.00012344) == 0.00012344
    assert made.text() == "train.learning_rate: 0.00012344 to 1, log"


def test_combinations(base):
    assert space.parse({"train.augment": [True, False]}, base).num_combinations() == 2


@pytest.mark.parametrize("name", list(tasks.TASKS))
def test_every_task_has_a_space(name):
    settings = config.TrainConfig()
    base = run_config.RunConfig(tasks.TASKS[name](), config.preset("tiny"), settings)
    made = space.default(base)
    names = {one.name for one in made.dimensions}
    wanted = {"learning_rate", "optimizer", "augment", "augment_strength"}
    assert {f"train.{one}" for one in wanted} | {"model.width"} <= names
    assert ("task.margin" in names) == (name == "longitudinal")
    assert "model.width" not in space.default(base, has_encoder=True).to_json()


@pytest.mark.parametrize(
    "content, message",
    [
        ([], "the search space must be a JSON object of settings, got []."),  # no object
        ({"train.rate": [1.0]}, "must name settings among train.epochs, "),
        ({"learning_rate": [1.0]}, "got 'learning_rate'."),
        ({"task.header_facts": [["sex"]]}, "got 'task.header_facts'."),
        ({"train.learning_rate": 0.1}, 'must be a list of choices, {"linear": [lowest, highest]}'),
        ({"train.learning_rate": []}, "must be a list of choices"),
        ({"train.learning_rate": {"log": [0, 1]}}, "must be positive on a log scale, got [0, 1]."),
        ({"train.learning_rate": {"log": [1, 0.1]}}, "a lowest and a highest log value"),
        ({"train.learning_rate": {"linear": ["a", "b"]}}, "a lowest and a highest linear value"),
        ({"train.learning_rate": {"normal": [1, 2]}}, "must be a list of choices"),
        ({"train.learning_rate": ["fast"]}, "`learning_rate` must be a finite number, got 'fast'"),
        ({"train.learning_rate": [0.1, -1.0]}, "`learning_rate` must be positive, got -1.0."),
        ({"train.learning_rate": [1, 1.0]}, "must hold different values"),
        ({"train.batch_size": {"linear": [1, 2.5]}}, "`batch_size` must be a whole number"),
        ({"train.optimizer": ["best"]}, "`optimizer` must be sgd, adam, adamw"),
        ({"train.optimizer": {"log": [1, 2]}}, "must be a list of choices, got log of no number"),
        ({"train.augment": [0, 1]}, "`augment` must be true or false, got 0."),
        ({"model.width": [0.0]}, "`width` must be positive, got 0.0."),
        ({"task.mode": ["some"]}, "`mode` must be sampled or all, got 'some'."),
    ],
)
def test_what_cannot_be(base, content, message):
    with pytest.raises(ValueError) as raised:
        space.parse(content, base)
    assert message in str(raised.value)


def test_a_file(base, tmp_path):
    path = tmp_path / "space.json"
    path.write_text(json.dumps(CONTENT))
    assert space.read(str(path), base) == space.parse(CONTENT, base)
    path.write_text('{"train.rate": [1]}')
    with pytest.raises(ValueError, match=r"space.json: the search space must name settings"):
        space.read(str(path), base)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"space.json: "):
        space.read(str(path), base)
