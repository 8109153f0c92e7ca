"""Tests of export.drift_groups, and of its sentences."""

import numpy as np

from export import drift_groups, drift_stats, drift_words

LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
SCANNERS = ("1.5 T", "3 T")


def make(num_scans, seed, scanners=SCANNERS, has_keys=True):
    """Five discs of each scan; scans, levels and scanners differ as real ones do."""
    random = np.random.default_rng([8, seed])
    scanner = np.repeat(random.choice(scanners, num_scans), len(LEVELS))
    level = np.tile(LEVELS, num_scans)
    of_scan = np.repeat(random.normal(0, 0.05, num_scans), len(LEVELS))
    noise = random.normal(0, 1, (2, len(level)))
    numbers = {
        "intensity_mean": 0.4 + of_scan + 0.05 * noise[0] + 0.03 * (scanner == "3 T"),
        "embedding_0": noise[1] + np.tile(np.arange(len(LEVELS)), num_scans),
    }
    classes = {"pfirrmann": random.integers(1, 6, len(level))}
    scan = np.repeat([f"s{i}" for i in range(num_scans)], len(LEVELS)) if has_keys else None
    return drift_groups.Rows(numbers, classes, level, scanner, scan)


def found(reference, sample):
    """Statuses by title, titles of what is blamed, and the sentences."""
    groups = drift_groups.judge(reference, sample)
    blamed = drift_groups.blame(reference, sample, groups)
    statuses = {group.title: group.status for group in groups}
    titles = [group.title for group in blamed]
    return statuses, titles, drift_words.conclusion(groups, blamed)


REFERENCE = make(400, 0, has_keys=False)


def test_an_unmoved_batch_is_not_flagged():
    for seed in range(1, 6):
        statuses, blamed, lines = found(REFERENCE, make(120, seed))
        assert set(statuses.values()) == {drift_groups.UNMOVED} and not blamed
        assert lines == ["Nothing moved."]


def test_a_scanner_whose_intensities_are_scaled_is_named_and_no_level():
    sample = make(120, 5)
    sample.numbers["intensity_mean"][sample.scanner == "3 T"] *= 1.3
    statuses, blamed, lines = found(REFERENCE, sample)
    assert statuses["scanner 3 T"] == statuses["level L3-L4"] == drift_groups.MOVED
    assert statuses["scanner 1.5 T"] == drift_groups.UNMOVED
    assert blamed == ["scanner 3 T"]
    assert lines[0].startswith("Scanner 3 T moved: intensity_mean is higher (median 0.5")
    assert lines[1] == "Without scanner 3 T nothing else that can be judged moved."


def test_a_level_is_named_and_no_scanner():
    sample = make(120, 6)
    sample.numbers["embedding_0"][sample.level == "L3-L4"] -= 2
    _, blamed, lines = found(REFERENCE, sample)
    assert blamed == ["level L3-L4"] and "embedding_0 is lower" in lines[0]


def test_grades_of_a_level():
    sample = make(120, 7)
    sample.classes["pfirrmann"][sample.level == "L5-S1"] = 5
    _, blamed, lines = found(REFERENCE, sample)
    assert blamed == ["level L5-S1"]
    assert lines[0].startswith("Level L5-S1 moved: pfirrmann grades (PSI ")


def test_the_whole_batch():
    sample = make(120, 8)
    sample.numbers["intensity_mean"][:] += 0.3
    _, blamed, lines = found(REFERENCE, sample)
    assert not blamed
    assert lines[0].startswith(
        "The whole batch moved, on every scanner and level that can be judged: "
    )


def test_another_mix_of_scanners_is_told_and_is_no_drift_of_levels():
    statuses, blamed, lines = found(REFERENCE, make(150, 9, ("3 T",)))
    assert statuses["the batch"] == drift_groups.MOVED and not blamed
    assert statuses["level L3-L4"] == statuses["scanner 3 T"] == drift_groups.UNMOVED
    assert lines[0].startswith("The batch moved as a whole, and no scanner or level alone: mix of")


def test_levels_alone_are_compared_with_their_own():
    sample = make(150, 10)
    statuses, _, _ = found(REFERENCE, sample.at(sample.level == "L5-S1"))
    assert statuses["level L5-S1"] == statuses["scanner 3 T"] == drift_groups.UNMOVED


def test_a_scanner_that_training_has_not_seen_is_compared_with_others():
    sample = make(150, 11, ("1.5 T", "0.5 T"))
    sample.numbers["intensity_mean"][sample.scanner == "0.5 T"] += 0.2
    groups = drift_groups.judge(REFERENCE, sample)
    new = next(group for group in groups if group.name == "0.5 T")
    assert new.reference.startswith("training discs of other scanners")
    assert [g.name for g in drift_groups.blame(REFERENCE, sample, groups)] == ["0.5 T"]


def test_small_groups_are_said_to_be_small():
    sample = make(12, 12)
    sample.numbers["intensity_mean"][:] *= 3
    statuses, blamed, lines = found(REFERENCE, sample)
    assert set(statuses.values()) == {drift_groups.TOO_SMALL} and not blamed
    assert lines[0] == "Nothing could be judged."
    assert "Too small to be judged (under 20 scans" in lines[1] and "level L1-L2 (12" in lines[1]


def test_a_large_batch_is_thinned():
    sample = make(4200, 13)
    statuses, blamed, _ = found(REFERENCE, sample)
    batch = drift_groups.judge(REFERENCE, sample)[0]
    assert batch.num_discs == 21_000 and batch.num_scans == 4200
    assert not blamed and statuses["the batch"] == drift_groups.UNMOVED


def test_medians_have_the_digits_that_show_a_difference():
    def say(*middle):
        moved = drift_stats.Moved(2.8, 0.5, 0.001)
        return drift_words.describe(drift_groups.Measure("x", False, moved, middle=middle))

    assert say(0.5, 0.25) == "x is higher (median 0.5, in training 0.25; PSI 2.80)"
    assert say(4.3901e-4, 4.3902e-4) == (
        "x is lower (median 0.00043901, in training 0.00043902; PSI 2.80)"
    )
    assert say(1.0, 1 + 1e-8) == "x is spread otherwise (median 1 as in training; PSI 2.80)"
