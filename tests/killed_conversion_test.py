"""A conversion that is killed 20 times, at random moments and at chosen ones, and started again."""

import collections
import hashlib
import json

import numpy as np
import pytest

from data_prep import make_phantom_lib
from spine_tf.phantom import cohort
from tests import killed_command

pytestmark = pytest.mark.slow

_LOG = "conversion.log"
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


class Conversion(killed_command.Command):
    """A conversion, its output folder, and what came of it."""

    def __init__(self, inputs, output, num_processes):
        self.output = output
        arguments = [
            f"--input_dir={inputs / 'dicom'}",
            f"--output_dir={output}",
            f"--key_file={inputs / 'key'}",
            "--crop_scale=0.5",
            "--num_shards=2",
            f"--num_processes={num_processes}",
        ]
        super().__init__("data_prep.convert_dicom", output / "parts" / "main.lock", arguments)

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
    command = Conversion(studies, studies / "whole", 1)
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
            command = Conversion(studies, tmp_path / f"{folders}", num_processes)
            folders, committed, log_length = folders + 1, set(), 0
        if isinstance(moment, tuple):
            command.kill_at(*moment)
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
