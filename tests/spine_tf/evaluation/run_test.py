import csv
import json
import os

import pytest

from spine_tf import tasks
from spine_tf.evaluation import options, run
from tests import make_model_folders

OPTIONS = options.Options(num_draws=20)


def _read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


# Tasks on images: their measures are there, the command is not.
NOT_YET = {
    *("context_restoration", "autoencoder", "context_prediction"),
    *("relative_positions", "jigsaw", "segmentation"),
}


def test_every_other_task_has_an_evaluation():
    assert set(run.EVALUATIONS) == set(run.LINES) == set(tasks.TASKS) - NOT_YET


@pytest.mark.parametrize("task", ["jigsaw"])
def test_a_task_without_one_is_told_so(data_dir, tmp_path, task):
    model_dir = make_model_folders.FOLDER / make_model_folders.this_stack() / task
    with pytest.raises(ValueError, match="must hold a task among .* got .jigsaw."):
        run.evaluate(str(model_dir), data_dir, str(tmp_path), options.Options(other_data=True))


@pytest.mark.parametrize("task", ["longitudinal", "grading"])
def test_results_are_the_same_each_time(request, data_dir, tmp_path, task):
    model_dir = request.getfixturevalue(f"{task}_dir")
    for name in ("one", "two"):
        content = run.evaluate(model_dir, data_dir, str(tmp_path / name), OPTIONS)
        assert run.lines(content)
    names = sorted(os.listdir(tmp_path / "one"))
    assert names == sorted(os.listdir(tmp_path / "two"))
    assert "evaluation.json" in names
    for name in names:
        assert _read(tmp_path / "one", name) == _read(tmp_path / "two", name), name


def test_the_json_is_strict_and_has_no_path(data_dir, grading_dir, tmp_path):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    run.evaluate(grading_dir, data_dir, str(tmp_path / "out"), OPTIONS)
    text = _read(tmp_path / "out", "evaluation.json").decode()
    content = json.loads(text, parse_constant=refuse)
    assert content["format"] == "spine_tf evaluation/1"
    assert content["task"] == "grading"
    assert content["split"] == "test"
    assert content["protocols"] == ["grading"]
    assert content["bootstrap"] == {"over": "subject", "draws": 20, "seed": 0}
    assert str(tmp_path) not in text
    assert grading_dir not in text
    with open(tmp_path / "out" / "predictions.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) > 0
