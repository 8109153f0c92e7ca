import collections

import pytest

from data_prep import make_phantom_lib, paper_cohort


@pytest.fixture(scope="module")
def visits():
    configs = paper_cohort.configs(seed=3)
    return [
        (study.family, study.patient_id, study.payload.visit)
        for config in configs
        for study in make_phantom_lib.studies(config)
    ]


@pytest.fixture(scope="module")
def protocols(visits):
    return paper_cohort.make_protocols(visits, seed=0)


def _counts(visits, protocol, split):
    """Subjects, subjects with a follow-up, and scans of a split."""
    scans = collections.Counter(s for family, s, _ in visits if protocol.get(family) == split)
    return len(scans), sum(count > 1 for count in scans.values()), sum(scans.values())


def test_the_cohort_is_that_of_the_paper(visits):
    scans = collections.Counter(subject for _, subject, _ in visits)
    assert len(scans) == 1016
    assert collections.Counter(scans.values()) == {1: 593, 2: 423}


def test_the_learning_curve_has_444_667_and_976_scans(visits, protocols):
    found = [_counts(visits, protocols[f"grading{size}"], "train") for size in (240, 361, 670)]
    assert found == [(240, 204, 444), (361, 306, 667), (670, 306, 976)]
    # Five graded discs a scan.
    assert [5 * scans for _, _, scans in found] == [2220, 3335, 4880]


def test_sizes_are_nested_and_share_what_is_held_out(protocols):
    sizes = [protocols[f"grading{size}"] for size in (240, 361, 670)]
    train = [{key for key, split in found.items() if split == "train"} for found in sizes]
    assert train[0] < train[1] < train[2]
    held_out = [{k: v for k, v in found.items() if v != "train"} for found in sizes]
    assert held_out[0] == held_out[1] == held_out[2]


def test_what_is_held_out(visits, protocols):
    assert _counts(visits, protocols["grading670"], "validation") == (50, 21, 71)
    assert _counts(visits, protocols["grading670"], "test") == (200, 0, 200)
    for split, count in (("test", 42), ("validation", 42), ("train", 339)):
        assert _counts(visits, protocols["longitudinal"], split)[1] == count


def test_no_held_out_family_is_in_longitudinal_training(protocols):
    seen = {k for k, v in protocols["longitudinal"].items() if v in ("train", "validation")}
    for name in ("grading240", "grading361", "grading670", "grading"):
        held_out = {k for k, v in protocols[name].items() if v != "train"}
        assert held_out and not seen & held_out


def test_grading_holds_out_the_same_and_leaves_out_nobody(visits, protocols):
    found = protocols["grading"]
    assert set(found) == {family for family, _, _ in visits}
    for split in ("validation", "test"):
        held_out = [
            {k for k, v in p.items() if v == split} for p in (found, protocols["grading670"])
        ]
        assert held_out[0] == held_out[1]


def test_another_seed_is_another_split(visits, protocols):
    assert paper_cohort.make_protocols(visits, seed=0) == protocols
    assert paper_cohort.make_protocols(visits, seed=1) != protocols


def test_another_cohort_is_refused(visits):
    with pytest.raises(ValueError, match="423 subjects with a follow-up and 593 without, got 422"):
        first = visits[0][1]
        paper_cohort.make_protocols([v for v in visits if v[1] != first], seed=0)
