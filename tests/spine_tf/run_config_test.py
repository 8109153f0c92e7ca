"""Settings of a run as a file."""

import json

import pytest

from spine_tf import config, run_config, tasks

RUN = run_config.RunConfig(
    tasks.make("longitudinal", '{"margin": 3.0, "header_facts": ["sex"]}'),
    config.ModelConfig(width=0.5),
    config.TrainConfig(learning_rate=0.01, optimizer="adam", augment=False),
)


@pytest.fixture(name="path")
def _path(tmp_path):
    return str(tmp_path / "config.json")


def test_read_is_what_was_written(path):
    run_config.write(path, RUN)
    assert run_config.read(path) == RUN
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    assert content["task_options"] == {"margin": 3.0, "header_facts": ["sex"]}


def test_what_is_left_out_keeps_its_default(path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"format": run_config.FORMAT, "task": "grading"}, file)
    made = run_config.RunConfig(tasks.make("grading"), config.ModelConfig(), config.TrainConfig())
    assert run_config.read(path) == made


def test_values_of_flags():
    values = RUN.flag_values()
    assert values["task"] == "longitudinal" and values["optimizer"] == "adam"
    assert json.loads(values["task_options"]) == {"margin": 3.0, "header_facts": ["sex"]}
    assert "width" not in values


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format": "spine_tf model/1"}, "`format` must be 'spine_tf config/1'"),
        ({"task": "puzzle"}, "`task` must be one of"),
        ({"preset": "tiny"}, "must hold task and may hold model_config, task_options, train_con"),
        ({"task_options": {"size": 1}}, "`task_options` must be"),
        ({"train_config": {"rate": 1}}, "`train_config` must be a JSON object with keys among"),
        ({"train_config": {"epochs": 0}}, "`epochs` must be at least 1, got 0."),
        ({"model_config": {"width": "wide"}}, "`width` must be a finite number, got 'wide'."),
    ],
)
def test_what_cannot_be(path, change, message):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"format": run_config.FORMAT, "task": "grading"} | change, file)
    with pytest.raises(ValueError, match=message) as raised:
        run_config.read(path)
    assert path in str(raised.value)
