"""Whole searches, with training that is only pretended; one real one."""

import dataclasses
import json
import os

import pytest

from spine_tf import lock, run_config, tasks
from spine_tf.data import records
from spine_tf.search import options, outcome, results, run
from spine_tf.training import journal, model_folder
from tests.spine_tf import tiny_runs
from tests.spine_tf.search import searches

BAD = {"train.learning_rate": [0.01, 0.02, 1e30, 0.03, 1e20]}


def _search(data_dir, path, content=searches.RATES, base=None, **chosen):
    return searches.search(searches.make_setup(data_dir, path, content, base), **chosen)


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_results_of_a_search(data_dir, tmp_path, trained, tuner):
    base = searches.make_base(epochs=3)
    found, said = _search(data_dir, tmp_path, base=base, tuner=tuner)
    assert [one.trial for one in found] == [1, 2, 3]
    assert all(one.status == "done" and one.worker == "tuner0" for one in found)
    chosen = results.best(found)
    # One number is pretended: the rate, and a tenth of it more per epoch.
    rate = chosen.values["train.learning_rate"]
    assert chosen.objective == pytest.approx(rate * (1 + (chosen.epochs - 1) / 10), rel=1e-4)
    assert chosen.best_epoch == chosen.epochs

    content = json.loads((tmp_path / "results.json").read_text())
    assert content["best"] == chosen.trial and content["finished"] == 3
    assert [one["trial"] for one in content["trials"]] == [1, 2, 3]
    best = run_config.read(str(tmp_path / "best.json"))
    assert best.train_config == dataclasses.replace(base.train_config, learning_rate=rate)
    assert (best.task, best.model_config) == (base.task, base.model_config)
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 4
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    assert len(said) == 6 and said[0].startswith("trial 1 of 3 (") and "left" in said[-1]


def test_hyperband_trains_the_best_on(data_dir, tmp_path, trained):
    base = searches.make_base(epochs=4)
    found, _ = _search(
        data_dir, tmp_path, base=base, tuner="hyperband", hyperband_factor=2, max_trials=0
    )
    named = {one.trial: one for one in found}
    later = [one for one in found if one.continues]
    assert later and {one.epochs for one in found} == {1, 2, 4}
    asked = {int(os.path.basename(os.path.dirname(r.model_dir))): before for r, before in trained}
    for one in later:
        first = named[one.continues]
        assert one.values == first.values and one.first_epoch == first.epochs
        assert asked[one.trial] == first.epochs  # its epochs were there
        assert len(journal.read(str(tmp_path / "trials" / str(one.trial) / "model"))) == one.epochs
        # The folder that was copied stays as it was.
        assert (
            len(journal.read(str(tmp_path / "trials" / str(first.trial) / "model"))) == first.epochs
        )


def test_a_failed_trial_is_recorded_and_the_search_goes_on(data_dir, tmp_path, trained, capfd):
    found, said = _search(data_dir, tmp_path, BAD, max_trials=5)
    failed = [one for one in found if one.status == "failed"]
    assert len(found) == 5 and len(failed) == 2
    assert {one.reason for one in failed} == {"the loss must be finite, got nan."}
    assert results.best(found).values == {"train.learning_rate": 0.03}
    assert sum("failed: the loss must be finite" in line for line in said) == 2
    assert capfd.readouterr() == ("", "")  # nothing of Keras Tuner's own
    state = json.loads((tmp_path / "keras_tuner" / "oracle.json").read_text())
    assert sorted(one["status"] for one in state["trials"].values()) == 3 * ["COMPLETED"] + 2 * [
        "FAILED"
    ]
    again, more = _search(data_dir, tmp_path, BAD, max_trials=5)
    assert (again, more) == (found, [])


def test_the_report(data_dir, tmp_path, trained):
    setup, said = searches.make_setup(data_dir, tmp_path, BAD), []
    found, _ = searches.search(setup, max_trials=5)
    assert run.report(setup, found, said.append) == 2
    failed = [one.trial for one in found if one.status == "failed"]
    assert said[:2] == [
        f"failed: trial {number}: the loss must be finite, got nan." for number in failed
    ]
    assert said[-2:] == [
        "  train.learning_rate 0.03",
        f"train it: spine-tf train --config={tmp_path}/best.json --data_dir=... --model_dir=...",
    ]


def test_all_trials_fail(data_dir, tmp_path, trained):
    setup = searches.make_setup(data_dir, tmp_path, {"train.learning_rate": [1e30, 1e20]})
    found, _ = searches.search(setup, max_trials=2)
    with pytest.raises(ValueError, match="all 2 trials failed, the first: the loss must be finite"):
        run.report(setup, found)
    assert not (tmp_path / "best.json").exists()


@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_a_killed_search_goes_on(data_dir, tmp_path, trained, monkeypatch, tuner):
    base = searches.make_base(epochs=3)
    whole, _ = _search(data_dir, tmp_path / "whole", base=base, tuner=tuner, max_trials=4)
    calls, train = iter(range(99)), searches.trial.loop.train

    def stopping(request, say):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return train(request, say)

    monkeypatch.setattr(searches.trial.loop, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        _search(data_dir, tmp_path / "part", base=base, tuner=tuner, max_trials=4)
    assert outcome.read_all(str(tmp_path / "part"))[2].status == "running"
    found, _ = _search(data_dir, tmp_path / "part", base=base, tuner=tuner, max_trials=4)
    assert [(one.values, one.objective) for one in found] == [
        (one.values, one.objective) for one in whole
    ]


def test_more_trials_may_be_asked_for(data_dir, tmp_path, trained):
    first, _ = _search(data_dir, tmp_path, max_trials=2)
    found, _ = _search(data_dir, tmp_path, max_trials=3)
    assert len(found) == 3 and found[:2] == first
    assert len(trained) == 3


def test_another_search_in_the_folder_is_refused(data_dir, tmp_path, trained):
    _search(data_dir, tmp_path, max_trials=1)
    for base, chosen, what in (
        (searches.make_base(batch_size=8), {}, "train_config"),
        (searches.make_base(epochs=2), {}, "epochs"),
        (None, {"tuner": "bayesian"}, "tuner"),
    ):
        with pytest.raises(ValueError, match=f"of the same search, got .* differs in .*{what}"):
            _search(data_dir, tmp_path, base=base, **chosen)
    with pytest.raises(ValueError, match="differs in space"):
        _search(data_dir, tmp_path, BAD)
    assert len(trained) == 1


def test_a_folder_in_which_another_process_searches(data_dir, tmp_path, trained):
    with (
        lock.held(str(tmp_path / "search.lock")),
        pytest.raises(OSError, match="must not be in use, got .* another process is searching"),
    ):
        _search(data_dir, tmp_path)
    assert not trained and os.listdir(tmp_path) == ["search.lock"]
    _search(data_dir, tmp_path, max_trials=1)


def test_a_disk_that_is_full_stops_the_search(data_dir, tmp_path, trained, monkeypatch):
    def full(request, say):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(searches.trial.loop, "train", full)
    with pytest.raises(ValueError, match="trial 1: .*No space left on device"):
        _search(data_dir, tmp_path)
    assert outcome.read(str(tmp_path), 1).status == "running"


# === Before the first trial ===


def _prepare(data_dir, base=None, **changes):
    fields = {"protocol", "init_from", "freeze_encoder"}
    more = {name: value for name, value in changes.items() if name in fields}
    chosen = {name: value for name, value in changes.items() if name not in fields}
    data = records.open_folder(str(data_dir))
    return run.prepare(
        options.Options(**chosen), base or searches.make_base(), data, "unused", **more
    )


def test_prepare(data_dir):
    made = _prepare(data_dir)
    assert made.objective == "val_balanced_accuracy" and made.protocol == "grading"
    assert "model.width" in made.space.to_json()
    probe = '{"gradings": ["disc_bulging"]}'
    base = searches.make_base("longitudinal")
    made = _prepare(data_dir, base, probe="grading", probe_options=probe, objective=searches.COLUMN)
    assert made.objective == searches.COLUMN and made.protocol == "longitudinal"
    assert tasks.name_of(made.probe) == "grading"


def test_what_a_dry_run_says(data_dir):
    base = searches.make_base("longitudinal", epochs=9)
    chosen = {"probe": "grading", "tuner": "hyperband"}
    text = "\n".join(run.lines(_prepare(data_dir, base, **chosen), options.Options(**chosen)))
    assert "  train.optimizer: sgd, adam" in text
    assert "objective: val_balanced_accuracy, after a probe by grading" in text
    assert (
        "tuner: hyperband, at most 9 trials of 1 epoch, 3 trials of 2 epochs, 5 trials of 3 epochs,"
        " 3 trials of 6 epochs, 3 trials of 9 epochs" in text
    )
    setup = searches.make_setup(data_dir, "unused", {"train.augment": [True, False]})
    assert "only 2 combinations" in run.lines(setup, options.Options())[-1]


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("grading", {"objective": "val_loss"}, "`objective` must not be a loss"),
        ("longitudinal", {"probe": "puzzle"}, "`task` must be one of"),
        ("longitudinal", {"probe": "grading", "objective": "val_same_subject/auc"}, "must be one"),
        ("longitudinal", {"probe": "grading", "protocol": "grading240"}, "`protocol` must be one"),
        ("grading", {"space": "missing.json"}, "missing.json"),
        ("grading", {"protocol": "other"}, "`protocol` must be one of"),
    ],
)
def test_what_cannot_be(data_dir, name, changes, message):
    with pytest.raises((ValueError, OSError), match=message):
        _prepare(data_dir, searches.make_base(name), **changes)


def test_spaces_that_do_not_go_with_the_rest(data_dir, tmp_path):
    path = tmp_path / "space.json"
    for content, changes, message in (
        ({"train.epochs": [1, 2]}, {"tuner": "hyperband"}, "train.epochs with hyperband"),
        ({"train.strategy": ["one"]}, {}, "give --strategy"),
        ({"model.width": [0.5]}, {"init_from": "model"}, "model.width with --init_from"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=message):
            _prepare(data_dir, space=str(path), **changes)
    with pytest.raises(ValueError, match="`strategy` must be one or mirrored"):
        _prepare(data_dir, searches.make_base(strategy="multiworker"))


def test_a_probe_must_not_validate_on_what_was_seen(data_dir, monkeypatch):
    monkeypatch.setattr(tasks.TASKS["grading"], "protocol", "longitudinal")
    base = searches.make_base("longitudinal")
    with pytest.raises(ValueError, match="`probe` must validate on families that the trials do n"):
        _prepare(data_dir, base, probe="grading", protocol="grading")


# === For real ===


def test_a_probe_after_training(data_dir, tmp_path):
    """The whole way, once: the objective is the probe's; a trial that goes on is as if whole."""
    base = searches.make_base("longitudinal", epochs=2)
    setup = searches.make_setup(
        data_dir,
        tmp_path,
        {"task.margin": [1.0, 2.0]},
        base,
        probe=tiny_runs.make_task("grading"),
        probe_epochs=2,
    )
    found, _ = searches.search(setup, max_trials=1)
    assert found[0].status == "done", found[0].reason
    folder = tmp_path / "trials" / "1"
    rows = journal.history(str(folder / "probe"))
    assert len(rows) == 2
    assert found[0].objective == max(row[searches.COLUMN] for row in rows)
    encoders = [
        model_folder.find_encoder(model_folder.load(str(folder / name)).load_model())
        for name in ("model", "probe")
    ]
    pairs = zip(*(one.get_weights() for one in encoders), strict=True)
    assert all((one == other).all() for one, other in pairs)
    assert not (folder / "probe" / "features").exists()
    best = run_config.read(str(tmp_path / "best.json"))
    assert best.task.margin == found[0].values["task.margin"]
