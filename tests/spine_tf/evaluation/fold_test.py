import json
import re
import shutil

import pytest

from spine_tf.data import records
from spine_tf.evaluation import fold, options
from spine_tf.tasks.downstream import grading
from spine_tf.training import leakage
from tests.spine_tf import small_data, untrained

OPTIONS = options.Options()


def test_one_model(data_dir, grading_dir):
    (found,) = fold.open_folds(grading_dir, data_dir, OPTIONS)
    assert found.folder.protocol == "grading"
    families = [set(index.column("family")) for index in (found.test, found.train)]
    assert all(families)
    assert not families[0] & families[1]


def test_folds_cover_every_record_once(data_dir, grading_folds_dir):
    found = fold.open_folds(grading_folds_dir, data_dir, OPTIONS)
    assert [one.folder.protocol for one in found] == ["fold0", "fold1"]
    keys = [key for one in found for key in one.test.column("key")]
    assert len(keys) == len(set(keys)) == 18 * 2 + 9 * 2 + 4  # 18 first, 10 second, 1 third visits


def test_folds_are_read_in_the_order_of_their_numbers(data_dir, grading_dir, tmp_path):
    for number in (10, 9, 2):
        shutil.copytree(grading_dir, tmp_path / f"fold{number}")
        path = tmp_path / f"fold{number}" / "config.json"
        text = path.read_text().replace('"protocol": "grading"', f'"protocol": "fold{number}"')
        path.write_text(text)
    found = fold.find_folders(str(tmp_path))
    assert [one.protocol for one in found] == ["fold2", "fold9", "fold10"]


def test_another_split_is_refused(grading_dir, tmp_path):
    other = small_data.make(tmp_path / "other", (2,) * 6 + (1,) * 6, seed=5)
    with pytest.raises(ValueError, match="splits.json` must be the one .* --other_data"):
        fold.open_folds(grading_dir, other, OPTIONS)


def test_a_split_that_was_edited_is_refused(data_dir, grading_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "edited")
    path = tmp_path / "edited" / "splits.json"
    path.write_text(path.read_text().replace('"train"', '"test"', 1))
    with pytest.raises(ValueError, match="splits.json` must be the one"):
        fold.open_folds(grading_dir, str(tmp_path / "edited"), OPTIONS)


def test_other_data_takes_all_records(grading_dir, tmp_path):
    other = small_data.make(tmp_path / "other", (2, 1), seed=5)
    (found,) = fold.open_folds(grading_dir, other, options.Options(other_data=True))
    assert len(found.test) == 3 * 2
    assert found.train is None and "has no families.json" in found.unchecked


def test_the_task_is_fitted_to_other_data(monkeypatch, grading_dir, tmp_path):
    other = small_data.make(tmp_path / "other", (2, 1), seed=5)
    monkeypatch.setattr(grading.Grading, "for_data", lambda self, data: (self, data.path))
    (found,) = fold.open_folds(grading_dir, other, options.Options(other_data=True))
    assert found.folder.task == (fold.find_folders(grading_dir)[0].task, other)


def _edit(path, **changes):
    """Changes one object within a JSON file: name of the object -> its new content."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("trained", "found", "message"),
    [
        ({"spacing_mm": 6.0, "window_hu": []}, {"spacing_mm": 6.0, "window_hu": []}, None),
        ({"spacing_mm": 6.0}, {"spacing_mm": 4.0}, "--spacing_mm=6, got --spacing_mm=4. "),
        (
            {"window_hu": [-200.0, 300.0], "resample": "in_plane"},
            {"window_hu": [], "resample": "isotropic"},
            "--resample=in_plane --window_hu=-200,300, got --resample=isotropic --window_hu=. ",
        ),
        ({"image_rows": 112}, {"spacing_mm": 1.0}, "--image_rows=112 --spacing_mm=, got "),
    ],
)
def test_pixels_of_other_data_are_those_of_the_training(
    grading_dir, tmp_path, trained, found, message
):
    shutil.copytree(grading_dir, tmp_path / "model")
    other = small_data.make(tmp_path / "other", (2, 1), seed=5)
    data = fold.find_folders(grading_dir)[0].data
    _edit(tmp_path / "model" / "config.json", data={**data, "pixel_settings": trained})
    _edit(tmp_path / "other" / "manifest.json", settings={"crop_scale": 0.5, **found})
    chosen = options.Options(other_data=True)
    if message is None:
        assert fold.open_folds(str(tmp_path / "model"), other, chosen)
    else:
        with pytest.raises(ValueError, match=re.escape(message)):
            fold.open_folds(str(tmp_path / "model"), other, chosen)


@pytest.mark.parametrize(
    ("found", "is_same"),
    [
        (["t1", "t2"], True),
        (["t1w", "t2w"], True),  # other names for them
        (["t2", "t1"], False),
        (["t1", "t2", "fla"], False),
    ],
)
def test_channels_of_other_data_are_those_of_the_training(grading_dir, tmp_path, found, is_same):
    shutil.copytree(grading_dir, tmp_path / "model")
    other = small_data.make(tmp_path / "other", (2, 1), seed=5)
    data = fold.find_folders(grading_dir)[0].data
    _edit(tmp_path / "model" / "config.json", data={**data, "channels": ["t1", "t2"]})
    _edit(tmp_path / "other" / "manifest.json", settings={"crop_scale": 0.5, "channels": found})
    chosen = options.Options(other_data=True)
    if is_same:
        assert fold.open_folds(str(tmp_path / "model"), other, chosen)
    else:
        message = f"channels of the training in their order, t1, t2, got {', '.join(found)}"
        with pytest.raises(ValueError, match=message):
            fold.open_folds(str(tmp_path / "model"), other, chosen)


def test_other_data_hold_nobody_the_model_has_seen(data_dir, grading_dir, tmp_path):
    shutil.copytree(grading_dir, tmp_path / "model")
    grading_dir = str(tmp_path / "model")
    families = records.open_folder(data_dir).index("disc", "grading", "train").column("family")
    leakage.save(grading_dir, "", {"train": families, "validation": []})
    other = small_data.make(tmp_path / "other", (2, 1), family_of=[80, 81])
    (found,) = fold.open_folds(grading_dir, other, options.Options(other_data=True))
    assert found.unchecked == ""
    with pytest.raises(ValueError, match="`data_dir` must hold no family that the model has seen"):
        fold.open_folds(grading_dir, data_dir, options.Options(other_data=True))


def test_folds_do_not_go_with_other_data_or_other_splits(data_dir, grading_folds_dir):
    with pytest.raises(ValueError, match="must be one model folder with --other_data"):
        fold.open_folds(grading_folds_dir, data_dir, options.Options(other_data=True))
    with pytest.raises(ValueError, match="`split` must be test for a folder of folds"):
        fold.open_folds(grading_folds_dir, data_dir, options.Options(split="train"))


def test_a_missing_fold_is_named(tmp_path):
    data_dir = small_data.make(tmp_path / "data", (1,) * 6, num_folds=3)
    model_dir = untrained.save_folds(tmp_path / "model", data_dir, "grading", 2)
    with pytest.raises(ValueError, match="must hold all 3 folds .* without fold2"):
        fold.open_folds(model_dir, data_dir, OPTIONS)


def test_folds_of_one_protocol_are_refused(grading_dir, tmp_path):
    for number in (0, 1):
        shutil.copytree(grading_dir, tmp_path / f"fold{number}")
    with pytest.raises(ValueError, match="must each have their own protocol"):
        fold.find_folders(str(tmp_path))


def test_folds_of_two_tasks_are_refused(grading_folds_dir, longitudinal_folds_dir, tmp_path):
    shutil.copytree(f"{grading_folds_dir}/fold0", tmp_path / "fold0")
    shutil.copytree(f"{longitudinal_folds_dir}/fold1", tmp_path / "fold1")
    with pytest.raises(ValueError, match="must have one task, got grading and longitudinal"):
        fold.find_folders(str(tmp_path))


@pytest.mark.parametrize(
    "task, field, values, message",
    [
        ("grading", "gradings", (["pfirrmann"], ["pfirrmann", "modic"]), "set of outputs, got"),
        ("longitudinal", "anatomy", ("vertebra", "disc"), "kind of record, got disc_pairs and ver"),
    ],
)
def test_folds_of_two_questions_are_refused(request, tmp_path, task, field, values, message):
    folds_dir = request.getfixturevalue(f"{task}_folds_dir")
    for number, value in enumerate(values):
        shutil.copytree(f"{folds_dir}/fold{number}", tmp_path / f"fold{number}")
        path = tmp_path / f"fold{number}" / "config.json"
        content = json.loads(path.read_text())
        content["task"][field] = value
        path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"`model_dir` folds must have one {message}"):
        fold.find_folders(str(tmp_path))


@pytest.mark.parametrize("name", [".", "missing"])
def test_what_is_no_model_folder_is_named(data_dir, tmp_path, name):
    with pytest.raises(FileNotFoundError, match="is not a model folder, it has no config.json"):
        fold.open_folds(str(tmp_path / name), data_dir, OPTIONS)


def test_an_empty_split_is_named(tmp_path):
    # Two families are too few to hold anything out: all are in train.
    data_dir = small_data.make(tmp_path / "data", (1, 1))
    model_dir = untrained.save(tmp_path / "model", data_dir, "grading")
    with pytest.raises(ValueError, match="holds no disc record in the test split.* Choose another"):
        fold.open_folds(model_dir, data_dir, OPTIONS)
    with pytest.raises(ValueError, match="holds no disc record in the test split.* Convert more"):
        fold.open_folds(model_dir, data_dir, OPTIONS, has_flags=False)


def test_training_records_of_another_data_set_are_not_known(data_dir, grading_dir):
    (found,) = fold.open_folds(grading_dir, data_dir, OPTIONS)
    assert found.known_train is found.train
    (other,) = fold.open_folds(grading_dir, data_dir, options.Options(other_data=True))
    with pytest.raises(ValueError, match="`train` must be known, got another data set"):
        _ = other.known_train
