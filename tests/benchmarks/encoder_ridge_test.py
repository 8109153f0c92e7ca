import json

import numpy as np
import pytest

from benchmarks import encoder_ridge
from spine_tf import cli
from tests.spine_tf import small_data, tiny_runs


def test_a_family_is_left_out_together_and_each_once():
    family = np.array(["a", "b", "a", "c", "d", "c", "e"])
    found = encoder_ridge.folds_of(family, 2, seed=3)
    assert set(found) == {0, 1}
    for name in set(family):
        assert len(set(found[family == name])) == 1
    # Five families in two folds: three and two.
    sizes = sorted(len(set(family[found == number])) for number in (0, 1))
    assert sizes == [2, 3]
    assert np.any(found != encoder_ridge.folds_of(family, 2, seed=4))
    with pytest.raises(ValueError, match="`folds` must be at most the 5 families, got 6"):
        encoder_ridge.folds_of(family, 6, seed=0)


def test_what_is_left_out_is_not_fitted_to():
    # The feature is the class in one fold and its opposite in the other, so every disc is wrong.
    true = np.array([0, 0, 1, 1] * 4)
    fold = np.repeat([0, 1], 8)
    inputs = np.where(fold == 0, true, 1 - true)[:, None].astype(float)
    np.testing.assert_array_equal(encoder_ridge.left_out(inputs, true, fold, 2), 1 - true)
    same = encoder_ridge.left_out(true[:, None].astype(float), true, fold, 2)
    np.testing.assert_array_equal(same, true)


def test_differences_by_hand():
    true = np.array([0, 1, 0, 1])
    base = np.array([[0, 0, 0, 0], [0, 0, 0, 1]])
    predicted = {encoder_ridge.HAND_MADE: base, "right": np.stack([true, true])}
    found = encoder_ridge.compare(predicted, true, np.array(["a", "a", "b", "b"]), 2, 50)
    # Balanced accuracies 0.5 and 0.75 of the two draws of folds; kappas 0 and 0.5.
    rows = found["rows"]
    assert rows[encoder_ridge.HAND_MADE]["balanced_accuracy"]["value"] == 0.625
    assert rows[encoder_ridge.HAND_MADE]["quadratic_kappa"]["value"] == 0.25
    values = {one["measure"]: one["value"] for one in found["differences"]}
    assert values == {"balanced_accuracy": 0.375, "quadratic_kappa": 0.75}
    # Two tests: Holm doubles the smaller p at most.
    for one in found["differences"]:
        assert one["p"] <= one["p_holm"] <= min(1, 2 * one["p"])


def test_the_script_measures_writes_and_refuses_what_was_seen(tmp_path, capsys):
    seen = small_data.make(tmp_path / "seen", disc_names=("L4-L5",))
    tiny_runs.train(seen, tmp_path / "grader")
    tiny_runs.train(seen, tmp_path / "siamese", "longitudinal")
    other = small_data.make(tmp_path / "other", disc_names=("L4-L5",), family_of=range(50, 99))
    shared = ["--grading=disc_degeneration", "--folds=3", "--repeats=2", "--num_draws=20"]
    shared += [f"--output_dir={tmp_path}/out"]
    models = f"--model_dirs=grader={tmp_path}/grader,siamese={tmp_path}/siamese"
    arguments = [f"--data_dir={other}", models, *shared]
    assert cli.call(encoder_ridge.define_flags, encoder_ridge.main, arguments) == 0
    content = json.loads((tmp_path / "out" / "encoder_ridge.json").read_text())
    hand = encoder_ridge.HAND_MADE
    assert set(content["rows"]) == {
        *(hand, "grader, conv5", f"{hand} and grader, conv5", "grader, grades"),
        *(f"{hand} and grader, grades", "siamese, conv5", f"{hand} and siamese, conv5"),
    }
    sizes = content["num_features"]
    assert sizes[f"{hand} and siamese, conv5"] == sizes[hand] + sizes["siamese, conv5"]
    assert sizes["grader, grades"] == 1 and len(content["differences"]) == 12
    table = (tmp_path / "out" / "encoder_ridge.md").read_text()
    assert table.count("\n") == 2 + 7 and table in capsys.readouterr().out
    assert str(tmp_path) not in content["command"]
    arguments[0] = f"--data_dir={seen}"
    assert cli.call(encoder_ridge.define_flags, encoder_ridge.main, arguments) == 1
    assert "must hold no family that the model has seen" in capsys.readouterr().err
