import contextlib
import logging
import os
import signal
import subprocess
import sys
import time

import apache_beam as beam
import pytest

from data_prep import beam_runner


def test_runs_when_the_block_ends(tmp_path):
    path = tmp_path / "3"
    with beam_runner.pipeline(1, [str(path)], "numbers") as pipeline:
        pipeline | beam.Create([3]) | beam.Map(lambda n: (tmp_path / str(n)).write_text("done"))
        assert not path.exists()
    assert path.read_text() == "done"


def test_beam_is_quiet_while_it_runs(capfd):
    logger = logging.getLogger("apache_beam")
    before = logger.level
    with beam_runner.pipeline(1, [], "numbers") as pipeline:
        pipeline | beam.Create([3]) | beam.Map(lambda n: n + 1)
        assert logger.level == logging.ERROR
    assert logger.level == before
    printed = capfd.readouterr()
    assert printed.out == "" and "numbers" not in printed.err  # no bar where nobody looks


def test_an_error_of_a_worker_comes_through():
    with pytest.raises(Exception, match="nothing to divide by"):
        with beam_runner.pipeline(1, [], "numbers") as pipeline:
            pipeline | beam.Create([0]) | beam.Map(_divide)
    assert logging.getLogger("apache_beam").level != logging.ERROR


def _divide(number):
    raise ZeroDivisionError("nothing to divide by")


def test_the_runner_of_two_flags():
    runner = beam_runner.parse_runner("FlinkRunner", "--flink_master=a:1 --name='two words'")
    assert runner == beam_runner.Runner("FlinkRunner", ("--flink_master=a:1", "--name=two words"))
    assert not runner.is_direct and beam_runner.LOCAL.is_direct
    for options in ("parallelism=8", "--runner=Other"):
        with pytest.raises(ValueError, match=f"`beam_options` must .* got '{options}'"):
            beam_runner.parse_runner("FlinkRunner", options)


def test_another_runner_and_its_options(tmp_path):
    name = "apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner"
    runner = beam_runner.Runner(name, ("--job_name=mine",))
    with beam_runner.pipeline(1, [], "numbers", runner) as pipeline:
        assert type(pipeline.runner).__name__ == "BundleBasedDirectRunner"
        assert pipeline.options.get_all_options()["job_name"] == "mine"
        pipeline | beam.Create([3]) | beam.Map(lambda n: (tmp_path / str(n)).write_text("done"))
    assert (tmp_path / "3").read_text() == "done"


def test_an_unknown_runner():
    with pytest.raises(ValueError, match="Unexpected pipeline runner: Nobody"):
        with beam_runner.pipeline(1, [], "numbers", beam_runner.Runner("Nobody")):
            pass


def test_processes_are_started_where_they_pay(monkeypatch):
    monkeypatch.setattr(beam_runner, "num_cores", lambda: 4)
    found = [beam_runner.worthwhile_processes(count, 16) for count in (0, 31, 32, 63, 64, 9999)]
    assert found == [1, 1, 2, 3, 4, 4]
    monkeypatch.setattr(beam_runner, "num_cores", lambda: 9)
    found = [beam_runner.worthwhile_processes(count, 16, 4) for count in (0, 32, 9999)]
    assert found == [1, 2, 3]  # the third for the ninth core


def _kill(element):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed_ends_the_run():
    with pytest.raises(ChildProcessError, match=r"was killed \(137\).* with fewer --num_processes"):
        with beam_runner.pipeline(2, [], "numbers") as pipeline:
            _ = pipeline | beam.Create([1]) | beam.Map(_kill)


def _interrupt(element):
    raise KeyboardInterrupt


def test_an_interrupt_is_one(caplog):
    with pytest.raises(KeyboardInterrupt):
        with beam_runner.pipeline(1, [], "numbers") as pipeline:
            _ = pipeline | beam.Create([1]) | beam.Map(_interrupt)
    assert not caplog.records


_SLOW = """
import sys
from spine_tf import quiet
quiet.quiet_libraries()
import apache_beam as beam
from data_prep import beam_runner
from spine_tf import cli
from tests.data_prep import beam_runner_test

def main(argv):
    with beam_runner.pipeline(2, [], "numbers") as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Map(beam_runner_test.wait, sys.argv[1])

sys.exit(cli.call(lambda: None, main, []))
"""


def wait(element, folder):
    """Says that a worker works, and goes on working."""
    open(os.path.join(folder, str(element)), "w").close()
    time.sleep(60)


def _take_interrupts():
    """Tests may run in the background of a script, where interrupts are ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_all_processes_without_a_word_of_theirs(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a group of its own, as on a terminal
        preexec_fn=_take_interrupts,
        text=True,
    )
    for _ in range(600):
        if os.listdir(tmp_path):
            break
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    try:
        printed, _ = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, printed) == (130, "interrupted\n")
