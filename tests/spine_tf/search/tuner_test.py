"""What Keras Tuner's own loop is given to do."""

from spine_tf.search import options, oracles, progress, tuner
from tests.spine_tf.search import searches


class _Waits:
    """An oracle that has nothing to do three times, and then no more."""

    def __init__(self, oracle):
        self._oracle, self._left = oracle, 3
        self.create_trial = self._create

    def __getattr__(self, name):
        return getattr(self._oracle, name)

    def _create(self, tuner_id):
        trial = self._oracle.create_trial(tuner_id)
        self._left -= 1
        trial.status = "IDLE" if self._left >= 0 else "STOPPED"
        self._oracle.ongoing_trials.clear()
        return trial


def test_waiting_takes_no_processor(data_dir, tmp_path, monkeypatch):
    setup = searches.make_setup(data_dir, tmp_path)
    chosen = options.Options(max_trials=9)
    oracle = oracles.make(chosen, setup.space, setup.objective, epochs=1, seed=0)
    oracle.resume(str(tmp_path / "oracle.json"))
    made = tuner.Tuner(oracle, setup, progress.Report(str(tmp_path), "", []), print)
    made.oracle = _Waits(oracle)
    slept = []
    monkeypatch.setattr(tuner.time, "sleep", slept.append)
    made.search()
    assert slept == [1.0] * 3
