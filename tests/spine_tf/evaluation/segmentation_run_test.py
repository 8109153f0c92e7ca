import numpy as np
import pytest
import tensorflow as tf

from spine_tf.evaluation import options, segmentation_run
from spine_tf.tasks.downstream import segmentation
from tests.spine_tf.evaluation import oracles, whole_cases_test

OPTIONS = options.Options(num_draws=50)


def without_bar(inputs, training):
    """Takes the bar for the cube."""
    logits = whole_cases_test.oracle(inputs, training)["labels"]
    return {"labels": logits - tf.constant([0.0, 0.0, 1e6])}


def _evaluate(monkeypatch, folder, oracle, slices="all", **fields):
    data_dir = oracles.make_volumes(folder, views=("sagittal",), slices=slices)
    task = segmentation.Segmentation(patch_size=32, **fields)
    return segmentation_run.evaluate(
        [oracles.fold_of(monkeypatch, data_dir, task, oracle)], OPTIONS
    )


def test_a_perfect_network(monkeypatch, tmp_path):
    results, written = _evaluate(monkeypatch, tmp_path / "data", whole_cases_test.oracle)
    assert (results["cases"], results["subjects"], results["unlabelled_cases"]) == (2, 2, 0)
    assert results["slices_cut_by_truth"] == 0
    assert results["labels"] == {"cube": [1], "bar": [2]}  # by the data set's names
    for region in results["regions"].values():
        found = [
            region[name]["value"] for name in ("dice", "sensitivity", "specificity", "hd95_mm")
        ]
        assert found == [1.0, 1.0, 1.0, 0.0]
    assert len(written["contours.png"].axes) == 2 * 2  # of two cases the best and the worst


def test_slices_that_the_truth_left_out_are_told(monkeypatch, tmp_path):
    results, _ = _evaluate(monkeypatch, tmp_path / "data", whole_cases_test.oracle, "labelled")
    # Two cases of 10 slices each, of which 6 show the cube or the bar.
    assert results["slices_cut_by_truth"] == 8
    last = segmentation_run.lines(results)[-1]
    assert last.startswith("warning: 8 slices were left out") and "--slices=foreground" in last


def test_a_region_that_is_never_found(monkeypatch, tmp_path):
    results, written = _evaluate(monkeypatch, tmp_path / "data", without_bar)
    # The cube has 48 voxels and the prediction 36 more: Dice 2 * 48 / (48 + 84).
    cube, bar = (results["regions"][name] for name in ("cube", "bar"))
    assert cube["dice"]["value"] == pytest.approx(96 / 132, abs=1e-6)
    assert cube["specificity"]["value"] == pytest.approx(1 - 36 / (1680 - 48), abs=1e-6)
    assert bar["dice"]["value"] == bar["sensitivity"]["value"] == 0.0
    assert bar["hd95_mm"]["value"] is None
    assert bar["hd95_skipped"] == {"reference": 0, "prediction": 2}
    header, *rows = written["cases.csv"]
    row = dict(zip(header, rows[0], strict=True))
    assert (row["case"], row["fold"], row["slices"], row["missing_slices"]) == ("scan0", 0, 10, 0)
    assert float(row["cube_dice"]) == pytest.approx(96 / 132, abs=1e-5)
    assert row["bar_hd95_mm"] == ""
    assert float(row["bar_true_mm3"]) == 36 * 6
    assert "2 without hd95" in segmentation_run.lines(results)[-1]


def test_regions_are_those_of_the_task(monkeypatch, tmp_path):
    results, _ = _evaluate(monkeypatch, tmp_path / "data", without_bar, regions=("all=1+2",))
    assert list(results["regions"]) == ["all"]
    assert results["regions"]["all"]["dice"]["value"] == 1.0
    assert np.isfinite(results["regions"]["all"]["hd95_mm"]["value"])


@pytest.mark.parametrize("regions", [(), ("cube=1", "both=1+2")])
def test_other_data_are_matched_by_the_names_of_labels(monkeypatch, tmp_path, regions):
    data_dir = oracles.make_volumes(tmp_path / "data", views=("sagittal",))
    task = segmentation.Segmentation(patch_size=32, regions=regions)
    one = oracles.fold_of(monkeypatch, data_dir, task, whole_cases_test.oracle)
    other = oracles.make_volumes(tmp_path / "other", views=("sagittal",), swapped=True)
    one = oracles.on_other_data(one, other)
    assert one.folder.task.labels == (2, 1)  # of the classes 1 and 2 as before
    results, _ = segmentation_run.evaluate([one], OPTIONS)
    expected = {"cube": [2], "both": [2, 1]} if regions else {"bar": [1], "cube": [2]}
    assert results["labels"] == expected
    assert [region["dice"]["value"] for region in results["regions"].values()] == [1.0, 1.0]


def test_without_label_maps(monkeypatch, tmp_path):
    data_dir = oracles.make_volumes(tmp_path / "data", views=("sagittal",))
    task = segmentation.Segmentation(patch_size=32)
    one = oracles.fold_of(monkeypatch, data_dir, task, without_bar)
    for row in one.test.rows:
        row["label_pixels"] = None
    with pytest.raises(ValueError, match="`data_dir` must hold label maps of test cases, got none"):
        segmentation_run.evaluate([one], OPTIONS)
