import logging

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
