"""Cells, contrasts and the table, from made-up evaluations."""

import numpy as np
import pytest

from benchmarks import comparison_jobs, comparison_results, comparison_scores, job_list
from spine_tf import config

Job = comparison_jobs.Job
SUBJECTS = 12
LEARNED = {("CR", 0, 0): False, ("CR", 0, 1): True, ("CR", 1, 0): False, ("AE", 0, 0): True}


def _cases(fold, dice):
    """Two cases of every subject of a fold, with a Dice each."""
    subject = np.repeat([f"f{fold}s{i}" for i in range(SUBJECTS)], 2)
    key = np.array([f"{name}/{i % 2}" for i, name in enumerate(subject)])
    noise = np.random.default_rng(fold).normal(0, 0.02, len(key))
    return comparison_scores.Cases(key, subject, {"dice": dice + noise})


def _tested(**dice_of_start):
    return comparison_results.Tested(
        "segmentation",
        {
            ("percent50", start): {0: {fold: _cases(fold, dice) for fold in (0, 1)}}
            for start, dice in dice_of_start.items()
        },
        num_draws=200,
        planned={"percent50": list(dice_of_start)},
        learned=LEARNED,
    )


def test_folds_and_seeds_that_all_cells_have():
    one = {0: {0: "x", 1: "x", 2: "x"}, 1: {0: "x"}}
    other = {0: {0: "x", 2: "x"}, 1: {0: "x", 2: "x"}, 2: {0: "x"}}
    cells = {("a", "RD"): one, ("a", "CR"): other}
    tested = comparison_results.Tested("segmentation", cells, 20, {}, {})
    assert tested.common(("a", "RD"), ("a", "CR")) == ([0, 2], [0])
    assert tested.common(("a", "CR")) == ([0, 2], [0, 1])
    assert tested.common(("a", "RD"), ("a", "AE")) == ([], [])


def test_a_difference_is_paired():
    found = comparison_results._contrasts(_tested(RD=0.80, CR=0.85, AE=0.80))
    by_start = {one["start"]: one for one in found}
    # Cases have the same noise, so the difference has none.
    assert by_start["CR"]["value"] == pytest.approx(0.05, abs=1e-6)
    assert by_start["CR"]["low"] == pytest.approx(0.05, abs=1e-6)
    assert by_start["AE"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert by_start["CR"]["p_holm"] == pytest.approx(2 * by_start["CR"]["p"], abs=1e-6)


def test_single_seeds_stand_beside_their_mean():
    cells = {
        ("percent50", "RD"): {seed: {0: _cases(0, dice)} for seed, dice in ((0, 0.6), (1, 0.4))},
        ("percent50", "CR"): {seed: {0: _cases(0, dice)} for seed, dice in ((0, 0.7), (1, 0.8))},
    }
    tested = comparison_results.Tested("segmentation", cells, 20, {}, {})
    noise = _cases(0, 0.0).values["dice"].mean()
    row = comparison_results._row(tested, ("percent50", "RD"))
    assert row["measures"]["dice"]["value"] == pytest.approx(0.5 + noise, abs=1e-6)
    assert row["by_seed"]["dice"] == pytest.approx([0.6 + noise, 0.4 + noise], abs=1e-6)
    (found,) = comparison_results._contrasts(tested)
    assert found["value"] == pytest.approx(0.25, abs=1e-6)
    assert found["by_seed"] == pytest.approx([0.1, 0.4], abs=1e-6)
    content = {"task": "segmentation", "rows": [row], "contrasts": [found], "not_run": []}
    texts = comparison_results.table(content).splitlines()
    assert texts[2].endswith(f"| {0.6 + noise:.3f}, {0.4 + noise:.3f} | 1 x 2 |")
    assert texts[-1].endswith("| 0.100, 0.400 | 1 x 2 |")
    empty = comparison_scores.Cases(np.array(["1"]), np.array(["a"]), {"dice": np.array([np.nan])})
    tested = comparison_results.Tested("segmentation", {("a", "RD"): {0: {0: empty}}}, 20, {}, {})
    assert comparison_results._row(tested, ("a", "RD"))["by_seed"] == {"dice": [None]}


def test_starts_are_set_against_ridge_too():
    tested = _tested(**{"RD": 0.80, "CR": 0.85, comparison_scores.RIDGE: 0.90})
    found = comparison_results._contrasts(tested)
    values = {(one["start"], one["base"]): round(one["value"], 6) for one in found}
    assert values == {
        ("CR", "RD"): 0.05,
        ("ordinal ridge", "RD"): 0.1,
        ("CR", "ordinal ridge"): -0.05,
    }


def test_augmented_and_frozen_starts_are_set_against_random_weights_of_their_kind_too():
    values = {"RD": 0.8, "CR+AG": 0.9, "RD+AG": 0.85, "CR-frozen": 0.7, "RD-frozen": 0.6}
    found = comparison_results._contrasts(_tested(**values))
    assert {(one["start"], one["base"]): round(one["value"], 6) for one in found} == {
        ("CR+AG", "RD"): 0.1,
        ("RD+AG", "RD"): 0.05,
        ("CR-frozen", "RD"): -0.1,
        ("RD-frozen", "RD"): -0.2,
        ("CR+AG", "RD+AG"): 0.05,
        ("CR-frozen", "RD-frozen"): 0.1,
    }
    marks = {one["start"]: one["mark"] for one in found}
    assert marks["CR+AG"] == marks["CR-frozen"] == "pretext not learned, 1 of 2"
    assert marks["RD+AG"] == marks["RD-frozen"] == ""


def test_pretexts_are_set_against_longer_training_and_that_against_shorter():
    values = {"RD": 0.8, "RD+LT": 0.82, "RD+AG": 0.85, "RD+AG+LT": 0.86, "CR": 0.9, "CR+AG": 0.95}
    found = comparison_results._contrasts(_tested(**values))
    assert {(one["start"], one["base"]): round(one["value"], 6) for one in found} == {
        ("RD+LT", "RD"): 0.02,
        ("RD+AG", "RD"): 0.05,
        ("RD+AG+LT", "RD"): 0.06,
        ("CR", "RD"): 0.1,
        ("CR+AG", "RD"): 0.15,
        ("RD+AG+LT", "RD+AG"): 0.01,
        ("CR+AG", "RD+AG"): 0.1,
        ("CR", "RD+LT"): 0.08,
        ("CR+AG", "RD+AG+LT"): 0.09,
    }


def test_marks_are_of_the_runs_that_count():
    tested = _tested(RD=0.8, CR=0.9)
    assert tested.mark("CR", [0, 1], [0]) == "pretext not learned, 1 of 2"
    assert tested.mark("CR", [0], [0, 1]) == "pretext not learned, 2 of 2"
    assert tested.mark("CR", [1], [0]) == tested.mark("AE", [0, 1], [0]) == ""
    assert tested.mark("RD", [0, 1], [0]) == ""


def test_what_was_asked_for_and_what_was_learned_is_read(tmp_path):
    plan = comparison_jobs.Plan(
        *("data", "segmentation", {}, config.TrainConfig(), {}, config.TrainConfig()),
        model_config=config.preset("unet-16"),
        work_dir=str(tmp_path),
    )
    jobs = comparison_jobs.ordered({"percent50": ("RD", "CR", "AE")}, [0], [0])
    for start, learned in (("CR", False), ("AE", None)):
        pretext = next(job for job in jobs if job.is_pretext and job.start == start)
        job_list.write_result(str(tmp_path), pretext, {"pretext_learned": learned})
    tested = comparison_results.read(jobs, plan)
    assert tested.planned == {"percent50": ["RD", "CR", "AE"]} and not tested.cases
    assert tested.learned == {("CR", 0, 0): False}  # of the other nobody can tell


def test_missing_values_are_counted():
    cases = _cases(0, 0.8)
    cases.values.update({name: np.ones(24) for name in ("a_hd95_mm", "b_hd95_mm", "hd95_mm")})
    cases.values["a_hd95_mm"][:2] = np.nan
    cells = {("percent50", "RD"): {0: {0: cases}}}
    tested = comparison_results.Tested("segmentation", cells, 20, {"percent50": ["RD"]}, {})
    assert tested.parts("hd95_mm") == ["a_hd95_mm", "b_hd95_mm"] and tested.parts("dice") == [
        "dice"
    ]
    assert tested.without_value(("percent50", "RD")) == {"a_hd95_mm": 2, "hd95_mm": 2}


def test_deviations_are_over_subjects_whose_seeds_are_averaged():
    def cases(values):
        subject = np.array(["a", "a", "b", "c"])
        of = {"x_hd95_mm": np.array(values), "hd95_mm": np.array(values)}
        return comparison_scores.Cases(np.array(list("1234")), subject, of)

    # Subjects 2, 6, nothing in the first seed and 4, 6, 20 in the second: means 3, 6, 20.
    first, second = cases([1.0, 3.0, 6.0, np.nan]), cases([4.0, 4.0, 6.0, 20.0])
    cells = {("percent50", "RD"): {0: {0: first}, 1: {0: second}}}
    tested = comparison_results.Tested("segmentation", cells, 20, {"percent50": ["RD"]}, {})
    row = comparison_results._row(tested, ("percent50", "RD"))
    expected = ((3 - 29 / 3) ** 2 + (6 - 29 / 3) ** 2 + (20 - 29 / 3) ** 2) / 2
    assert row["std"]["hd95_mm"] == pytest.approx(expected**0.5, abs=1e-6)
    assert ", sd 9.1 (1 without)" in comparison_results._value_text(row, "hd95_mm")


def test_other_cases_are_refused():
    cases = {0: {0: _cases(0, 0.8)}}, {0: {0: _cases(1, 0.8)}}
    cells = {("a", "RD"): cases[0], ("a", "CR"): cases[1]}
    tested = comparison_results.Tested("segmentation", cells, 20, {}, {})
    with pytest.raises(ValueError, match="must be those of the draws"):
        comparison_results._contrasts(tested)


def test_table(tmp_path):
    plan = comparison_jobs.Plan(
        *("data", "segmentation", {}, config.TrainConfig(), {}, config.TrainConfig()),
        model_config=config.preset("unet-16"),
        work_dir=str(tmp_path),
    )
    jobs = comparison_jobs.ordered({"percent50": ("RD", "CR")}, [0, 1], [0])
    done = {"start": "CR", "fold": 0, "seed": 0, "epochs": 1, "best_epoch": 1, "seconds": 1.0}
    done |= {"pretext_learned": False, "validation": {}, "results": {}}
    pretext = next(job for job in jobs if job.is_pretext)
    job_list.write_result(str(tmp_path), pretext, done)
    not_run = {jobs[-1]: "the budget was used"}
    content = comparison_results.collect(jobs, plan, not_run, _tested(RD=0.8, CR=0.9))
    text = comparison_results.table(content)
    # Of the two pretexts of this row one was not learned; that of another seed is not its own.
    assert "| percent50 | CR (pretext not learned, 1 of 2) |" in text
    assert "| percent50 CR (pretext not learned, 1 of 2) - RD |" in text
    assert "| 2 x 1 |" in text
    header, _, first, *_ = text.splitlines()
    assert header == "| amount | start | dice | dice by seed | folds x seeds |"
    value = content["rows"][0]["measures"]["dice"]["value"]
    assert first.endswith(f"] | {value:.3f} | 2 x 1 |")
    assert f"- {jobs[-1].name}: the budget was used" in text
