import json

import pytest

from benchmarks import anatomy
from spine_tf import cli, config
from tests.spine_tf import small_data, tiny_runs


@pytest.mark.slow
def test_both_anatomies_are_trained_and_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)
    data_dir = small_data.make(
        tmp_path / "set", (2,) * 10, vertebra_names=("L4",), disc_names=("L4-L5",), disc_pairs=True
    )
    arguments = [f"--data_dir={data_dir}", f"--work_dir={tmp_path}/w", f"--output_dir={tmp_path}/o"]
    arguments += ["--epochs=1", "--steps_per_epoch=1", "--batch_size=8", "--num_draws=20"]
    assert cli.call(anatomy.define_flags, anatomy.main, arguments) == 0
    found = json.loads((tmp_path / "o" / "anatomy.json").read_text())
    for name in anatomy.ANATOMIES:
        assert 0 <= found[name]["embedding_auc"]["value"] <= 1
        # Every subject has a pattern of its own, which plain correlation sees.
        assert found[name]["correlation_auc"]["value"] == 1
    assert found["vertebra"]["counts"] and str(tmp_path) not in json.dumps(found)
    assert "plain correlation" in capsys.readouterr().out
