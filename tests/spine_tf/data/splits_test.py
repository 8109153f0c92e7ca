import collections

import hypothesis
import pytest
from hypothesis import strategies as st

from spine_tf.data import splits

COHORTS = st.lists(st.integers(1, 3), min_size=1, max_size=60)
SEEDS = st.integers(0, 5)


def _families(num_visits):
    return [splits.Family(f"f{number:04d}", count) for number, count in enumerate(num_visits)]


def _held(protocol, *names):
    return {key for key, name in protocol.items() if name in names}


def test_families_of_counts_the_visits_of_their_members():
    visits = [("f", "a", 0), ("f", "a", 1), ("f", "b", 0), ("g", "c", 0), ("g", "c", 0)]
    found = splits.families_of(visits)
    assert found == [splits.Family("f", 2), splits.Family("g", 1)]
    more = splits.families_of([("f", "a", 0), ("f", "b", 0), ("f", "b", 3), ("f", "b", 1)])
    assert more == [splits.Family("f", 3)]


def test_the_quotas_of_the_paper():
    # 423 followed families (380 with two visits, 43 with three) and 593 with one.
    families = _families([2] * 380 + [3] * 43 + [1] * 593)
    found = splits.make_splits(families, seed=0)["protocols"]
    followed = {family.key for family in families if family.num_visits > 1}
    counts = collections.Counter(found["longitudinal"][key] for key in followed)
    assert counts == {"train": 339, "validation": 42, "test": 42}
    # Single visits that grading trains on are the other side of negatives, in training only.
    singles = set(found["longitudinal"]) - followed
    assert singles == _held(found["grading"], "train") - followed
    assert {found["longitudinal"][key] for key in singles} == {"train"}
    # A tenth of each stratum is held out: 38 and 4.3.
    for name in ("validation", "test"):
        three = _held(found["longitudinal"], name) & {f.key for f in families if f.num_visits == 3}
        assert len(three) in (4, 5)
    # Grading: a fifth and a tenth of 1016, and the test holds single visits only.
    counts = collections.Counter(found["grading"].values())
    assert counts == {"train": 711, "validation": 102, "test": 203}
    singles = {f.key for f in families if f.num_visits == 1}
    assert _held(found["grading"], "test") <= singles


@hypothesis.settings(deadline=None)
@hypothesis.given(COHORTS, SEEDS)
def test_grading_never_tests_on_what_the_pretext_saw(num_visits, seed):
    found = splits.make_splits(_families(num_visits), seed=seed)["protocols"]
    seen = _held(found["longitudinal"], "train", "validation")
    assert not seen & _held(found["grading"], "validation", "test")


@hypothesis.settings(deadline=None)
@hypothesis.given(COHORTS, SEEDS)
def test_every_family_is_somewhere_and_no_split_is_empty(num_visits, seed):
    families = _families(num_visits)
    found = splits.make_splits(families, seed=seed)["protocols"]
    assert set(found["grading"]) == {family.key for family in families}
    followed = {family.key for family in families if family.num_visits > 1}
    longitudinal = set(found["longitudinal"])
    assert longitudinal >= followed or not longitudinal
    if found["longitudinal"]:
        assert set(found["longitudinal"].values()) == set(splits.SPLITS)
    if len(families) >= 3:
        assert set(found["grading"].values()) == set(splits.SPLITS)


@hypothesis.settings(deadline=None)
@hypothesis.given(st.lists(st.integers(1, 3), min_size=5, max_size=40), SEEDS, st.integers(2, 5))
def test_folds_test_each_family_once(num_visits, seed, num_folds):
    families = _families(num_visits)
    found = splits.make_splits(families, seed=seed, num_folds=num_folds)["protocols"]
    tested = [key for i in range(num_folds) for key in _held(found[f"fold{i}"], "test")]
    assert sorted(tested) == [family.key for family in families]
    for fold in range(num_folds):
        assert set(found[f"fold{fold}"]) == {family.key for family in families}
        assert set(found[f"fold{fold}"].values()) == set(splits.SPLITS)
        size = len(_held(found[f"fold{fold}"], "test"))
        assert size in (len(families) // num_folds, -(-len(families) // num_folds))


@hypothesis.settings(deadline=None)
@hypothesis.given(COHORTS, SEEDS)
def test_the_order_of_the_families_does_not_matter(num_visits, seed):
    families = _families(num_visits)
    one = splits.make_splits(families, seed=seed)
    assert splits.make_splits(families[::-1], seed=seed) == one


def test_another_seed_is_another_split():
    families = _families([2] * 30 + [1] * 30)
    one, two = (splits.make_splits(families, seed=seed)["protocols"] for seed in (0, 1))
    assert one["longitudinal"] != two["longitudinal"]
    assert one["grading"] != two["grading"]
    one, two = (splits.by_subject(families, seed=s, held_out_fraction=0.2) for s in (0, 1))
    assert one != two


def test_another_seed_is_another_choice_of_folds_and_parts():
    families = _families([2] * 10 + [1] * 20)
    made = [splits.make_splits(families, seed=s, num_folds=3)["protocols"] for s in (0, 1)]
    assert made[0]["fold0"] != made[1]["fold0"]
    # What is held out of the rest follows from the seed and the fold, not from one order of all.
    tested = [_held(made[0][f"fold{n}"], "test") for n in range(3)]
    checked = [_held(made[0][f"fold{n}"], "validation") for n in range(3)]
    assert not set.intersection(*checked) and all(map(set.isdisjoint, tested, checked))
    sizes = {family.key: 1 for family in families}
    parts = [splits.parts({"a": {}} | made[0], sizes, seed=s, counts=(5,)) for s in (0, 1)]
    assert parts[0]["fold0_subjects5"] != parts[1]["fold0_subjects5"]
    fold0, fold1 = (_held(parts[0][f"fold{n}_subjects5"], "train") for n in (0, 1))
    assert fold0 != fold1


def test_few_families_all_train_in_grading():
    found = splits.make_splits(_families([1, 1]), seed=0)["protocols"]
    assert found["grading"] == {"f0000": "train", "f0001": "train"}


def test_sizes_of_parts():
    protocols = {"fold0": {f"f{n}": "train" for n in range(200)} | {"x": "test"}}
    sizes = {key: 1 for key in protocols["fold0"]}
    found = splits.parts(protocols, sizes, seed=0, percents=(0, 50, 100), counts=(200,))
    counts = {name: len(_held(part, "train")) for name, part in found.items()}
    # At least one subject; 100 % is the protocol itself.
    assert counts == {
        "fold0_percent0": 1,
        "fold0_percent50": 100,
        "fold0": 200,
        "fold0_subjects200": 200,
    }


def test_the_split_is_the_same_on_every_machine():
    # Written down once: if it changes, models of before would be tested on what they have seen.
    families = _families([2, 2, 2, 2, 1, 1, 1, 1])
    found = splits.make_splits(families, seed=0)["protocols"]
    expected = ["train", "validation", "test", "train"]
    followed = {key: name for key, name in found["longitudinal"].items() if key < "f0004"}
    assert followed == {f"f{i:04d}": name for i, name in enumerate(expected)}
    found = splits.by_subject(families, seed=0, held_out_fraction=0.25)
    assert _held(found, "test") == {"f0003", "f0006"}
    assert _held(found, "validation") == {"f0000", "f0004"}


@pytest.mark.parametrize(
    "name, whole",
    [
        ("grading", "grading"),
        (splits.percent_name("grading", 25), "grading"),
        (splits.percent_name("fold1", 100), "fold1"),
        (splits.subjects_name("fold1", 12), "fold1"),
        ("a_percent", "a_percent"),
        ("a_percent5_b", "a_percent5_b"),
    ],
)
def test_the_protocol_that_a_part_is_of(name, whole):
    assert splits.whole_name(name) == whole


@pytest.mark.parametrize("num_visits", [[1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1, 1]])
def test_too_few_follow_ups_leave_the_pretext_empty(num_visits):
    found = splits.make_splits(_families(num_visits), seed=0)["protocols"]
    assert found["longitudinal"] == {}
    assert set(found["grading"].values()) == set(splits.SPLITS)


def test_more_folds_than_families_are_refused():
    with pytest.raises(ValueError, match=r"`folds` must be at most .* \(4\), got 5"):
        splits.make_splits(_families([1] * 4), seed=0, num_folds=5)


@pytest.mark.parametrize(
    ("count", "fraction", "held_out"), [(1, 0.1, 0), (2, 0.1, 0), (3, 0.1, 1), (10, 0.49, 4)]
)
def test_by_subject_holds_out_the_same_share_twice(count, fraction, held_out):
    found = splits.by_subject(_families([1] * count), seed=0, held_out_fraction=fraction)
    counts = collections.Counter(found.values())
    assert counts["test"] == counts["validation"] == held_out
    assert counts["train"] == count - 2 * held_out


@hypothesis.given(COHORTS.filter(lambda c: len(c) >= 6), SEEDS)
@hypothesis.settings(deadline=None, max_examples=20)
def test_parts_are_nested_and_share_what_is_held_out(num_visits, seed):
    families = _families(num_visits)
    protocols = splits.make_splits(families, seed=seed, num_folds=3)["protocols"]
    sizes = {family.key: 1 + number % 2 for number, family in enumerate(families)}
    found = splits.parts(protocols, sizes, seed=seed, percents=(25, 50), counts=(1, 2))
    assert set(found) == {
        f"{protocol}_{part}"
        for protocol in ("grading", "fold0", "fold1", "fold2")
        for part in ("percent25", "percent50", "subjects1", "subjects2")
    }
    for name, part in found.items():
        whole = protocols[name.split("_")[0]]
        for split in ("validation", "test"):
            assert _held(part, split) == _held(whole, split)
    for fold in ("fold0", "fold1", "fold2"):
        parts = [found[f"{fold}_subjects{n}"] for n in (1, 2)]
        parts += [found[splits.percent_name(fold, 50)], protocols[fold]]
        train = [_held(part, "train") for part in parts]
        assert train[0] <= train[1] and train[2] <= train[3] and _held(parts[0], "train")
        half, total = (sum(sizes[key] for key in kept) for kept in train[2:])
        assert total / 2 - 1 <= half <= total / 2 + 2


def test_parts_larger_than_the_whole_are_refused():
    protocols = {"fold0": {"a": "train", "b": "test"}, "longitudinal": {"a": "train"}}
    sizes = {"a": 1, "b": 1}
    with pytest.raises(ValueError, match=r"training subjects of 'fold0' \(1\), got 2"):
        splits.parts(protocols, sizes, seed=0, counts=(2,))
    found = splits.parts(protocols, sizes, seed=0, counts=(2, 1), leave_out=True)
    assert set(found) == set(splits.parts(protocols, sizes, seed=0, counts=(1,)))
    assert splits.parts(protocols, sizes, seed=0) == {}
    assert splits.percent_name("fold0", 100) == "fold0"
