import numpy as np
import pytest
from sklearn import metrics

from spine_tf.data import records
from spine_tf.evaluation import inference, pair_list

_FAMILY = {"A": "f1", "B": "f2", "C": "f3", "D": "f1"}  # A and D are twins


def _index(*rows):
    """An index of (subject, level, days per visit, field strength per visit)."""
    return records.Index(
        "",
        "vertebra_pairs",
        0.5,
        tuple(
            {
                "subject": subject,
                "family": _FAMILY[subject],
                "level": level,
                "visit": list(range(len(days))),
                "days": list(days),
                "field_strength_t": list(field_t),
                "scan": [f"{subject}-{visit}" for visit in range(len(days))],
            }
            for subject, level, days, field_t in rows
        ),
    )


def _pairs(index, min_interval_days=180):
    visits = pair_list.visits_of(index, inference.visit_items(index))
    return visits, pair_list.all_pairs(index, visits, min_interval_days)


def _named(visits, found, kind):
    """Pairs of one kind as texts such as A0-B1."""
    name = [f"{s}{v}" for s, v in zip(visits.subject, visits.visit, strict=True)]
    here = found.kind == kind
    return sorted(
        f"{name[one]}-{name[two]}"
        for one, two in zip(found.first[here], found.second[here], strict=True)
    )


TWO = ((0, 3650), (1.0, 1.5))


def test_pairs_of_three_subjects_and_a_twin():
    index = _index(*(("ABCD"[i], "L1", *TWO) for i in range(4)))
    visits, found = _pairs(index)
    assert _named(visits, found, pair_list.POSITIVE) == ["A0-A1", "B0-B1", "C0-C1", "D0-D1"]
    assert _named(visits, found, pair_list.TWIN) == ["A0-D1", "D0-A1"]
    expected = ["A0-B1", "A0-C1", "B0-A1", "B0-C1", "B0-D1"]
    expected += ["C0-A1", "C0-B1", "C0-D1", "D0-B1", "D0-C1"]
    assert _named(visits, found, pair_list.NEGATIVE) == expected


def test_the_count_of_the_paper():
    # 42 subjects, each at one level: 42 positives and 42 * 41 ordered negatives.
    rows = [
        {"subject": f"s{i}", "family": f"s{i}", "level": "L1", "visit": [0, 1]}
        | {"days": [0, 3650], "field_strength_t": [1.0, 1.5], "scan": ["a", "b"]}
        for i in range(42)
    ]
    index = records.Index("", "vertebra_pairs", 0.5, tuple(rows))
    _, found = _pairs(index)
    assert (found.kind == pair_list.POSITIVE).sum() == 42
    assert (found.kind == pair_list.NEGATIVE).sum() == 42 * 41


def test_levels_are_never_mixed_and_single_visits_make_no_pair():
    index = _index(("A", "L1", *TWO), ("B", "L2", *TWO), ("C", "L1", (0,), (1.0,)))
    visits, found = _pairs(index)
    assert _named(visits, found, pair_list.POSITIVE) == ["A0-A1", "B0-B1"]
    assert _named(visits, found, pair_list.NEGATIVE) == []


def test_field_strengths_of_negatives_are_those_of_positives():
    index = _index(("A", "L1", *TWO), ("B", "L1", (0, 3650), (1.5, 3.0)))
    visits, found = _pairs(index)
    # A0 (1.0) with B1 (3.0) and B0 (1.5) with A1 (1.5) are pairs that no positive has.
    assert _named(visits, found, pair_list.NEGATIVE) == []


def test_close_visits_are_no_positive():
    index = _index(("A", "L1", (0, 30), (1.0, 1.0)), ("B", "L1", *TWO))
    visits, found = _pairs(index, min_interval_days=180)
    assert _named(visits, found, pair_list.POSITIVE) == ["B0-B1"]


def test_negatives_are_as_far_apart_in_time_as_positives():
    three = ((0, 3000, 6000), (1.5, 1.5, 1.5)), ((0, 3100, 6200), (1.5, 1.5, 1.5))
    visits, found = _pairs(_index(("A", "L1", *three[0]), ("B", "L1", *three[1])))
    expected = ["A0-B1", "A0-B2", "A1-B2", "B0-A1", "B0-A2", "B1-A2"]
    assert _named(visits, found, pair_list.NEGATIVE) == expected


@pytest.mark.parametrize("share_of_three", [0.25, 1.0])
def test_time_does_not_tell_the_label(share_of_three):
    rng, rows = np.random.default_rng(0), []
    for i in range(120):
        count = 2 + (rng.random() < share_of_three)
        days = np.cumsum([0, *rng.integers(2900, 4400, count - 1)]).tolist()
        rows.append(
            {"subject": f"s{i}", "family": f"f{i}", "level": "L1", "visit": list(range(count))}
            | {"days": days, "field_strength_t": [1.0, 1.5, 1.5][:count], "scan": days}
        )
    visits, found = _pairs(records.Index("", "vertebra_pairs", 0.5, tuple(rows)))
    weight = pair_list.matched_weights(found, np.full(len(found), True), pair_list.NEGATIVE)
    days = visits.days[found.second] - visits.days[found.first]
    is_positive = found.kind == pair_list.POSITIVE
    area = metrics.roc_auc_score(is_positive, days, sample_weight=weight)
    assert area == pytest.approx(0.5, abs=0.02)


def test_no_pair_at_all():
    visits, found = _pairs(_index(("A", "L1", (0,), (1.0,))))
    assert len(found) == 0
    weight = pair_list.matched_weights(found, np.zeros(0, bool), pair_list.NEGATIVE)
    assert len(weight) == 0
    assert len(pair_list.blockwise(np.zeros((1, 2)), visits, found, lambda v: v @ v.T)) == 0


def _three_visits(seed=0, number=12):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(number):
        count = int(rng.integers(2, 4))
        rows.append(
            {"subject": f"s{i}", "family": f"f{i // 2}", "level": "L1"}
            | {"visit": list(range(count)), "days": [3000 * v for v in range(count)]}
            | {"field_strength_t": [1.0, *rng.choice([1.0, 1.5], count - 1).tolist()]}
            | {"scan": [f"s{i}-{v}" for v in range(count)]}
        )
    return records.Index("", "vertebra_pairs", 0.5, tuple(rows))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", [pair_list.NEGATIVE, pair_list.TWIN])
def test_field_strengths_do_not_tell_the_label(seed, kind):
    """In every stratum positives and negatives weigh the same, so their AUC is 0.5 exactly."""
    _, found = _pairs(_three_visits(seed))
    weight = pair_list.matched_weights(found, np.full(len(found), True), kind)
    for stratum in np.unique(found.stratum):
        here = found.stratum == stratum
        positive = weight[here & (found.kind == pair_list.POSITIVE)].sum()
        assert weight[here & (found.kind == kind)].sum() == pytest.approx(positive)
    assert weight[~np.isin(found.kind, (pair_list.POSITIVE, kind))].sum() == 0


@pytest.mark.parametrize("seed", range(5))
def test_negatives_keep_the_rules(seed):
    visits, found = _pairs(_three_visits(seed))
    same_family = visits.family[found.first] == visits.family[found.second]
    same_subject = visits.subject[found.first] == visits.subject[found.second]
    assert np.all(visits.level[found.first] == visits.level[found.second])
    assert not np.any(same_family & (found.kind == pair_list.NEGATIVE))
    assert np.all(same_family[found.kind == pair_list.TWIN])
    np.testing.assert_array_equal(same_subject, found.kind == pair_list.POSITIVE)
    assert len(set(zip(found.first, found.second, found.kind, strict=True))) == len(found)


def test_folds_are_joined_with_strata_of_their_own():
    index = _index(("A", "L1", *TWO), ("B", "L1", *TWO))
    parts = []
    for fold, offset in ((0, 0), (1, 4)):
        visits = pair_list.visits_of(index, inference.visit_items(index), fold)
        parts.append((visits, pair_list.all_pairs(index, visits, 180, offset)))
    visits, found = pair_list.join(parts)
    assert len(visits.subject) == 8
    assert np.all(visits.fold[found.first] == visits.fold[found.second])
    assert sorted(set(found.stratum.tolist())) == [0, 1]


def test_blockwise_compares_within_fold_and_level():
    index = _index(("A", "L1", *TWO), ("B", "L1", *TWO), ("A", "L2", *TWO), ("B", "L2", *TWO))
    visits, found = _pairs(index)
    values = np.arange(8.0)[:, None]
    result = pair_list.blockwise(values, visits, found, lambda v: v - v.T)
    np.testing.assert_array_equal(result, found.first - found.second)


def test_levels_go_from_head_to_foot():
    index = _index(*(("A", name, *TWO) for name in ("whole", "S1", "L4-L5", "T12", "L1-L2", "L1")))
    visits, _ = _pairs(index)
    assert visits.level_names() == ["T12", "L1", "S1", "L1-L2", "L4-L5", "whole"]
