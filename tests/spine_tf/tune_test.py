"""The script, called for real; and as processes that are killed, or share a search."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from spine_tf import cli, config, run_config, tune
from spine_tf.search import outcome
from tests.spine_tf import tiny_runs

TASK = ["--task=grading", '--task_options={"gradings": ["disc_bulging"]}', "--preset=tiny"]
SHORT = ["--epochs=1", "--batch_size=4", "--steps_per_epoch=1"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_runs.make_data(tmp_path_factory.mktemp("tune") / "set")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: None)
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)


def _space(folder, content):
    path = folder / "space.json"
    path.write_text(json.dumps(content))
    return f"--space={path}"


def _call(data_dir, tmp_path, *more):
    given = [f"--data_dir={data_dir}", f"--work_dir={tmp_path / 'w'}", *TASK, *SHORT, *more]
    return cli.call(tune.define_flags, tune.main, given)


def test_a_search_with_a_trial_that_fails(data_dir, tmp_path, capsys):
    space = _space(tmp_path, {"train.learning_rate": [0.01, 1e38]})
    assert _call(data_dir, tmp_path, space, "--max_trials=2", "--steps_per_epoch=0") == 3
    printed = capsys.readouterr().out
    assert "trial 2 of 2 (1 epochs): train.learning_rate" in printed
    assert "failed: trial " in printed and "/w/best.json" in printed
    assert run_config.read(str(tmp_path / "w" / "best.json")).train_config.learning_rate == 0.01
    assert "Reloading" not in printed and "Complete" not in printed


def test_all_trials_fail(data_dir, tmp_path, capsys):
    space = _space(tmp_path, {"train.learning_rate": [1e38]})
    assert _call(data_dir, tmp_path, space, "--max_trials=1", "--steps_per_epoch=0") == 1
    assert "error: all 1 trials failed, the first: " in capsys.readouterr().err


def test_a_dry_run_writes_nothing(data_dir, tmp_path, capsys):
    assert _call(data_dir, tmp_path, "--dry_run", "--tuner=bayesian") == 0
    printed = capsys.readouterr().out
    assert "objective: val_balanced_accuracy\ntuner: bayesian, at most 20 trials of" in printed
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        (["--task=puzzle"], 2, "--task=puzzle: value should be one of"),
        (["--tuner=best"], 2, "--tuner=best"),
        (["--max_trials=-1"], 2, "`max_trials` must be at least 0, got -1."),
        (["--objective=val_loss"], 1, "`objective` must not be a loss, got 'val_loss'"),
        (["--space=missing.json"], 1, "missing.json: there is no such file"),
        (["--optimizer=best"], 1, "`optimizer` must be sgd, adam, adamw"),
    ],
)
def test_what_cannot_be(data_dir, tmp_path, capsys, arguments, status, message):
    assert _call(data_dir, tmp_path, *arguments) == status
    printed = capsys.readouterr().err
    assert message in printed and len(printed.splitlines()) == 1
    assert not (tmp_path / "w").exists()


def test_help_does_not_import_tensorflow():
    code = (
        "import sys; from spine_tf import cli, tune;"
        "cli.call(tune.define_flags, tune.main, ['--help']);"
        "sys.exit('tensorflow' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "--hyperband_factor" in found.stdout


def test_an_optimizer_of_addons(data_dir, tmp_path, capsys):
    """It trains on the addons stack; elsewhere the space is refused, with what to install."""
    space = _space(tmp_path, {"train.optimizer": ["addons:LAMB"]})
    status = _call(data_dir, tmp_path, space, "--max_trials=1")
    if tf.__version__.startswith("2.15."):
        assert status == 0
        best = run_config.read(str(tmp_path / "w" / "best.json"))
        assert best.train_config.optimizer == "addons:LAMB"
    else:
        assert status == 1
        assert "pip install 'spine-tf[addons]'" in capsys.readouterr().err


# === As processes ===

RATES = {"train.learning_rate": {"log": [1e-4, 1e-2]}, "model.width": [0.015625]}


def _start(data_dir, tmp_path, *more, **environment):
    space = _space(tmp_path, RATES)
    command = [sys.executable, "-m", "spine_tf.tune", *TASK, *SHORT, space, *more]
    command += [f"--data_dir={data_dir}", f"--work_dir={tmp_path / 'w'}", "--noaugment"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )


def _end(process, seconds=600):
    printed, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, printed
    return printed


def _trials(work_dir):
    """What does not depend on the clock."""
    return [(one.trial, one.values, one.objective) for one in outcome.read_all(str(work_dir))]


@pytest.mark.slow
def test_a_search_that_is_killed_goes_on(data_dir, tmp_path):
    """SIGKILL at any moment from the first trial on: nothing is lost, nothing is run twice."""
    more = ["--tuner=hyperband", "--epochs=4", "--hyperband_factor=2", "--max_trials=7"]
    (tmp_path / "whole").mkdir()
    _end(_start(data_dir, tmp_path / "whole", *more))
    work_dir = tmp_path / "w"
    for number in range(1, 4):
        process = _start(data_dir, tmp_path, *more)
        while len(outcome.read_all(str(work_dir))) < 2 * number and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.3 * number)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    printed = _end(_start(data_dir, tmp_path, *more))
    assert "best: trial" in printed
    assert _trials(work_dir) == _trials(tmp_path / "whole" / "w")
    assert len(_trials(work_dir)) == 7


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_a_chief_and_two_workers(data_dir, tmp_path, tuner):
    """Three processes over localhost; one worker comes late."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    shared = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(port)}
    more = [f"--tuner={tuner}", "--epochs=2", "--hyperband_factor=2", "--max_trials=6"]
    started = [
        _start(data_dir, tmp_path, *more, KERASTUNER_TUNER_ID=name, **shared)
        for name in ("tuner0", "tuner1", "chief")
    ]
    printed = [_end(process) for process in started]
    found = outcome.read_all(str(tmp_path / "w"))
    assert [one.status for one in found] == ["done"] * len(found) and len(found) >= 5
    assert {one.worker for one in found} == {"tuner0", "tuner1"}
    assert "chief: waits for workers" in printed[2] and "best: trial" in printed[2]
    content = json.loads((tmp_path / "w" / "results.json").read_text())
    assert content["finished"] and len(content["trials"]) == len(found)
    late = _start(data_dir, tmp_path, *more, KERASTUNER_TUNER_ID="tuner2", **shared)
    assert "best: trial" in _end(late, 120)
