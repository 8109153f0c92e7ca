import numpy as np

from benchmarks import comparison_claims, comparison_results, comparison_scores


def _cases(dice, spread):
    subject = np.array([f"s{i}" for i in range(20)])
    noise = np.random.default_rng(0).normal(0, spread, len(subject))
    values = {"dice": dice + noise, "sensitivity": dice + noise, "hd95_mm": 10 * (1 - dice - noise)}
    return comparison_scores.Cases(subject, subject, values)


def _judged(amounts, spread=0.0, more=()):
    cases = {
        (amount, start): {0: {0: _cases(dice, spread if start == "CR" else 0.0)}}
        for amount, starts in amounts.items()
        for start, dice in starts.items()
    }
    planned = {amount: [*starts, *more] for amount, starts in amounts.items()}
    learned = {("CR", 0, 0): False}
    tested = comparison_results.Tested("segmentation", cases, 400, planned, learned)
    return {one["id"]: one for one in comparison_claims.judge(tested)}


def test_held_not_held_and_not_run():
    found = _judged({"percent50": {"RD": 0.8, "CR": 0.9, "RD+AG": 0.7}, "percent25": {"RD": 0.8}})
    assert found["CR is no worse than RD, RD+AG at percent50 in dice"]["verdict"] == "held"
    # Distances are better where they are smaller: 1 mm against 2 and 3.
    distances = found["CR is no worse than RD, RD+AG at percent50 in hd95_mm"]
    assert distances["verdict"] == "held"
    assert [round(part["value"], 6) for part in distances["numbers"]] == [1.0, 2.0]
    assert found["augmentation helps at percent50 in dice"]["verdict"] == "not held"
    assert found["CR at half reaches RD with all in dice"]["verdict"] == "not run"
    assert not any("percent25" in name for name in found)


def test_a_model_that_misses_the_hard_cases_gains_nothing():
    cases = {"RD": _cases(0.8, 0.0), "CR": _cases(0.8, 0.0)}
    for one in cases.values():
        one.values["hd95_mm"][0] = 50.0
    cases["CR"].values["hd95_mm"][:] += 1.0  # CR is worse wherever both found something
    cases["CR"].values["hd95_mm"][0] = np.nan
    cells = {("percent50", start): {0: {0: one}} for start, one in cases.items()}
    planned = {"percent50": ["RD", "CR"]}
    tested = comparison_results.Tested("segmentation", cells, 200, planned, {})
    judged = comparison_claims.judge(tested)
    found = next(one for one in judged if "hd95_mm" in one["id"])
    assert found["verdict"] == "not held"
    (numbers,) = found["numbers"]
    assert (round(numbers["value"], 6), numbers["unpaired"]) == (-1.0, [0, 1])
    assert "(only one side has 0 and 1 values: left out)" in comparison_claims.table(judged)


def test_a_rival_that_was_not_run_leaves_it_open():
    found = _judged({"percent50": {"RD": 0.8, "CR": 0.9}}, more=["AE"])
    one = found["CR is no worse than RD, AE at percent50 in dice"]
    assert one["verdict"] == "not run" and len(one["numbers"]) == 2
    # One that is better decides it all the same.
    found = _judged({"percent50": {"RD": 0.95, "CR": 0.9}}, more=["AE"])
    assert found["CR is no worse than RD, AE at percent50 in dice"]["verdict"] == "not held"


def test_a_claim_is_of_every_region():
    def cases(first, second):
        made = _cases((first + second) / 2, 0.0)
        made.values["disc_dice"] = np.full(20, first)
        made.values["canal_dice"] = np.full(20, second)
        return {0: {0: made}}

    cells = {("percent50", "RD"): cases(0.8, 0.8), ("percent50", "CR"): cases(0.95, 0.75)}
    cells[("percent100", "RD")] = cases(0.9, 0.9)
    planned = {"percent100": ["RD"], "percent50": ["RD", "CR"]}
    tested = comparison_results.Tested("segmentation", cells, 500, planned, {})
    found = {one["id"]: one["verdict"] for one in comparison_claims.judge(tested)}
    # Of the canal it is worse.
    assert found["CR is no worse than RD at percent50 in dice"] == "not held"
    assert found["CR at half reaches RD with all in disc_dice"] == "held"
    assert found["CR at half reaches RD with all in canal_dice"] == "not held"


def test_one_of_many_below_by_chance_refutes_nothing():
    # Five rivals, of which one is better by a little in 20 noisy cases: p is some percent alone.
    cases = {"CR": _cases(0.8, 0.0)} | {name: _cases(0.7, 0.0) for name in ("RD", "AE", "RP", "JS")}
    better = _cases(0.8, 0.0)
    better.values["dice"] = better.values["dice"] + np.where(np.arange(20) < 13, 0.03, -0.029)
    cells = {("percent50", start): {0: {0: one}} for start, one in (cases | {"CP": better}).items()}

    def judged(planned):
        tested = comparison_results.Tested("segmentation", cells, 2000, {"percent50": planned}, {})
        found = comparison_claims.judge(tested)
        return next(one for one in found if one["id"].endswith("percent50 in dice"))

    # Alone it is told from chance or not as its interval says; among five it is not.
    (alone,) = judged(["CR", "CP"])["numbers"]
    found = judged(["CR", "CP", "RD", "AE", "RP", "JS"])
    part = next(one for one in found["numbers"] if "CP" in one["name"])
    assert part["p"] == alone["p"] and alone["p"] > 0.01
    assert found["verdict"] == "undecided"
    # Better in every case, it refutes the claim among five, too.
    better.values["dice"] = np.full(20, 0.81)
    assert judged(["CR", "CP", "RD", "AE", "RP", "JS"])["verdict"] == "not held"


def test_best_is_of_all_six():
    rivals = dict.fromkeys(("RD", "RD+AG", "AE", "RP", "JS", "CP"), 0.8)
    rivals["CR+AG"] = 0.95  # no rival: its images are augmented, and its weights are restoration's
    found = _judged({"percent50": {"CR": 0.9} | rivals})["CR is best of percent50 in dice"]
    assert found["verdict"] == "held" and len(found["numbers"]) == 6
    rivals["JS"] = 0.93
    found = _judged({"percent50": {"CR": 0.9} | rivals})["CR is best of percent50 in dice"]
    assert found["verdict"] == "not held"


def test_a_region_that_a_model_never_finds_is_undefined():
    def judged(second):
        cells = {}
        for start, mm in (("RD", 1.0), ("CR", second)):
            made = _cases(0.8, 0.0)
            made.values["canal_hd95_mm"] = np.full(20, np.nan if start == "CR" else 1.0)
            made.values["disc_hd95_mm"] = np.full(20, mm)
            cells["percent50", start] = {0: {0: made}}
        planned = {"percent50": ["RD", "CR"]}
        tested = comparison_results.Tested("segmentation", cells, 200, planned, {})
        (found,) = [one for one in comparison_claims.judge(tested) if "hd95" in one["id"]]
        assert "| " + found["verdict"] + " |" in comparison_claims.table([found])
        return found["verdict"]

    assert judged(0.5) == "undefined"
    assert judged(2.0) == "not held"  # the disc decides it all the same


def test_claims_carry_the_mark():
    found = _judged({"percent50": {"RD": 0.8, "CR": 0.9}})
    text = comparison_claims.table(list(found.values()))
    assert "percent50 CR: pretext not learned, 1 of 1" in text


def test_undecided():
    amounts = {"percent50": {"RD": 0.8, "CR": 0.8}, "percent100": {"RD": 0.9}}
    found = _judged(amounts, spread=0.1)
    assert found["CR is no worse than RD at percent50 in dice"]["verdict"] == "undecided"
    assert found["CR at half reaches RD with all in dice"]["verdict"] == "not held"
    assert "| undecided |" in comparison_claims.table(list(found.values()))
