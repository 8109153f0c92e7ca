"""Tests of benchmarks.serving and of what it measures with."""

import json

import pytest

from benchmarks import serving, serving_contenders
from spine_tf import cli, config
from spine_tf.data import records, schema
from tests.spine_tf import small_data, tiny_runs


def test_rates_and_ratios_by_hand():
    seconds = {
        "compiled float32": [1.0, 1.0],
        "saved float32": [1.0, 2.0],
        "compiled bfloat16": [0.5, 0.5],
        "saved bfloat16": [0.5, 0.5],
        "torch float32": [4.0, 4.0],
        "torch float32 channels_last_3d": [2.0, 2.0],
    }
    found = serving.summarise_engines(seconds, 8)
    assert found["discs_per_second"]["saved float32"] == {"median": 6.0, "low": 4.0, "high": 8.0}
    assert found["saved_over_compiled_float32"] == {"median": 0.75, "low": 0.5, "high": 1.0}
    assert found["saved_over_compiled_bfloat16"]["median"] == 1.0
    assert found["saved_bfloat16_over_float32"] == {"median": 3.0, "low": 2.0, "high": 4.0}
    # The faster way of PyTorch.
    assert found["saved_over_torch_float32"] == {"median": 1.5, "low": 1.0, "high": 2.0}
    assert "saved_over_torch_bfloat16" not in found


def test_records_are_named_again_and_again(tmp_path):
    data_dir = small_data.make(tmp_path / "data", (1, 1, 1))
    before = records.open_folder(data_dir).index(schema.DISC)
    folder = serving_contenders.repeat_records(data_dir, str(tmp_path), 2 * len(before) + 1)
    found = records.open_folder(folder).index(schema.DISC)
    assert found.column("key") == [*before.column("key") * 2, before.rows[0]["key"]]
    assert found.read(len(before) + 1) == before.read(1)


def test_wrong_parts_and_missing_data_are_wrong_usage(tmp_path):
    for wrong in ("--parts=speed", "--parts=scoring"):
        arguments = [wrong, f"--work_dir={tmp_path}", f"--output_dir={tmp_path}"]
        assert cli.call(serving.define_flags, serving.main, arguments) == cli.EXIT_USAGE


@pytest.mark.slow
def test_every_part_runs_and_keeps_the_others(tmp_path, monkeypatch):
    data_dir = small_data.make(tmp_path / "data", (1, 1, 1))
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)
    path = tmp_path / serving.NAME
    path.write_text(json.dumps({"format": serving.FORMAT, "other": 1}))
    arguments = [f"--work_dir={tmp_path / 'work'}", f"--output_dir={tmp_path}", "--notorch"]
    arguments += [f"--data_dir={data_dir}", "--preset=tiny", "--scoring_preset=tiny"]
    arguments += ["--repeats=1", "--batch_size=2", "--num_discs=8", "--scoring_batch_size=2"]
    arguments += ["--loop_batches=2", "--scoring_repeats=1"]
    assert cli.call(serving.define_flags, serving.main, arguments) == 0
    found = json.loads(path.read_text())
    assert found["other"] == 1
    assert found["engines tiny"]["found"]["saved_over_compiled_float32"]["median"] > 0
    assert found["scan tiny"]["found"]["discs"] == 6
    assert found["scoring tiny"]["found"]["score_over_best_loop"]["median"] > 0
