"""What the script writes before anything is trained."""

import json

import pytest

from benchmarks import learning_curve
from spine_tf import cli
from spine_tf.data import dataset_hash, records
from tests.spine_tf import small_data


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("curve")
    data_dir = small_data.make(root / "set")
    small_data.add_protocol(data_dir, "grading240")
    further_dir = small_data.make(root / "further", family_of=range(50, 60))
    return data_dir, further_dir


def _call(folders, tmp_path, *others):
    arguments = [f"--data_dir={folders[0]}", f"--test_dir={folders[1]}", "--sizes=240", "--seeds=0"]
    arguments += [*others, f"--work_dir={tmp_path / 'work'}", f"--output_dir={tmp_path / 'out'}"]
    return cli.call(learning_curve.define_flags, learning_curve.main, arguments)


def test_without_a_budget_all_is_listed_as_not_run(folders, tmp_path):
    assert _call(folders, tmp_path, "--budget_hours=-1", "--regimes=scratch,strong") == 0
    found = json.loads((tmp_path / "out" / "learning_curve.json").read_text())
    reasons = {one["name"]: one["reason"] for one in found["not_run"]}
    assert reasons == {
        "scratch-240-seed0": "the budget was used",
        "strong-pretraining-seed0": "there is no data set for it",
        "strong-240-seed0": "strong-pretraining-seed0 is missing",
    }
    assert found["points"] == found["contrasts"] == []
    settings = found["settings"]
    content = [dataset_hash.content(records.open_folder(str(path))) for path in folders]
    assert settings["grading"]["records_sha256"] == content[0]
    assert settings["test_records_sha256"] == content[1] != content[0]
    assert settings["strong"]["records_sha256"] == ""
    table = (tmp_path / "out" / "learning_curve.md").read_text()
    assert "- scratch-240-seed0: the budget was used" in table


def test_an_unknown_regime_is_wrong_usage(folders, tmp_path):
    assert _call(folders, tmp_path, "--regimes=magic") == cli.EXIT_USAGE
