import json
import os
import shutil

import pytest

from spine_tf import files
from spine_tf.data import records
from spine_tf.training import leakage
from tests.spine_tf import tiny_runs


def _data(protocols):
    return records.DataFolder("set", {}, {"protocols": protocols})


def _model(path, protocol, **families):
    """A folder that says which families it has seen."""
    os.makedirs(path)
    files.write_json(
        os.path.join(path, "config.json"),
        {
            "format": "spine_tf model/1",
            "task": {"name": "grading"},
            "model_config": {},
            "train_config": {},
            "statistics": {"class_counts": {}, "graded_levels": {}, "slice_means": []},
            "protocol": protocol,
        }
        | {name: {} for name in ("data", "versions", "request")},
    )
    leakage.save(str(path), "", {"train": [], "validation": []} | families)
    return str(path)


def test_pseudonyms_do_not_stand_in_the_file(tmp_path):
    # printf f1 | sha256sum
    leakage.save(str(tmp_path), "", {"train": ["f1", "f1"], "validation": []})
    content = json.loads((tmp_path / "families.json").read_text())
    assert content["train"] == ["3f524cdc07a11d7c"] and content["validation"] == []


def test_a_model_remembers_what_its_encoder_saw(tmp_path):
    leakage.save(str(tmp_path), "", {"train": ["f1"], "validation": ["f2"]})
    os.makedirs(tmp_path / "next")
    leakage.save(str(tmp_path / "next"), str(tmp_path), {"train": ["f3"], "validation": ["f1"]})
    found = leakage.seen(str(tmp_path / "next"))
    assert found == {
        "train": leakage.hashed(["f1", "f3"]),
        "validation": leakage.hashed(["f1", "f2"]),
    }


@pytest.mark.parametrize(
    "families, counts",
    [
        ({"train": ["v1", "t1", "t2", "a"]}, "1 of validation and 2 of test"),
        ({"validation": ["t1", "b"]}, "0 of validation and 1 of test"),
        ({"validation": ["v1"]}, "1 of validation and 0 of test"),
    ],
)
def test_a_family_that_is_held_out_was_seen(tmp_path, families, counts):
    split_of = {"a": "train", "v1": "validation", "t1": "test", "t2": "test"}
    path = _model(tmp_path / "m", "longitudinal", **families)
    with pytest.raises(ValueError, match=f"'grading', got {counts} that .* was trained or valid"):
        leakage.check(path, _data({"grading": split_of}), "grading")


def test_what_is_no_leak(tmp_path):
    split_of = {"a": "train", "v1": "validation", "t1": "test"}
    data = _data({"grading": split_of, "fold0": split_of})
    path = _model(tmp_path / "m", "longitudinal", train=["a"], validation=["c"])
    assert leakage.check(path, data, "grading") == []
    # Both stages of a fold validate on the same families.
    path = _model(tmp_path / "n", "fold0", train=["a"], validation=["v1"])
    assert leakage.check(path, data, "fold0") == []
    # ... and of a part of it: pretext on all training subjects, labels of half of them.
    part = _data({"fold0_percent50": split_of, "fold1_percent50": split_of})
    assert leakage.check(path, part, "fold0_percent50") == []
    with pytest.raises(ValueError, match="1 of validation and 0 of test"):
        leakage.check(path, part, "fold1_percent50")


def test_a_folder_that_does_not_say(tmp_path):
    path = _model(tmp_path / "m", "longitudinal")
    os.remove(os.path.join(path, "families.json"))
    (note,) = leakage.check(path, _data({"grading": {}}), "grading")
    assert "has no families.json" in note
    with pytest.raises(FileNotFoundError, match="is not a model folder"):
        leakage.check(str(tmp_path), _data({}), "grading")


@pytest.mark.parametrize(
    "text, message", [("{", "is not valid JSON"), ("{}", "`format` must be"), ("[]", "`format`")]
)
def test_a_file_that_is_not_what_it_should_be(tmp_path, text, message):
    (tmp_path / "families.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        leakage.seen(str(tmp_path))


def test_training_is_refused_before_anything_is_written(data_dir, tmp_path):
    folder = tiny_runs.train(data_dir, tmp_path / "grader", steps_per_epoch=1)
    seen = leakage.seen(folder.path)
    data = records.open_folder(data_dir)
    for split in leakage.SEEN:
        families = data.index("disc", "grading", split).column("family")
        assert seen[split] == leakage.hashed(families)
    # Grading trains on families that the longitudinal protocol holds out.
    with pytest.raises(ValueError, match="`init_from` must not have seen families"):
        tiny_runs.train(data_dir, tmp_path / "m", "longitudinal", init_from=folder.path)
    assert not (tmp_path / "m").exists()


def _keyed(key_id):
    manifest = {"key_id": key_id} if key_id else {}
    return records.DataFolder("set", manifest, {"protocols": {"grading": {"f9": "test"}}})


@pytest.mark.parametrize("seen, mine", [("", "k1"), ("k1", "k1"), ("k1", "")])
def test_data_of_one_key_or_without_patients_may_be_mixed(tmp_path, seen, mine):
    model = _model(tmp_path / "m", "grading")
    leakage.save(model, "", {"train": ["f1"], "validation": []}, [seen] if seen else [])
    assert leakage.check(model, _keyed(mine), "grading") == []


def test_data_of_different_keys_are_not_mixed(tmp_path):
    model = _model(tmp_path / "m", "grading")
    leakage.save(model, "", {"train": ["f1"], "validation": []}, ["k1"])
    with pytest.raises(ValueError, match=r"`key_id` must be the one of .*\(k1\), got k2"):
        leakage.check(model, _keyed("k2"), "grading")


def test_keys_of_earlier_models_are_remembered(tmp_path):
    first, second = _model(tmp_path / "a", "grading"), _model(tmp_path / "b", "grading")
    nobody = {"train": [], "validation": []}
    leakage.save(first, "", nobody, ["k1"])
    leakage.save(second, first, nobody, leakage.key_ids(_keyed("k2")))
    assert json.loads((tmp_path / "b" / "families.json").read_text())["keys"] == ["k1", "k2"]


@pytest.mark.parametrize(
    "split, counts", [("train", "1 that .* and 0"), ("validation", "0 that .* and 1")]
)
def test_a_model_is_not_tested_on_what_it_has_seen(tmp_path, split, counts):
    model = _model(tmp_path / "m", "grading", **{split: ["f1", "f2"]})
    with pytest.raises(ValueError, match=f"`data_dir` must hold no family .* got {counts}"):
        leakage.check_unseen(model, _data({}), ["f2", "f3"])
    assert leakage.check_unseen(model, _data({}), ["f3"]) == []


def test_what_cannot_be_told_of_a_test_is_said(tmp_path):
    model = _model(tmp_path / "m", "grading")
    leakage.save(model, "", {"train": ["f1"], "validation": []}, ["k1"])
    assert leakage.check_unseen(model, _keyed("k1"), ["f2"]) == []
    assert leakage.check_unseen(model, _keyed(""), ["f2"]) == []  # phantoms are no patients
    assert "with another key" in leakage.check_unseen(model, _keyed("k2"), ["f2"])[0]
    os.remove(os.path.join(model, "families.json"))
    assert "has no families.json" in leakage.check_unseen(model, _keyed("k1"), ["f2"])[0]


@pytest.mark.parametrize("protocol", ["grading", "grading240"])
@pytest.mark.parametrize(
    "held_out, counts",
    [("test", "0 of its validation and 1"), ("validation", "1 of its validation and 0")],
)
def test_the_longitudinal_stage_sees_nothing_that_grading_holds_out(protocol, held_out, counts):
    protocols = {"longitudinal": {"a": "train", "b": "validation", "c": "test"}}
    leakage.check_stages(
        _data(protocols | {protocol: {"a": "train", "c": held_out}}), "longitudinal"
    )
    leaking = _data(protocols | {protocol: {"a": "train", "b": held_out}})
    with pytest.raises(
        ValueError, match=f"`longitudinal` must not train .* `{protocol}` .* {counts}"
    ):
        leakage.check_stages(leaking, "longitudinal")
    # A fold holds the same families out in both stages.
    leakage.check_stages(leaking, "fold0")


def test_leaking_stages_are_refused_before_anything_is_written(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "data")
    path = tmp_path / "data" / "splits.json"
    content = json.loads(path.read_text())
    stages = content["protocols"]
    family = next(name for name, split in stages["longitudinal"].items() if split == "train")
    stages["grading"][family] = "test"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="and 1 of its test"):
        tiny_runs.train(tmp_path / "data", tmp_path / "m", "longitudinal")
    assert not (tmp_path / "m").exists()
