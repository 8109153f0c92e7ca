import json

import pytest

from benchmarks import (
    contender,
    distribution,
    pair_modes,
    paper_step,
    spine_step,
    step_cost,
    step_flops,
    training,
)
from spine_tf import cli, config
from tests.spine_tf import tiny_runs


def test_flops_of_the_papers_network():
    _, facts = _tiny_step("paper")
    # methods 1.3, table A: 21,017,123,104 multiplications with additions, three times.
    assert facts["step_gflop_per_crop"] * 1e9 == pytest.approx(6 * 21_017_123_104)
    assert facts["parameters"] == 85_626_503


def _tiny_step(preset):
    from spine_tf import tasks
    from spine_tf.training import model_folder

    made = tasks.make("longitudinal", '{"margin_unit": "distance"}')
    model = model_folder.build_model(made, config.preset(preset), spine_step.statistics(), 0)
    return model, {
        "step_gflop_per_crop": step_flops.step_flops(model) / 1e9,
        "parameters": model.count_params(),
    }


def test_summary_and_ratios_by_hand():
    assert contender.summary([3.0, 1.0, 2.0]) == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert contender.ratios([3.0, 2.0], [1.0, 4.0]) == {"median": 1.75, "low": 0.5, "high": 3.0}


def test_contenders_are_measured_in_turn():
    class Fake:
        def __init__(self, seconds):
            self._seconds = iter(seconds)

        def start(self, count):
            assert count == 2

        def seconds(self):
            wall = next(self._seconds)
            return contender.Time(wall, wall / 2)

    names = {"a": [Fake([2.0, 4.0])], "b": [Fake([1.0, 3.0]), Fake([2.0, 2.0])]}
    found = contender.interleave(names, {"a": 2, "b": 2}, repeats=2)
    # The slowest of those together.
    assert contender.walls(found) == {"a": [1.0, 2.0], "b": [1.0, 1.5]}
    assert found["b"][0].cpu == 0.75  # (1 + 2) / 2 of two calls


def test_rates_and_shares_by_hand():
    seconds = {"tensorflow": [2.0, 2.0], "torch": [4.0, 4.0], "matmul": [0.5, 0.5]}
    step = {"batch_size": 8, "parameters": 1, "step_gflop_per_crop": 10.0}
    found = paper_step.summarise(seconds, {"tensorflow": step, "matmul": {"flops": 25e9}})
    assert found["crops_per_second"]["tensorflow"]["median"] == 4.0
    assert found["tensorflow_over_torch"]["median"] == 2.0
    assert found["matmul_gflops"]["median"] == 50.0
    assert found["share_of_peak"]["tensorflow"]["median"] == 0.8
    assert found["share_of_peak"]["torch"]["median"] == 0.4


def test_networks_of_other_sizes_are_refused():
    paper_step.check_parameters({"a": {"parameters": 2}, "b": {"parameters": 2}, "c": {}})
    with pytest.raises(ValueError, match="parameters"):
        paper_step.check_parameters({"a": {"parameters": 2}, "b": {"parameters": 3}})


def test_outcome_of_a_run_by_hand():
    rows = [
        {"seconds": s, "val_same_subject/auc": a} for s, a in ((4.0, 0.6), (5.0, 0.7), (6.0, 0.8))
    ]
    found = pair_modes.outcome(rows, 10.0)
    assert found == {"auc": 0.7, "epochs": 2, "epoch_seconds": 5.0}
    with pytest.raises(ValueError, match="at least as long as an epoch, 4 s here, got 1"):
        pair_modes.outcome(rows, 1.0)


def test_costs_by_hand():
    facts = {"parameters": 5, "step_gflop_per_crop": 126.0, "batch_size": 8}
    found = step_cost.row(facts, [8.0], 3.0)
    assert step_cost.EPOCH_CROPS == 4746
    assert found["epoch_minutes"] == 79.1  # a second per crop
    # 4746 * 126 GFLOP at 30 % of 312 TFLOP/s
    assert found["estimated_gpu_epoch_seconds"]["A100"][1] == 6.4


def test_every_worker_gets_its_own_number():
    found = [json.loads(one["TF_CONFIG"]) for one in distribution.tf_configs()]
    assert [one["task"]["index"] for one in found] == [0, 1]
    assert found[0]["cluster"] == found[1]["cluster"]
    assert len(set(found[0]["cluster"]["worker"])) == 2


@pytest.mark.slow
def test_measures_a_part_and_keeps_the_others(tmp_path, monkeypatch):
    monkeypatch.setitem(config.PRESETS, "tiny", tiny_runs.MODEL)
    path = tmp_path / training.NAME
    path.write_text(json.dumps({"format": training.FORMAT, "step": 1}))
    data_dir = tiny_runs.make_data(tmp_path / "set")
    arguments = ["--parts=loop,input", "--loop_presets=tiny", "--input_presets=tiny"]
    arguments += [f"--output_dir={tmp_path}", f"--data_dir={data_dir}"]
    arguments += ["--repeats=1", "--small_steps=2", "--small_batch_size=4"]
    assert cli.call(training.define_flags, training.main, arguments) == 0
    found = json.loads(path.read_text())
    assert found["step"] == 1
    assert found["loop"]["found"][0]["loop_over_bare"]["median"] > 0
    assert found["input"]["found"][0]["supplied_over_consumed"]["median"] > 0


def test_an_unknown_part_is_wrong_usage(tmp_path):
    arguments = ["--parts=speed", f"--output_dir={tmp_path}"]
    assert cli.call(training.define_flags, training.main, arguments) == cli.EXIT_USAGE
