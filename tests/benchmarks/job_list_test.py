"""A list of jobs that train nothing."""

import dataclasses
import os
import signal

import pytest

from benchmarks import job_list


@dataclasses.dataclass(frozen=True)
class Job:
    name: str


JOBS = [Job("a"), Job("b"), Job("c")]


def _run_all(work_dir, *, run=lambda job: {"dice": 0.5}, rate=0.1, hours=1.0, missing=()):
    """Runs the jobs; returns what was run, what was not, and what was said."""
    ran, said, reports = [], [], []

    def run_one(job):
        ran.append(job.name)
        return run(job)

    not_run = job_list.run_all(
        JOBS,
        str(work_dir),
        hours,
        run=run_one,
        settings_of=lambda job: {"rate": rate},
        why_not=lambda job: "a model is missing" if job.name in missing else "",
        say=said.append,
        done=lambda found: reports.append(len(found)),
    )
    assert reports[-1:] in ([], [len(not_run)])
    return ran, {job.name: reason for job, reason in not_run.items()}, said


def test_what_is_done_is_not_run_again(tmp_path):
    ran, not_run, said = _run_all(tmp_path)
    assert ran == ["a", "b", "c"] and not not_run
    assert said == [f"=== {name} ({number} of 3)" for number, name in enumerate("abc", 1)]
    assert job_list.result(str(tmp_path), JOBS[1]) == {"dice": 0.5}
    os.remove(tmp_path / "results" / "b.json")
    assert _run_all(tmp_path)[0] == ["b"]


def test_without_a_budget_nothing_is_started(tmp_path):
    ran, not_run, _ = _run_all(tmp_path, hours=-1.0)
    assert not ran and set(not_run.values()) == {"the budget was used"}


def test_a_job_that_fails_or_cannot_be_run_stops_no_other(tmp_path):
    def fail(job):
        if job.name == "b":
            raise OSError(f"No space for {tmp_path}/b/model.")
        return {}

    ran, not_run, said = _run_all(tmp_path, run=fail, missing="a")
    assert ran == ["b", "c"]
    assert not_run == {"a": "a model is missing", "b": "failed: No space for b/model."}
    assert said[1] == not_run["b"]
    assert _run_all(tmp_path)[0] == ["a", "b"]


def test_results_of_other_settings_are_refused(tmp_path):
    _run_all(tmp_path)
    with pytest.raises(ValueError, match=r"a was finished with others: rate.*results/a\.json"):
        _run_all(tmp_path, rate=0.2)


def test_the_first_sigterm_interrupts_and_the_second_would_kill():
    before = signal.getsignal(signal.SIGTERM)
    try:
        job_list.stop_on_signal()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
