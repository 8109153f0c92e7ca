"""A conversion that is killed 20 times, at random moments and at chosen ones, and started again."""

import collections
import hashlib
import json
import subprocess
import sys
import time

import numpy as np
import pytest

from data_prep import make_phantom_lib
from spine_tf.phantom import cohort

pytestmark = pytest.mark.slow

_LOG = "conversion.log"
# Kills its own process at a rename or a removal: when, of which file, then the command's arguments.
_KILLED = """
import os, runpy, signal, sys
when, name = sys.argv[1:3]
del sys.argv[1:3]
def killing(call, at):
    def wrapped(*paths, **options):
        if not os.path.basename(paths[-1]).startswith(name):
            return call(*paths, **options)
        if at == "after":
            call(*paths, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return wrapped
if when == "unlink":
    os.unlink = killing(os.unlink, "before")
else:
    os.replace = killing(os.replace, when)
runpy.run_module("data_prep.convert_dicom", run_name="__main__", alter_sys=True)
"""
_MOMENTS = [
    ("before", "splits.json"),
    ("after", "splits.json"),
    ("before", "index-disc"),
    ("after", "rejects.jsonl"),
    ("before", "manifest.json"),
    ("after", "manifest.json"),
    ("unlink", "main.lock"),
]
_RANDOM_MOMENTS = 20 - len(_MOMENTS)


class Command:
    """One command line, its output folder, and what came of it."""

    def __init__(self, inputs, output, num_processes):
        self.output = output
        self.arguments = [
            f"--input_dir={inputs / 'dicom'}",
            f"--output_dir={output}",
            f"--key_file={inputs / 'key'}",
            "--crop_scale=0.5",
            "--num_shards=2",
            f"--num_processes={num_processes}",
        ]

    def start(self, *moment):
        """Starts it; with a moment it kills itself there."""
        how = ["-c", _KILLED, *moment] if moment else ["-m", "data_prep.convert_dicom"]
        return subprocess.Popen(
            [sys.executable, *how, *self.arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_it_writes(self, process):
        """Waits for the lock, or the end."""
        while process.poll() is None and not (self.output / "parts" / "main.lock").exists():
            time.sleep(0.01)

    def run(self):
        """Runs it to its end; returns how long it wrote."""
        process = self.start()
        self.wait_until_it_writes(process)
        begun = time.monotonic()
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return time.monotonic() - begun

    def kill(self, seconds):
        """Starts it and kills it so long after it has begun to write."""
        process = self.start()
        self.wait_until_it_writes(process)
        time.sleep(seconds)
        process.kill()
        process.communicate()

    def kill_at(self, moment):
        """Starts it, to be killed at a rename or a removal."""
        process = self.start(*moment)
        _, errors = process.communicate()
        assert process.returncode == -9, (moment, errors)

    @property
    def is_whole(self):
        return (self.output / "manifest.json").exists() and not (self.output / "parts").exists()

    def committed(self):
        """Scans whose parts are whole."""
        found = set()
        for path in (self.output / "parts").glob("*.json"):
            json.loads(path.read_text())  # never half a note
            found.add(path.stem)
        return found

    def log(self):
        path = self.output / "local" / _LOG
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(line.split()) for line in lines]

    def content(self):
        """Path -> hash of every file but the log."""
        return {
            path.relative_to(self.output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.output.rglob("*"))
            if path.is_file() and path.name != _LOG
        }


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Phantom studies and a key."""
    folder = tmp_path_factory.mktemp("studies")
    config = cohort.CohortConfig(num_subjects=6, seed=1, matrices=(128,))
    make_phantom_lib.write_cohort(config, str(folder / "dicom"))
    (folder / "key").write_text("ab" * 32 + "\n")
    return folder


@pytest.fixture(scope="module")
def uninterrupted(studies):
    """Content and seconds of a run that nobody killed, with one process."""
    command = Command(studies, studies / "whole", 1)
    seconds = command.run()
    return command.content(), seconds


def begun_after_commit(command, committed, log_length):
    """Scans that were begun although their part was whole."""
    begun = {scan for scan, event in command.log()[log_length:] if event == "begun"}
    return begun & committed


@pytest.mark.parametrize("num_processes", [1, 2])
def test_killed_and_started_again(studies, uninterrupted, tmp_path, num_processes):
    expected, seconds = uninterrupted
    random = np.random.default_rng([3, num_processes])
    kills = [random.uniform(0, seconds) for _ in range(_RANDOM_MOMENTS)] + _MOMENTS
    folders, command, committed, log_length = 0, None, set(), 0
    kept = collections.Counter()
    for moment in kills:
        if command is None or command.is_whole:
            if command:
                assert command.content() == expected
            command = Command(studies, tmp_path / f"{folders}", num_processes)
            folders, committed, log_length = folders + 1, set(), 0
        if isinstance(moment, tuple):
            command.kill_at(moment)
        else:
            command.kill(moment)
        assert not begun_after_commit(command, committed, log_length)
        kept.update(event for _, event in command.log()[log_length:])
        committed, log_length = command.committed(), len(command.log())
    if not command.is_whole:
        command.run()
    assert not begun_after_commit(command, committed, log_length)
    assert command.content() == expected
    assert kept["kept"] > 0 and kept["begun"] > 0
