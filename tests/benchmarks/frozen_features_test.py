import json

import pytest

from benchmarks import frozen_features
from spine_tf import cli, config
from tests.spine_tf import small_data, tiny_runs


def test_speed_ups_by_hand():
    found = frozen_features.summary([4.0, 6.0, 0.5, 0.5], [9.0, 4.0, 6.0], draws=2)
    # Computing 5 s, reusing 0.5 s, plain 5 s (its first epoch compiles). 60 epochs with the usual
    # 10 draws: 10 * 5 + 50 * 0.5 = 75 s against 300 s.
    assert found["epochs_per_second"] == {
        "features computed anew": 0.2,
        "features kept, first draws": 0.2,
        "features kept, then": 2.0,
    }
    assert found["speed_up"] == 10.0 and found["speed_up_60_epochs"] == 4.0


@pytest.mark.slow
def test_measures_and_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)
    data_dir = small_data.make(tmp_path / "set", disc_names=("L4-L5",))
    arguments = [f"--data_dir={data_dir}", f"--work_dir={tmp_path}/w", f"--output_dir={tmp_path}/o"]
    arguments += ["--batch_size=4", "--draws=1", "--epochs=2", "--plain_epochs=2"]
    assert cli.call(frozen_features.define_flags, frozen_features.main, arguments) == 0
    found = json.loads((tmp_path / "o" / "frozen_features.json").read_text())
    assert found["speed_up"] > 0 and found["training_discs"] > 0
    assert "epochs/s" in capsys.readouterr().out
