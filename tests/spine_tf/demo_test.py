"""Tests of spine_tf.demo. The whole demo is run by .ci/run."""

import json
import subprocess
import types

import pytest

from spine_tf import cli, commands, demo


@pytest.fixture
def statuses(monkeypatch):
    """Command -> exit status of a faked process; the commands that ran are under "ran"."""
    found = {"ran": []}

    def fake(command, check):
        name = next(name for name, (module, _) in commands.COMMANDS.items() if module == command[2])
        found["ran"].append(name)
        return types.SimpleNamespace(returncode=found.get(name, 0))

    monkeypatch.setattr(subprocess, "run", fake)
    return found


def test_steps_are_public_commands_from_cohort_to_report(tmp_path):
    steps = demo.phantom_steps(str(tmp_path), demo.SIZES["smallest"])
    assert [step.command for step in steps] == [
        "make-phantom",
        "convert-dicom",
        "train",
        "evaluate",
        "train",
        "evaluate",
        "calibrate",
        "export",
        "score",
        "grade",
    ]
    assert str(steps[1]).startswith(f"spine-tf convert-dicom --input_dir={tmp_path}/cohort")


def test_done_steps_are_left_out_and_a_rejection_is_remembered(tmp_path, statuses):
    steps = demo.spider_steps("spider", str(tmp_path), demo.SIZES["smallest"])
    statuses |= {"convert-spider": cli.EXIT_REJECTED, "evaluate": cli.EXIT_FAILED}
    assert demo.run(steps, str(tmp_path)) == cli.EXIT_FAILED
    assert statuses["ran"] == ["convert-spider", "train", "evaluate"]
    statuses |= {"ran": [], "evaluate": 0}
    assert demo.run(steps, str(tmp_path)) == cli.EXIT_REJECTED
    assert statuses["ran"] == ["evaluate", "calibrate", "export", "score"]


def test_a_folder_of_another_demo_is_refused(tmp_path, statuses):
    small, smallest = (demo.phantom_steps(str(tmp_path), s) for s in demo.SIZES.values())
    demo.run(small, str(tmp_path))
    with pytest.raises(ValueError, match="new or of the same demo"):
        demo.run(smallest, str(tmp_path))


def test_a_folder_goes_on_with_another_number_of_cores(tmp_path, statuses, monkeypatch):
    for number in (2, 8):
        monkeypatch.setattr(demo.os, "cpu_count", lambda number=number: number)
        steps = demo.phantom_steps(str(tmp_path), demo.SIZES["smallest"])
        assert f"--num_processes={number}" in steps[0].arguments
        assert demo.run(steps, str(tmp_path)) == 0
    assert len(statuses["ran"]) == len(steps)


def test_summary_tells_what_was_left_out_and_why(tmp_path):
    (tmp_path / "grading").mkdir()
    accuracy = {"value": 0.5, "low": 0.25, "high": 0.75}
    found = {
        "model": {"balanced_accuracy": accuracy},
        "ordinal_ridge": {"reason": "too few discs"},
    }
    content = {"results": {"gradings": {"pfirrmann": found}}}
    (tmp_path / "grading" / "evaluation.json").write_text(json.dumps(content))
    text = demo.summary(str(tmp_path))
    assert "needs follow-up scans" in text
    assert "0.500 (95% interval 0.250 to 0.750)" in text
    assert str(tmp_path / "grading") in text
