"""Tests of export.aside."""

import os
import signal
import subprocess
import sys

import pytest

from export import aside
from spine_tf import lock

_EXPORT = """
import sys, time
from export import aside
with aside.folder(sys.argv[1]) as path:
    open(f"{path}/saved_model.pb", "w").close()
    print(path, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """An export of another process, in the middle of writing."""
    command = [sys.executable, "-c", _EXPORT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        yield process
        process.kill()


def test_a_folder_is_empty_and_goes_unless_renamed(tmp_path):
    with aside.folder(str(tmp_path / "new")) as path:
        assert os.listdir(path) == []
        assert os.path.basename(path) == f".tmp-{os.getpid()}"
    assert os.listdir(tmp_path / "new") == []
    with aside.folder(str(tmp_path)) as path:
        os.rename(path, tmp_path / "1")
    assert sorted(os.listdir(tmp_path)) == ["1", "new"]


def test_what_a_killed_export_left_goes_at_the_next(tmp_path, other):
    left = f".tmp-{other.pid}"
    with aside.folder(str(tmp_path)) as path:  # the other one is still at work
        assert sorted(os.listdir(tmp_path)) == sorted([left, os.path.basename(path)])
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert os.listdir(tmp_path) == [left]
    with aside.folder(str(tmp_path)) as path:
        assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_a_process_may_have_the_number_of_a_killed_one(tmp_path):
    left = tmp_path / f".tmp-{os.getpid()}"
    left.mkdir()
    (left / "saved_model.pb").write_text("half")
    with aside.folder(str(tmp_path)) as path:
        assert os.listdir(path) == []


def test_a_folder_that_another_export_clears_before_it_is_locked_is_made_again(
    tmp_path, monkeypatch
):
    held, cleared = lock.held, []

    def clearing(path, **how):
        if not cleared:
            cleared.append(path)
            os.rmdir(path)
        return held(path, **how)

    monkeypatch.setattr(lock, "held", clearing)
    with aside.folder(str(tmp_path)) as path:
        assert os.path.isdir(path)
        with pytest.raises(BlockingIOError), held(path, is_folder=True):
            pytest.fail("not locked")
    assert cleared
    assert os.listdir(tmp_path) == []


def test_a_folder_that_goes_before_it_is_cleared_leaves_no_file(tmp_path, monkeypatch):
    left, held = tmp_path / ".tmp-1", lock.held
    left.mkdir()

    def gone(path, **how):
        if left.is_dir():
            left.rmdir()
        return held(path, **how)

    monkeypatch.setattr(lock, "held", gone)
    with aside.folder(str(tmp_path)) as path:
        assert os.listdir(tmp_path) == [os.path.basename(path)]
