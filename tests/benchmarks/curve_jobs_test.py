"""Order, resuming and budget of the jobs; one is run for real."""

import dataclasses
import json

import pytest

from benchmarks import curve_jobs
from spine_tf import config
from tests.spine_tf import small_data, tiny_runs

Job = curve_jobs.Job


def _plan(work_dir, data_dir="data", strong_dir="strong", **settings):
    train = config.TrainConfig(**{"epochs": 1, "batch_size": 4, "steps_per_epoch": 1} | settings)
    folders = {"siamese": data_dir, "strong": strong_dir, "grading": data_dir}
    folders["restoration"] = data_dir
    options = {"siamese": {"margin_unit": "distance"}, "strong": {"gradings": ["disc_bulging"]}}
    options["restoration"] = {"anatomy": "vertebra"}
    options["grading"] = {"gradings": ["disc_degeneration"]}
    stages = {
        name: curve_jobs.Stage(str(folder), train, options.get(name, {}))
        for name, folder in folders.items()
    }
    return curve_jobs.Plan(stages, tiny_runs.MODEL, str(data_dir), str(work_dir), num_draws=20)


def test_the_most_telling_jobs_come_first():
    jobs = curve_jobs.ordered(list(curve_jobs.REGIMES), [240, 361, 670], [0, 1])
    names = [job.name for job in jobs]
    assert len(names) == len(set(names)) == 2 * (3 + 6 * 3)
    first = [
        *("scratch-670-seed0", "siamese-pretraining-seed0", "longitudinal_frozen-670-seed0"),
        *("strong-pretraining-seed0", "strong-670-seed0"),
        *("scratch-240-seed0", "longitudinal_frozen-240-seed0", "strong-240-seed0"),
        *("scratch-361-seed0", "longitudinal_frozen-361-seed0", "strong-361-seed0"),
        *("frozen_random-670-seed0", "longitudinal_finetuned-670-seed0"),
        *("restoration-pretraining-seed0", "context_restoration-670-seed0"),
    ]
    assert names[: len(first)] == first
    assert all(job.seed == 0 for job in jobs[:21]) and all(job.seed == 1 for job in jobs[21:])
    assert [job.name for job in curve_jobs.ordered(["scratch"], [240], [2])] == [
        "scratch-240-seed2"
    ]


def _run(monkeypatch, jobs, plan, budget_hours=1.0, fails=(), say=print, **settings):
    started = []

    def run_one(job, plan, say):
        started.append(job)
        if job in fails:
            raise ValueError(f"{plan.work_dir}/x: is broken")
        return {"done": job.name}

    monkeypatch.setattr(curve_jobs, "run_one", run_one)
    monkeypatch.setattr(curve_jobs, "settings", lambda job, plan: settings)
    not_run = curve_jobs.run_all(jobs, plan, budget_hours, say, lambda found: None)
    return started, not_run


def test_what_is_done_is_not_done_again(monkeypatch, tmp_path):
    jobs = curve_jobs.ordered(["scratch", "longitudinal_frozen"], [240], [0])
    plan = _plan(tmp_path)
    started, not_run = _run(monkeypatch, jobs, plan)
    assert started == jobs and not_run == {}
    assert _run(monkeypatch, jobs, plan) == ([], {})


def test_a_refusal_for_other_data_names_the_key(monkeypatch, tmp_path):
    jobs, plan = curve_jobs.ordered(["scratch"], [240], [0]), _plan(tmp_path)
    _run(monkeypatch, jobs, plan, records_sha256="a")
    with pytest.raises(ValueError, match="other flags or another pseudonym key"):
        _run(monkeypatch, jobs, plan, records_sha256="b")


def test_what_is_done_with_other_settings_is_refused(monkeypatch, tmp_path):
    jobs = curve_jobs.ordered(["scratch"], [240, 361], [0])
    plan = _plan(tmp_path)
    _run(monkeypatch, jobs[:1], plan, epochs=30, batch_size=8)
    assert plan.result(jobs[0]) == {"done": "scratch-240-seed0"}
    message = r"scratch-240-seed0 was finished with others: epochs \(30 there, 60 now\). Choose"
    with pytest.raises(ValueError, match=message):
        _run(monkeypatch, jobs, plan, epochs=60, batch_size=8)
    assert _run(monkeypatch, jobs, plan, epochs=30, batch_size=8) == (jobs[1:], {})
    assert _run(monkeypatch, jobs[:0], plan, epochs=60) == ([], {})


def test_settings_are_all_that_a_result_depends_on(monkeypatch, tmp_path):
    monkeypatch.setattr(curve_jobs.records, "open_folder", lambda path: path)
    monkeypatch.setattr(curve_jobs.dataset_hash, "content", lambda path: f"hash of {path}")
    found = curve_jobs.settings(Job("scratch", 2, 240), _plan(tmp_path, epochs=7))
    assert (found["epochs"], found["num_draws"], found["train_config"]["seed"]) == (7, 20, 2)
    assert (found["protocol"], found["test_records_sha256"]) == ("grading240", "hash of data")
    assert json.loads(json.dumps(found)) == found
    assert curve_jobs.settings(Job("siamese", 0), _plan(tmp_path))["test_records_sha256"] == ""


def test_after_the_budget_no_job_is_started(monkeypatch, tmp_path):
    jobs = curve_jobs.ordered(["scratch"], [240, 670], [0])
    started, not_run = _run(monkeypatch, jobs, _plan(tmp_path), budget_hours=-1.0)
    assert started == [] and set(not_run.values()) == {"the budget was used"}


def test_a_job_that_fails_leaves_the_others(monkeypatch, tmp_path):
    jobs = curve_jobs.ordered(["scratch", "longitudinal_frozen"], [240], [0])
    siamese = Job("siamese", 0)
    started, not_run = _run(monkeypatch, jobs, _plan(tmp_path), fails=[siamese])
    assert started == [Job("scratch", 0, 240), siamese]
    assert not_run == {
        siamese: "failed: x: is broken",
        Job("longitudinal_frozen", 0, 240): "siamese-pretraining-seed0 is missing",
    }


def test_without_a_data_set_for_it_there_is_no_strong_model(monkeypatch, tmp_path):
    jobs = curve_jobs.ordered(["strong"], [240], [0])
    _, not_run = _run(monkeypatch, jobs, _plan(tmp_path, strong_dir=""))
    assert not_run[Job("strong", 0)] == "there is no data set for it"
    assert not_run[Job("strong", 0, 240)] == "strong-pretraining-seed0 is missing"


@pytest.mark.parametrize("regime", curve_jobs.REGIMES)
def test_what_is_asked_of_the_loop(regime, tmp_path, monkeypatch):
    monkeypatch.setattr(curve_jobs.records, "open_folder", lambda path: path)
    plan = _plan(tmp_path)
    request = curve_jobs._request(Job(regime, 2, 361), plan)
    assert request.protocol == "grading361" and request.train_config.seed == 2
    sources = {"strong": "strong", "scratch": "", "frozen_random": ""}
    sources["context_restoration"] = "restoration"
    source = sources.get(regime, "siamese")
    expected = str(tmp_path / f"{source}-pretraining-seed2") if source else ""
    assert request.init_from == expected
    assert request.freeze_encoder == ("frozen" in regime or regime == "strong")


@pytest.mark.slow
def test_a_job_is_trained_and_tested(tmp_path):
    data_dir = tiny_runs.make_data(tmp_path / "set")
    strong_dir = tiny_runs.make_data(tmp_path / "strong", family_of=range(50, 60))
    small_data.add_protocol(data_dir, "grading240")
    further_dir = tiny_runs.make_data(tmp_path / "further", family_of=range(70, 80))
    plan = _plan(tmp_path / "work", data_dir, strong_dir, epochs=2)
    plan = dataclasses.replace(plan, test_dir=further_dir)
    regimes = ["longitudinal_frozen", "strong", "context_restoration"]
    jobs = curve_jobs.ordered(regimes, [240], [1])
    not_run = curve_jobs.run_all(jobs, plan, 1.0, lambda line: None, lambda found: None)
    assert not_run == {} and all(plan.result(job) for job in jobs)
    found = plan.result(Job("longitudinal_frozen", 1, 240))
    assert (found["kind"], found["seed"], found["num_subjects"]) == ("longitudinal_frozen", 1, 240)
    assert found["epochs"] == 2 and found["best_epoch"] in (1, 2) and found["num_scans"] > 0
    assert 0 <= found["validation_balanced_accuracy"] <= 1
    assert 0 <= found["test_balanced_accuracy"]["value"] <= 1
    siamese = plan.result(Job("siamese", 1))
    assert siamese["test_subjects"] > 0 and "value" in siamese["level_accuracy"]
    assert "value" in siamese["pair_auc"] and "value" in siamese["correlation_pair_auc"]


def test_a_size_without_a_protocol_is_refused_before_anything_is_trained(tmp_path):
    data_dir = tiny_runs.make_data(tmp_path / "set")
    plan = _plan(tmp_path / "work", data_dir, data_dir)
    jobs = curve_jobs.ordered(["scratch"], [100], [0])
    with pytest.raises(ValueError, match="`sizes` must be of protocols of .*, got 100. It has"):
        curve_jobs.check(plan, jobs)
