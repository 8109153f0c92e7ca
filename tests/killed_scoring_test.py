"""Scoring that is killed at random moments and at chosen ones, and started again."""

import os

import numpy as np
import pytest

from data_prep import convert_dicom_lib, dataset_lib, make_phantom_lib, settings
from export import export_lib
from spine_tf.phantom import cohort
from tests import killed_command, tiny_export

pytestmark = pytest.mark.slow

_MOMENTS = [
    ("before", "000002-"),  # the part of the third piece
    ("after", "000002-"),
    ("before", "scores"),
    ("after", "scores"),
    ("unlink", "main.lock"),
]
_RANDOM_MOMENTS = 4


class Scoring(killed_command.Command):
    """A run of scoring and the table that it writes."""

    def __init__(self, inputs, folder, num_processes):
        self.output = folder / f"scores{inputs['ending']}"
        self.parts = folder / f"{self.output.name}.parts"
        arguments = [
            f"--model={inputs['model']}",
            f"--data_dir={inputs['data']}",
            f"--output={self.output}",
            "--batch_size=1",
            f"--num_processes={num_processes}",
        ]
        super().__init__("export.score", self.parts / "main.lock", arguments)

    def kept(self):
        """Name -> time of writing of the parts that are whole."""
        if not self.parts.exists():
            return {}
        return {path.name: path.stat().st_mtime_ns for path in self.parts.glob("*.jsonl")}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """An export and about 80 discs: three pieces of at most 32 batches."""
    folder = tmp_path_factory.mktemp("inputs")
    wanted = cohort.CohortConfig(num_subjects=6, seed=1, matrices=(128,))
    make_phantom_lib.write_cohort(wanted, str(folder / "dicom"))
    plan = convert_dicom_lib.plan(convert_dicom_lib.Inputs(str(folder / "dicom")), b"key")
    chosen = settings.Settings(crop_scale=0.5, num_shards=2)
    data = str(folder / "data")
    dataset_lib.convert(plan.requests, convert_dicom_lib.load, chosen, data, source="dicom")
    trained = tiny_export.calibrate(tiny_export.make_model_folder(folder / "model"))
    export_lib.export(trained.path, str(folder / "export"))
    return {"data": data, "model": folder / "export"}


@pytest.mark.parametrize("num_processes, ending", [(1, ".csv"), (2, ".parquet")])
def test_killed_and_started_again(inputs, tmp_path, num_processes, ending):
    inputs = inputs | {"ending": ending}
    whole = Scoring(inputs, tmp_path, 1)
    seconds = whole.run()
    expected = whole.output.read_bytes()
    whole.output.unlink()
    random = np.random.default_rng([7, num_processes])
    kills = [*random.uniform(0, seconds, _RANDOM_MOMENTS), *_MOMENTS]
    command, has_kept = Scoring(inputs, tmp_path, num_processes), False
    for moment in kills:
        before = command.kept()
        if isinstance(moment, tuple):
            command.kill_at(*moment, may_end=True)
        else:
            command.kill(moment)
        after = command.kept()
        has_kept |= bool(before) and before.items() <= after.items()
        if command.output.exists():  # it was whole: from the start again
            assert command.output.read_bytes() == expected
            command.output.unlink()
    command.run()
    assert command.output.read_bytes() == expected
    assert os.listdir(tmp_path) == [command.output.name]
    assert has_kept
