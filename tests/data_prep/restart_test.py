import os
import stat
import subprocess
import sys
import textwrap

import pytest

from data_prep import restart


def run(code, *arguments):
    """Starts a process that runs `code` with this package."""
    code = "import os, sys, time\nfrom data_prep import restart\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


HOLD = """
with restart.claimed(sys.argv[1]) as run:
    print(run, os.getpid(), flush=True)
    time.sleep(60)
"""
FOLLOW = """
restart.follow(sys.argv[1], sys.argv[2], int(sys.argv[3]))
print("following", flush=True)
time.sleep(60)
"""


def test_a_folder_has_one_run_at_a_time(tmp_path, monkeypatch):
    parts = str(tmp_path / "data" / "parts")
    with run(HOLD, parts) as process:
        process.stdout.readline()
        monkeypatch.setattr(restart, "_POLL_SECS", 0.01)
        with pytest.raises(ValueError, match=f"in use, got {tmp_path}/data, which another"):
            with restart.claimed(parts):
                pass
        process.kill()
    with restart.claimed(parts) as first:
        pass
    with restart.claimed(parts) as second:
        assert first != second


def test_workers_end_with_their_main_process_and_the_next_run_waits_for_them(tmp_path):
    parts = str(tmp_path / "parts")
    with run(HOLD, parts) as main:
        name, pid = main.stdout.readline().split()
        with run(FOLLOW, parts, name, pid) as worker:
            assert worker.stdout.readline() == "following\n"
            assert worker.poll() is None
            main.kill()
            with restart.claimed(parts):
                assert worker.wait(1) == 1


def test_the_main_process_follows_nobody(tmp_path):
    with restart.claimed(str(tmp_path)) as name:
        restart.follow(str(tmp_path), name, os.getpid())
        assert not restart._held


def test_only_temporary_files_are_cleared(tmp_path):
    for name in ("a.json", "a.json.tmp-12", "b.tmp-x", "c.tmp-"):
        (tmp_path / name).write_text("")
    (tmp_path / "d.tmp-3").mkdir()
    restart.clear_temporaries([str(tmp_path), str(tmp_path / "absent")])
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.tmp-x", "c.tmp-", "d.tmp-3"]


def test_the_log_is_the_owners(tmp_path):
    restart.log(str(tmp_path / "local"), "abc", "begun")
    restart.log(str(tmp_path / "local"), "abc", "converted")
    path = tmp_path / "local" / "conversion.log"
    assert path.read_text() == "abc begun\nabc converted\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_process_without_a_parent_cannot_end_with_it():
    with pytest.raises(ValueError, match="`end_with_parent` must be called in a process of"):
        restart.end_with_parent()
