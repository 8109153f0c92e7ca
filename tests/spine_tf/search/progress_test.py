"""The lines a person reads."""

from spine_tf.search import outcome, progress


def _outcome(number, objective=None, seconds=10.0, worker="tuner0", **changes):
    status = "failed" if objective is None else "done"
    fields = {"values": {"train.learning_rate": 0.012345, "train.augment": True}, "epochs": 2}
    fields |= {"status": status, "objective": objective, "seconds": seconds, "worker": worker}
    return outcome.Outcome(number, **fields | changes)


def test_before_a_trial():
    report = progress.Report("unused", "score", [2, 2, 4])
    begun = _outcome(1, status="running")
    assert report.begin(begun) == (
        "trial 1 of 3 (2 epochs): train.learning_rate 0.01235, train.augment True"
    )
    begun = _outcome(3, epochs=6, first_epoch=2, continues=1)
    assert report.begin(begun).startswith("trial 3 of 3 (4 epochs, goes on from trial 1): ")


def test_after_a_trial(tmp_path):
    report = progress.Report(str(tmp_path), "score", [2, 2, 4])
    first, second = _outcome(1, 0.5), _outcome(2, reason="nan " * 100)
    outcome.write(str(tmp_path), first)
    # 10 seconds for 2 epochs, and 6 epochs are left.
    assert report.end(first) == "trial 1: score 0.5000; best 0.5000 (trial 1); 0:00:30 left"
    outcome.write(str(tmp_path), second)
    said = report.end(second)
    assert said.startswith("trial 2 failed: nan nan") and len(said) < 250
    assert said.endswith(" ...; best 0.5000 (trial 1); 0:00:20 left")


def test_workers_share_what_is_left():
    known = [_outcome(1, 0.5), _outcome(2, 0.5, worker="tuner1")]
    assert progress.left(known, [2] * 6) == "0:00:20"
    # One that runs counts as a worker and not as done.
    known.append(_outcome(3, status="running", worker="tuner2", seconds=0.0))
    assert progress.left(known, [2] * 8) == "0:00:20"
