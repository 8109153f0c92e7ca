"""The script, called for real."""

import json
import os
import re
import subprocess
import sys

import pytest
import tensorflow as tf

from spine_tf import cli, config, run_config, train
from spine_tf.training import journal, model_folder
from tests import make_model_folders
from tests.spine_tf import tiny_runs


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("train") / "set", num_folds=2)


@pytest.fixture(name="asked", autouse=True)
def _asked(monkeypatch):
    """Determinism is asked for, but not switched on for all tests that follow."""
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)
    return asked


def _call(data_dir, model_dir, *more):
    arguments = [f"--data_dir={data_dir}", f"--model_dir={model_dir}", "--preset=tiny", *more]
    arguments += ["--epochs=1", "--batch_size=4", "--steps_per_epoch=1"]
    return cli.call(train.define_flags, train.main, arguments)


def test_a_dry_run_says_what_would_be_trained(data_dir, tmp_path, capsys):
    model_dir = tmp_path / "model"
    assert _call(data_dir, model_dir, "--task=grading", "--fold=all", "--dry_run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *(f"{model_dir / n}" for n in ("fold0", "fold1")),
        "Nothing was written.",
    ]
    assert lines[0].endswith("at most 1 epochs of 1 steps of 4.") and "protocol fold0" in lines[0]
    assert not os.listdir(tmp_path)


def test_a_dry_run_builds_the_model(data_dir, tmp_path, capsys):
    source = make_model_folders.FOLDER / "current" / "longitudinal"
    arguments = ("--task=grading", "--preset=small", f"--init_from={source}", "--dry_run")
    assert _call(data_dir, tmp_path / "model", *arguments) == 1
    said = capsys.readouterr().err
    assert "`init_from` must be a model folder of the same preset" in said
    assert re.search(r"longitudinal, which is vgg-m of width [\d.]+: `source` must have", said)
    assert re.search(r"differs in encoder/conv1\S*, encoder/conv\S* and \d+ more layers", said)


def test_trains_on_an_encoder_that_is_there(data_dir, tmp_path, asked, capsys):
    source = make_model_folders.FOLDER / "current" / "longitudinal"
    options = '--task_options={"gradings": ["disc_bulging"]}'
    more = [f"--init_from={source}", "--freeze_encoder", options, "--fold=1"]
    assert _call(data_dir, tmp_path, "--task=grading", *more) == 0
    printed = capsys.readouterr().out
    assert "epoch 1/1: loss" in printed and f"model: {tmp_path}" in printed
    assert printed.splitlines()[-1].startswith(f"next: spine-tf evaluate --model_dir={tmp_path} ")
    assert asked == [True]

    others = [*more, "--learning_rate=0.5", "--dry_run"]
    assert _call(data_dir, tmp_path, "--task=grading", *others) == 1
    assert "differs in train_config.learning_rate" in capsys.readouterr().err

    folder = model_folder.load(str(tmp_path))
    assert folder.task.gradings == ("disc_bulging",) and folder.protocol == "fold1"
    assert folder.train_config.steps_per_epoch == 1
    assert [row["epoch"] for row in journal.read(str(tmp_path))] == ["0"]
    folders = (folder, model_folder.load(str(source)))
    encoders = [model_folder.find_encoder(f.load_model()).get_weights() for f in folders]
    assert all((a == b).all() for a, b in zip(*encoders, strict=True))


def test_a_file_of_settings_and_flags_that_win_over_it(data_dir, tmp_path, capsys):
    wanted = run_config.RunConfig(
        tiny_runs.make_task("grading"),
        tiny_runs.PLAIN,
        config.TrainConfig(learning_rate=0.25, clip_norm=1.0, epochs=7),
    )
    run_config.write(str(tmp_path / "best.json"), wanted)
    arguments = [f"--data_dir={data_dir}", f"--model_dir={tmp_path / 'm'}", "--json_lines"]
    arguments += [f"--config={tmp_path / 'best.json'}", "--epochs=1", "--batch_size=4"]
    assert cli.call(train.define_flags, train.main, arguments) == 0
    folder = model_folder.load(str(tmp_path / "m"))
    assert folder.task.gradings == ("disc_bulging",) and folder.model_config == tiny_runs.PLAIN
    settings = folder.train_config
    assert (settings.learning_rate, settings.clip_norm, settings.epochs) == (0.25, 1.0, 1)
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert json.loads(line)["epoch"] == 0 and json.loads(line)["learning_rate"] == 0.25
    assert "epoch 1/1: loss" in printed.err
    assert (tmp_path / "m" / "logs" / "projector" / "metadata.tsv").exists()


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--task=grade"], 2, "Did you mean --task=grading?"),
        (["--task=grading", "--task_options={"], 2, "`task_options` must be JSON"),
        (["--task=grading", "--fold=7"], 1, "`fold` must be all or one of 0, 1, got '7'."),
        (
            ["--task=grading", "--protocol=x"],
            1,
            "`protocol` must be one of fold0, fold1, grading, ",
        ),
        (["--task=grading", "--protocol=x", "--fold=1"], 2, "--fold and --protocol cannot both"),
        (["--task=longitudinal", "--batch_size=3"], 1, "a multiple of 4 crops, got 3."),
        (["--task=grading", "--init_from=nowhere"], 1, "nowhere: there is no such file or folder."),
        (["--task=grading", "--learning_rate=0"], 2, "`learning_rate` must be positive"),
        (["--task=grading", "--optimizer=best"], 1, "`optimizer` must be sgd, adam, adamw"),
        (["--task=grading", "--preset=huge"], 2, "--preset=huge"),
        ([], 2, "--task or --config must be given."),
        (["--config=nowhere"], 1, "nowhere: there is no such file or folder."),
    ],
)
def test_what_cannot_be(data_dir, tmp_path, capsys, arguments, status, message):
    given = [f"--data_dir={data_dir}", f"--model_dir={tmp_path / 'm'}"]
    defaults = [] if any("preset" in a for a in arguments) else ["--preset=tiny"]
    found = cli.call(train.define_flags, train.main, [*given, *defaults, *arguments])
    printed = capsys.readouterr().err
    assert (found, message in printed) == (status, True), printed
    assert len(printed.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_what_is_no_data_set(tmp_path, capsys):
    assert _call(tmp_path, tmp_path / "m", "--task=grading") == 1
    assert "is not a data set, it has no manifest.json" in capsys.readouterr().err


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; from spine_tf import cli, train;"
        "cli.call(train.define_flags, train.main, ['--help']);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "--freeze_encoder" in found.stdout
