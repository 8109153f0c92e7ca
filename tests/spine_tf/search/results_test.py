"""What a search leaves behind."""

import csv

from spine_tf.search import outcome, results, space
from tests.spine_tf.search import searches

CONTENT = {"train.optimizer": ["sgd", "adam"], "train.learning_rate": {"log": [1e-4, 1e-1]}}
TRIALS = (
    outcome.Outcome(1, {"train.optimizer": "sgd"}, 2, status="done", objective=0.5, seconds=2.0),
    outcome.Outcome(2, {"train.optimizer": "adam"}, 2, status="failed", reason="nan, at once"),
    outcome.Outcome(3, {"train.optimizer": "adam"}, 4, 2, 1, "done", 0.5),
    outcome.Outcome(10, {}, 4, status="running"),
)


def _write(data_dir, work_dir, found, is_finished=False):
    setup = searches.make_setup(data_dir, work_dir, CONTENT)
    for one in reversed(found):
        outcome.write(str(work_dir), one)
    return results.write(setup, 20, is_finished), setup


def test_what_is_written_is_read_in_order(tmp_path):
    assert outcome.read_all(str(tmp_path)) == []
    for one in reversed(TRIALS):
        outcome.write(str(tmp_path), one)
    (tmp_path / "trials" / "11").mkdir()  # killed before its file was written
    assert outcome.read_all(str(tmp_path)) == list(TRIALS)


def test_best_is_the_earlier_of_two():
    assert results.best(TRIALS) == TRIALS[0]
    assert results.best(TRIALS[1:2]) is None


def test_a_row_per_trial(data_dir, tmp_path):
    found, setup = _write(data_dir, tmp_path, TRIALS)
    assert found == list(TRIALS)
    with open(tmp_path / "results.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["1", "2", "3", "10"]
    assert rows[1]["reason"] == "nan, at once" and rows[1]["objective"] == ""
    assert rows[2]["continues"] == "1" and rows[2]["train.optimizer"] == "adam"
    assert rows[0]["train.learning_rate"] == ""
    assert (tmp_path / "best.json").exists()
    assert setup.base == searches.make_base()


def test_whether_it_is_over(data_dir, tmp_path):
    assert not results.is_finished(str(tmp_path), 20)
    _write(data_dir, tmp_path, TRIALS)
    assert not results.is_finished(str(tmp_path), 20)
    _write(data_dir, tmp_path, TRIALS, is_finished=True)
    assert results.is_finished(str(tmp_path), 20)
    assert not results.is_finished(str(tmp_path), 21)  # more are asked for


def test_no_best_where_none_is_done(data_dir, tmp_path):
    _write(data_dir, tmp_path, TRIALS[1:2])
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"trials", "results.json", "results.csv"}


def test_best_config_has_all_epochs(data_dir, tmp_path):
    setup = searches.make_setup(data_dir, tmp_path, CONTENT, searches.make_base(epochs=9))
    made = results.best_config(setup, TRIALS[2])
    assert (made.train_config.epochs, made.train_config.optimizer) == (9, "adam")
    assert space.apply(setup.base, {}) == setup.base
