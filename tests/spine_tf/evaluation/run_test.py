import csv
import json
import os
import shutil

import pytest

from spine_tf import files, tasks
from spine_tf.evaluation import options, run
from spine_tf.training import pretext_mark
from tests.spine_tf import tiny_runs

OPTIONS = options.Options(num_draws=20)


def _read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


# The parts of the detector are tested together, see `evaluation.detection`.
NOT_HERE = {"detection"}


def test_every_task_has_an_evaluation():
    assert set(run.EVALUATIONS) == set(run.LINES) == set(tasks.TASKS) - NOT_HERE


@pytest.fixture(scope="module")
def image_data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("images") / "set")


def _trained(image_data_dir, path, task, **changes):
    """A model folder after two steps of training."""
    return tiny_runs.train(image_data_dir, path, task, seed=0, **changes).path


@pytest.mark.parametrize(
    ("task", "written"),
    [
        ("context_restoration", {"images.csv"}),
        ("jigsaw", {"answers.csv"}),
        ("segmentation", {"cases.csv", "contours.png"}),
        ("classification", {"predictions.csv", "confusion.png"}),
    ],
)
def test_tasks_on_images(image_data_dir, tmp_path, task, written, request):
    if task != "context_restoration":  # whose swaps are a loop
        request.getfixturevalue("untraced")
    model_dir = _trained(image_data_dir, tmp_path / "model", task)
    contents = []
    for size in (3, 8):
        chosen = options.Options(num_draws=20, batch_size=size)
        content = run.evaluate(model_dir, image_data_dir, str(tmp_path / f"by{size}"), chosen)
        assert content["task"] == task and run.lines(content)
        contents.append(content["results"])
    assert set(os.listdir(tmp_path / "by3")) == written | {"evaluation.json"}
    if task == "jigsaw":  # answers, which do not hang on the last digits
        assert contents[0] == contents[1]
        assert contents[0]["pretext_learned"] in (True, False)


def test_the_mark_of_the_start_is_told(data_dir, grading_dir, tmp_path):
    model_dir = str(tmp_path / "model")
    shutil.copytree(grading_dir, model_dir)
    start = {"task": "jigsaw", "weights_sha256": "", "pretext_learned": False}
    path = os.path.join(model_dir, pretext_mark.START)
    files.write_json(path, {"format": pretext_mark.FORMAT} | start)
    content = run.evaluate(model_dir, data_dir, str(tmp_path / "out"), OPTIONS)
    assert content["starts"] == [start]
    assert run.lines(content)[-1] == "started from jigsaw: pretext not learned"


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
