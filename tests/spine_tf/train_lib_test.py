import pytest

from spine_tf import config, train_lib
from spine_tf.data import records
from spine_tf.training import leakage, loop, projector
from tests.spine_tf import tiny_runs

PROTOCOLS = {"longitudinal": {}, "grading": {}, "fold0": {}, "fold1": {}}


def _folder(names):
    splits = {"protocols": {name: {} for name in names}}
    return records.DataFolder("set", {}, splits)


def test_the_protocol_of_the_task():
    made = tiny_runs.make_task("longitudinal")
    assert train_lib.protocols(made, _folder(PROTOCOLS), "") == {"": "longitudinal"}


def test_folds():
    made = tiny_runs.make_task("grading")
    assert train_lib.protocols(made, _folder(PROTOCOLS), "1") == {"": "fold1"}
    found = train_lib.protocols(made, _folder(PROTOCOLS), "all")
    assert found == {"fold0": "fold0", "fold1": "fold1"}
    # A part of the training subjects of a fold is no fold of its own.
    parts = [*PROTOCOLS, "fold0_percent50", "fold1_subjects2"]
    assert train_lib.protocols(made, _folder(parts), "all") == found


@pytest.mark.parametrize(
    "names, fold, choices",
    [(PROTOCOLS, "2", "0, 1"), (PROTOCOLS, "x", "0, 1"), (["grading"], "all", "none")],
)
def test_folds_that_are_not_there(names, fold, choices):
    made = tiny_runs.make_task("grading")
    with pytest.raises(ValueError, match=f"all or one of {choices}, got '{fold}'. Convert with"):
        train_lib.protocols(made, _folder(names), fold)


def test_a_protocol_by_its_name():
    made = tiny_runs.make_task("grading")
    assert train_lib.protocols(made, _folder(PROTOCOLS), "", "fold1") == {"": "fold1"}
    choices = "longitudinal, grading, fold0, fold1"
    with pytest.raises(ValueError, match=f"`protocol` must be one of {choices}, got 'grading9'"):
        train_lib.protocols(made, _folder(PROTOCOLS), "", "grading9")
    with pytest.raises(ValueError, match="`protocol` must be empty with `fold`, got 'grading'"):
        train_lib.protocols(made, _folder(PROTOCOLS), "1", "grading")


def test_every_fold_goes_into_its_own_folder(monkeypatch, tmp_path, capsys):
    seen = []
    monkeypatch.setattr(loop, "train", lambda request, *_: seen.append(request))
    monkeypatch.setattr(projector, "write_validation", lambda *_: True)
    monkeypatch.setattr(leakage, "check", lambda *_: [])
    wanted = train_lib.requests(
        tiny_runs.make_task("grading"),
        tiny_runs.MODEL,
        config.TrainConfig(),
        _folder(PROTOCOLS),
        str(tmp_path),
        fold="all",
        init_from="source",
        freeze_encoder=True,
        feature_cache="cache",
    )
    train_lib.train(wanted)
    paths = [str(tmp_path / name) for name in ("fold0", "fold1")]
    assert [(r.protocol, r.model_dir) for r in seen] == list(
        zip(["fold0", "fold1"], paths, strict=True)
    )
    assert all(r.init_from == "source" and r.freeze_encoder for r in seen)
    assert all(r.feature_cache == "cache" for r in seen)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        f"fold0, 1 of 2: {paths[0]}",
        f"model: {paths[0]}",
        f"fold1, 2 of 2: {paths[1]}",
        f"model: {paths[1]}",
    ]
    assert lines[4].startswith(f"next: spine-tf evaluate --model_dir={tmp_path} --data_dir=")


def _requests(task, model_dir, data, **options):
    return train_lib.requests(
        tiny_runs.make_task(task), tiny_runs.MODEL, config.TrainConfig(), data, model_dir, **options
    )


def test_each_fold_starts_from_its_own_model(tmp_path):
    for name in ("folds/fold0", "folds/fold1", "one"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "one" / "config.json").write_text("{}")
    folds, one, data = str(tmp_path / "folds"), str(tmp_path / "one"), _folder(PROTOCOLS)
    for options, expected in (
        ({"fold": "all", "init_from": folds}, [f"{folds}/fold0", f"{folds}/fold1"]),
        ({"fold": "1", "init_from": folds}, [f"{folds}/fold1"]),
        ({"fold": "all", "init_from": one}, [one, one]),
        ({"init_from": folds}, [folds]),  # `grading` is no fold: refused when it is read
        ({}, [""]),
    ):
        found = _requests("grading", "model", data, **options)
        assert [each.init_from for each in found] == expected
    parts = _folder([*PROTOCOLS, "fold0_percent50"])
    (found,) = _requests("grading", "model", parts, protocol="fold0_percent50", init_from=folds)
    assert found.init_from == f"{folds}/fold0"


def test_nothing_is_trained_where_a_later_fold_cannot_be(monkeypatch, tmp_path):
    trained = []
    monkeypatch.setattr(loop, "train", lambda request, *_: trained.append(request))

    def check(init_from, data, protocol):
        if protocol == "fold1":
            raise ValueError("it has seen them")
        return []

    monkeypatch.setattr(leakage, "check", check)
    wanted = _requests("grading", str(tmp_path), _folder(PROTOCOLS), fold="all", init_from="seen")
    with pytest.raises(ValueError, match="it has seen them"):
        train_lib.train(wanted)
    assert not trained


@pytest.mark.parametrize(
    ("task", "preset", "options", "expected"),
    [
        ("jigsaw", "tiny", {}, "--task=grading --preset=tiny --init_from=m --data_dir=set"),
        (
            "jigsaw",
            "tiny",
            {"protocol": "fold1"},
            "--task=grading --preset=tiny --protocol=fold1 --init_from=m --data_dir=set",
        ),
        (
            "jigsaw",
            "unet-16",
            {"fold": "all"},
            "--task=segmentation --preset=unet-16 --fold=all --init_from=m --data_dir=set",
        ),
        ("longitudinal", None, {}, "--task=grading --init_from=m --data_dir=set"),
    ],
)
def test_the_next_command(monkeypatch, capsys, task, preset, options, expected):
    monkeypatch.setattr(loop, "train", lambda *_: None)
    monkeypatch.setattr(projector, "write_validation", lambda *_: True)
    splits = {"protocols": {name: {} for name in PROTOCOLS}}
    data = records.DataFolder("set", {"kinds": {"disc": {}}}, splits)
    model = config.preset(preset) if preset else tiny_runs.MODEL
    made = tiny_runs.make_task(task)
    train_lib.train(train_lib.requests(made, model, config.TrainConfig(), data, "m", **options))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"next: spine-tf train {expected} --model_dir=..."
