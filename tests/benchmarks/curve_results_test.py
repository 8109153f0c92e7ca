import csv
import os

import numpy as np
import pytest

from benchmarks import curve_jobs, curve_results, job_list
from spine_tf import config
from spine_tf.evaluation import grading
from tests.spine_tf import tiny_runs

Job = curve_jobs.Job


def _plan(path):
    stage = curve_jobs.Stage("data", config.TrainConfig(), {})
    stages = {name: stage for name in ("siamese", "strong", "grading")}
    return curve_jobs.Plan(stages, tiny_runs.MODEL, "test", str(path), num_draws=200)


def _finish(plan, job, accuracy, num_discs=200):
    """Writes result and predictions of a model that is right in a share of the discs."""
    rng = np.random.default_rng([job.seed, job.num_subjects])
    true = np.arange(num_discs) % 4 + 1
    wrong = (true + rng.integers(0, 3, num_discs)) % 4 + 1
    predicted = np.where(rng.uniform(size=num_discs) < accuracy, true, wrong)
    path = plan.predictions_path(job)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(grading.PREDICTION_COLUMNS)
        for i in range(num_discs):
            row = (f"s{i // 5}/0/{i % 5}", f"s{i // 5}", "L1-L2", 0, "disc_degeneration")
            writer.writerow((*row, true[i], predicted[i], "", ""))
    score = np.mean([np.mean(predicted[true == grade] == grade) for grade in range(1, 5)])
    content = {"kind": job.kind, "seed": job.seed, "num_subjects": job.num_subjects}
    content |= {"epochs": 3, "best_epoch": 2, "seconds": 1.0, "num_scans": 2 * job.num_subjects}
    content["validation_balanced_accuracy"] = 0.5
    content["test_balanced_accuracy"] = {"value": score}
    job_list.write_result(plan.work_dir, job, content)
    return score


@pytest.fixture(scope="module")
def curve(tmp_path_factory):
    plan = _plan(tmp_path_factory.mktemp("curve"))
    jobs = curve_jobs.ordered(list(curve_jobs.REGIMES), [240, 361, 670], [0, 1])
    scores = {}
    for seed in (0, 1):
        for size in (240, 361):
            for regime, accuracy in (("scratch", 0.4), ("longitudinal_frozen", 0.8)):
                job = Job(regime, seed, size)
                scores[job] = _finish(plan, job, accuracy)
    job = Job("strong", 0, 361)
    scores[job] = _finish(plan, job, 0.9)
    return curve_results.collect(jobs, plan, {Job("siamese", 0): "failed: x"}), scores, plan, jobs


def test_the_primary_contrast_comes_first():
    planned = curve_results.planned_contrasts([240, 361, 670])
    assert [c.is_primary for c in planned].count(True) == 1
    assert planned[0].name == "longitudinal_frozen at 361 - scratch at 361"
    names = [c.name for c in planned]
    assert len(names) == len(set(names))
    assert "longitudinal_frozen at 361 - scratch at 670" in names
    gain = planned[names.index("gain of longitudinal_frozen at 670 - at 240")]
    weights = {cell: weight for weight, cell in gain.parts}
    assert weights == {
        ("longitudinal_frozen", 670): 1,
        ("scratch", 670): -1,
        ("longitudinal_frozen", 240): -1,
        ("scratch", 240): 1,
    }


def test_points_are_means_over_seeds(curve):
    content, scores, *_ = curve
    point = next(p for p in content["points"] if (p["regime"], p["subjects"]) == ("scratch", 361))
    both = [scores[Job("scratch", seed, 361)] for seed in (0, 1)]
    assert point["mean"] == pytest.approx(np.mean(both), abs=1e-6)
    assert point["per_seed"] == pytest.approx(both, abs=1e-6)
    assert point["seeds"] == 2 and point["scans"] == 722
    assert point["low"] < point["mean"] < point["high"]


def test_contrasts_take_the_seeds_that_both_have(curve):
    content, scores, *_ = curve
    primary = content["contrasts"][0]
    expected = [
        scores[Job("longitudinal_frozen", seed, 361)] - scores[Job("scratch", seed, 361)]
        for seed in (0, 1)
    ]
    assert primary["is_primary"] and primary["value"] == pytest.approx(np.mean(expected), abs=1e-6)
    assert primary["low"] > 0 and "p_holm" not in primary
    strong = next(c for c in content["contrasts"] if c["name"].startswith("strong at 361 - scr"))
    expected = scores[Job("strong", 0, 361)] - scores[Job("scratch", 0, 361)]
    assert strong["seeds"] == 1 and strong["value"] == pytest.approx(expected, abs=1e-6)
    others = content["contrasts"][1:]
    assert all(not c["is_primary"] and c["p_holm"] >= c["p"] for c in others)
    assert all("670" not in c["name"] for c in content["contrasts"])


def test_what_was_not_run_is_listed(curve):
    content, scores, _, jobs = curve
    reasons = {one["name"]: one["reason"] for one in content["not_run"]}
    assert len(reasons) == len(jobs) - len(scores)
    assert reasons["siamese-pretraining-seed0"] == "failed: x"
    assert reasons["scratch-670-seed0"] == "not reached yet"
    assert reasons["restoration-pretraining-seed0"] == "not reached yet"
    assert len(content["runs"]) == len(scores)
    assert content["test"] == {"subjects": 40, "discs": 200, "class_counts": [50] * 4}


def test_table(curve):
    lines = curve_results.table(curve[0]).splitlines()
    assert lines[0].startswith("| regime | subjects")
    assert "| scratch | 240 | 480 | 0.372 [" in lines[2]
    primary = next(line for line in lines if "longitudinal_frozen at 361 - scratch at 361" in line)
    assert "| primary | 2 |" in primary


def test_a_pretext_that_was_not_learned_is_marked_in_both_tables(tmp_path):
    plan = _plan(tmp_path)
    for seed, ratio in ((0, 0.61), (1, 0.59)):
        content = {"kind": "restoration", "seed": seed, "num_subjects": 0}
        content["validation"] = {"val_restored/restoration_ratio": ratio}
        job_list.write_result(plan.work_dir, Job("restoration", seed), content)
        for regime in ("scratch", "context_restoration"):
            _finish(plan, Job(regime, seed, 240), 0.5)
    jobs = curve_jobs.ordered(list(curve_jobs.REGIMES), [240], [0, 1])
    lines = curve_results.table(curve_results.collect(jobs, plan, {})).splitlines()
    mark = " (pretext not learned, 1 of 2) |"
    assert any(line.startswith(f"| context_restoration{mark} 240 |") for line in lines)
    assert any(f"| context_restoration at 240 - scratch at 240{mark}" in line for line in lines)
    assert sum(mark in line for line in lines) == 2
    assert curve_results.learned([content]) == {("restoration", 1): True}


def test_models_that_saw_other_discs(curve, tmp_path):
    plan = _plan(tmp_path)
    jobs = [Job("scratch", 0, 240), Job("scratch", 1, 240)]
    for job, discs in zip(jobs, (200, 150), strict=True):
        _finish(plan, job, 0.5, discs)
    with pytest.raises(ValueError, match="must be of the discs of the other models"):
        curve_results.read_predictions(jobs, plan)


def test_nothing_is_done_yet(tmp_path):
    jobs = curve_jobs.ordered(["scratch"], [240], [0])
    content = curve_results.collect(jobs, _plan(tmp_path), {})
    assert content["points"] == content["contrasts"] == content["runs"] == []
