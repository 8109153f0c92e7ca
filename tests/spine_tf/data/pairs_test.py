import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from sklearn import metrics

from spine_tf.data import augmentation, crops, pairs, pipeline, records
from spine_tf.tasks.pretext import longitudinal
from tests.spine_tf import listed_pairs


def _index(*days):
    rows = tuple({"visit": list(range(len(d))), "days": list(d)} for d in days)
    return records.Index("", "vertebra_pairs", 0.5, rows)


def test_two_visits_are_one_pair_and_three_are_three():
    found = pairs.positives(_index((0,), (0, 3650), (0, 3000, 6000)), 180)
    assert found.tolist() == [[1, 0, 1], [2, 0, 1], [2, 0, 2], [2, 1, 2]]


def test_visits_that_are_close_are_no_pair():
    assert pairs.positives(_index((0, 179), (0, 180)), 180).tolist() == [[1, 0, 1]]
    # 150 days from the second to the third visit.
    found = pairs.positives(_index((0, 200, 350)), 180)
    assert found.tolist() == [[0, 0, 1], [0, 0, 2]] and found.dtype == np.int32


def test_no_follow_up_is_no_pair():
    assert pairs.positives(_index((0,), (0,)), 180).shape == (0, 3)


def _members(levels, single_levels=()):
    levels, single_levels = np.array(levels, int), np.array(single_levels, int)
    numbers = np.arange(len(levels))
    found = np.stack([numbers, np.zeros_like(numbers), np.ones_like(numbers)], 1)
    return pairs.Members(found, levels, len(levels) + np.arange(len(single_levels)), single_levels)


@hypothesis.settings(deadline=None)
@hypothesis.given(
    st.lists(st.integers(0, 6), min_size=1, max_size=50),
    st.lists(st.integers(0, 6), max_size=5),
    st.sampled_from([4, 8, 16, 32]),
)
def test_an_epoch_holds_every_positive_in_groups_of_one_level(levels, singles, batch_size):
    batch_size *= 2 if singles else 1
    found = pairs.plan(_members(levels, singles), batch_size, seed=1)
    assert found.shape[1:] == (batch_size, 3)
    assert set(range(len(levels))) <= set(found[..., 0].ravel())
    level = np.array(levels + singles)[found[..., 0]].reshape(-1, min(8, batch_size))
    assert np.all(level == level[:, :1])
    for record, visit, side in found.reshape(-1, 3):
        assert visit == side if record < len(levels) else (visit, side) == (0, pairs.EARLIER)


def test_members_of_a_positive_are_neighbours():
    members = pairs.Members(np.array([[5, 0, 2]]), np.array([3]), np.array([], int), np.array([]))
    found = pairs.plan(members, 4, seed=0)
    assert found.tolist() == [[[5, 0, 0], [5, 2, 1], [5, 0, 0], [5, 2, 1]]]


def test_baseline_only_subjects_take_two_places_of_eight():
    found = pairs.plan(_members([2] * 6, [2, 2, 2]), 8, seed=0)
    assert found.shape == (2, 8, 3)
    np.testing.assert_array_equal(np.sum(found[..., 0] >= 6, 1), [2, 2])


@pytest.mark.parametrize("batch_size", [0, 2, 6])
def test_batches_that_hold_no_groups(batch_size):
    with pytest.raises(ValueError, match=f"a multiple of 4 crops, got {batch_size}"):
        pairs.plan(_members([1]), batch_size, 0)


@pytest.mark.parametrize("batch_size", [4, 12])
def test_baseline_only_subjects_need_groups_of_eight(batch_size):
    with pytest.raises(
        ValueError, match=f"of 8 crops with baseline-only subjects, got {batch_size}"
    ):
        pairs.plan(_members([2], [2]), batch_size, 0)


def test_a_plan_follows_from_its_seed():
    one, again, other = (pairs.plan(_members(np.arange(40) % 7), 8, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


def test_a_plan_without_pairs_has_no_step():
    assert pairs.plan(_members([]), 8, 0).shape == (0, 8, 3)


# === Which pairs of a batch count ===


def _matrix(items, mode="all", seed=0, min_interval_days=180):
    """Labels and weights of items (level, subject, family, days, field strength, side)."""
    level, subject, family, days, field_t, side = (
        np.array(column) for column in zip(*items, strict=True)
    )
    visit = [
        sum(s == name and d < day for s, d in {*zip(subject, days, strict=True)})
        for name, day in zip(subject, days, strict=True)
    ]
    columns = map(tf.constant, (level, subject, family, visit, days, field_t, side))
    labels, weights = pairs.pair_matrix(
        *columns, mode=mode, min_interval_days=min_interval_days, seed=tf.constant([seed, 1])
    )
    return labels.numpy(), weights.numpy()


def _pair(level, subject, family=None, field_t=(1.0, 1.5), days=3650):
    family = family or subject
    return [
        (level, subject, family, 0, field_t[0], 0),
        (level, subject, family, days, field_t[1], 1),
    ]


def test_all_pairs_of_three_subjects():
    labels, weights = _matrix(_pair(0, "a") + _pair(0, "b") + _pair(0, "c"))
    np.testing.assert_array_equal(np.argwhere(labels * weights), [[0, 1], [2, 3], [4, 5]])
    expected = np.zeros((6, 6))
    expected[0::2, 1::2] = 0.5  # six negatives weigh as much as three positives
    np.fill_diagonal(expected[0::2, 1::2], 1.0)
    np.testing.assert_allclose(weights, expected)


def test_twins_levels_and_scanners_are_no_negatives():
    twins = _matrix(_pair(0, "a", "f") + _pair(0, "b", "f"))[1]
    levels = _matrix(_pair(0, "a") + _pair(1, "b"))[1]
    scanners = _matrix(_pair(0, "a") + _pair(0, "b", field_t=(1.5, 3.0)))[1]
    # And a positive without a negative of its scanners weighs nothing.
    assert not twins.any() and not levels.any() and not scanners.any()


def test_three_visits_of_one_subject_are_three_positives():
    items = [(0, "a", "a", days, 1.5, side) for days, side in ((0, 0), (3000, 1), (3000, 0))]
    items += [(0, "a", "a", 6000, 1.5, 1), *_pair(0, "b", field_t=(1.5, 1.5))]
    labels, weights = _matrix(items)
    np.testing.assert_array_equal(np.argwhere(labels * weights), [[0, 1], [0, 3], [2, 3], [4, 5]])


def test_a_negative_is_as_far_apart_in_time_as_a_positive():
    """Of two subjects of three visits, the second visit is the later side and the earlier one."""
    items = []
    for name, later in (("a", 3000), ("b", 3100)):
        days = (0, later, 2 * later)
        items += [(0, name, name, days[i], 1.5, s) for i, s in ((0, 0), (1, 1), (1, 0), (2, 1))]
    labels, weights = _matrix(items)
    found = np.argwhere((labels == 0) & (weights > 0)).tolist()
    # Not 2 to 5, which would be 100 days, and not 6 to 1, which would go back in time.
    expected = [[0, 5], [0, 7], [2, 7], [4, 1], [4, 3], [6, 3]]
    assert found == expected


@pytest.mark.parametrize("mode", ["all", "sampled"])
def test_time_does_not_tell_the_label_of_three_visits(mode):
    rng = np.random.default_rng(0)
    interval, labels, weights = [], [], []
    for seed in range(60):
        items = []
        for name in range(8):
            days = np.cumsum([0, *rng.integers(2900, 4400, 2)])
            for i, j in ((0, 1), (0, 2), (1, 2))[: 3 if name % 2 else 1]:
                items += [(0, name, name, days[k], 1.5, side) for side, k in enumerate((i, j))]
        found = _matrix(items, mode, seed)
        when = np.array([item[3] for item in items])
        keep = found[1] > 0
        interval.append((when[None] - when[:, None])[keep])
        labels.append(found[0][keep])
        weights.append(found[1][keep])
    found = metrics.roc_auc_score(
        np.concatenate(labels), np.concatenate(interval), sample_weight=np.concatenate(weights)
    )
    assert found == pytest.approx(0.5, abs=0.02)


def test_levels_and_scanners_are_weighed_apart():
    """The weights of two levels with other scanners are those that each has alone."""
    one = _pair(0, "a") + _pair(0, "b")
    other = [item for name in "cde" for item in _pair(1, name, field_t=(1.0, 1.0))]
    _, weights = _matrix(one + other)
    np.testing.assert_allclose(weights[:4, :4], _matrix(one)[1])
    np.testing.assert_allclose(weights[4:, 4:], _matrix(other)[1])
    assert not weights[:4, 4:].any() and not weights[4:, :4].any()


@pytest.mark.parametrize("days, counts", [(179, False), (180, True)])
def test_a_positive_is_as_far_apart_as_asked(days, counts):
    labels, _ = _matrix(_pair(0, "a", days=days) + _pair(0, "b"))
    assert bool(labels[0, 1]) == counts


def test_a_baseline_only_subject_is_the_earlier_side():
    _, weights = _matrix([*_pair(0, "a"), (0, "b", "b", 0, 1.0, 0)])
    np.testing.assert_array_equal(weights, [[0, 1, 0], [0, 0, 0], [0, 1, 0]])


ITEMS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 5),
        st.sampled_from([0, 100, 3000]),
        st.sampled_from([1.0, 1.5]),
        st.integers(0, 1),
    ),
    min_size=2,
    max_size=14,
)


@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(ITEMS, st.sampled_from(["all", "sampled"]), st.integers(0, 1000))
def test_what_a_pair_is(items, mode, seed):
    items = [(level, s, s // 2, days, field_t, side) for level, s, days, field_t, side in items]
    labels, weights = _matrix(items, mode, seed)
    per_stratum = {}
    for i, j in np.argwhere(weights):
        first, second = items[i], items[j]
        assert first[0] == second[0] and (first[5], second[5]) == (0, 1)
        assert second[3] - first[3] >= 180
        if labels[i, j]:
            assert first[1] == second[1]
        else:
            assert first[2] != second[2]
        sums = per_stratum.setdefault((first[0], first[4], second[4]), [0.0, 0.0])
        sums[int(labels[i, j])] += weights[i, j]
    # Positives and negatives of a level and pair of scanners weigh the same.
    for negative, positive in per_stratum.values():
        assert negative == pytest.approx(positive, rel=1e-5)


def test_sampled_draws_one_negative_per_positive_and_every_one_in_time():
    items = _pair(0, "a") + _pair(0, "b") + _pair(0, "c")
    drawn = np.zeros((6, 6))
    for seed in range(60):
        labels, weights = _matrix(items, "sampled", seed)
        np.testing.assert_array_equal(weights[labels == 0].sum(), 3)
        drawn += (weights > 0) & (labels == 0)
    assert np.count_nonzero(drawn) == 6
    np.testing.assert_allclose(drawn[drawn > 0] / 60, 0.5, atol=0.2)


# === The batch of the longitudinal task ===


def _batch(rng, number=160):
    """Fake crops in groups of 4 positives of one level: 3 slices whose order tells a reflection."""
    level = np.repeat(rng.integers(0, 7, number // 8), 8).astype(np.int32)
    subject = np.repeat(rng.permutation(number // 2), 2)
    side = np.tile([0, 1], number // 2)
    crop = np.broadcast_to(np.array([1.0, 2.0, 3.0])[:, None, None], (number, 3, 2, 2)).copy()
    later = np.repeat(rng.choice([1.5, 3.0], number // 2, p=[0.8, 0.2]), 2)
    return {
        "crop": tf.constant(crop, tf.float32),
        "level": tf.constant(level),
        "subject": tf.constant([f"s{i}" for i in subject]),
        "family": tf.constant([f"f{i // 2}" for i in subject]),
        "days": tf.constant(side * 3000, tf.int64),
        "field_strength_t": tf.constant(np.where(side, later, 1.0), tf.float32),
        "side": tf.constant(side, tf.int32),
        "visit": tf.constant(side, tf.int32),
    }


def _is_flipped(crop):
    """Of [batch, 3, 2, 2, 1]: whether slice 3 stands first."""
    return np.asarray(crop)[:, 0, 0, 0, 0] == 3


@pytest.fixture(scope="module", params=["all", "sampled"])
def many_batches(request):
    task = longitudinal.Longitudinal(mode=request.param, level_names=longitudinal.LEVEL_NAMES)
    prepare = tf.function(task.prepare_batch, autograph=False)
    rng = np.random.default_rng(0)
    made = []
    for number in range(100):
        items = _batch(rng)
        batch = prepare(items, True, tf.constant([number, 7], tf.int32))
        made.append((listed_pairs.listed(batch), listed_pairs.positions(batch), items))
    return made


def _auc(made, fact):
    """AUC of a fact of the pairs, as their weights say."""
    labels, weights = (np.concatenate([pairs_of[i] for pairs_of, _, _ in made]) for i in (2, 3))
    return metrics.roc_auc_score(
        labels, np.concatenate([fact(*one) for one in made]), sample_weight=weights
    )


def test_reflection_does_not_tell_the_label(many_batches):
    found = _auc(many_batches, lambda pair, *_: _is_flipped(pair[0]) == _is_flipped(pair[1]))
    assert found == pytest.approx(0.5, abs=0.02)


def test_scanners_do_not_tell_the_label(many_batches):
    def later_is_3t(listed, places, items):
        return items["field_strength_t"].numpy()[places[1]] == 3.0

    assert _auc(many_batches, later_is_3t) == pytest.approx(0.5, abs=0.02)


def test_both_members_of_a_pair_are_reflected_alike(many_batches):
    share = []
    for (first, second, _, _), *_ in many_batches:
        np.testing.assert_array_equal(_is_flipped(first), _is_flipped(second))
        share.append(np.mean(_is_flipped(first)))
    assert 0.4 < np.mean(share) < 0.6


# === The same of what augmentation really draws ===

SMALL = crops.CropKind("small", 8, 8, 16, 16, 4.0)


class _SmallCrops(longitudinal.Longitudinal):
    crop_kind = SMALL


def _scan(rng):
    """A scan whose slices tell their number, 7 to 15 of them valid."""
    first, last = rng.integers(0, 5), rng.integers(11, 16)
    valid = (np.arange(15) >= first) & (np.arange(15) < last)
    image = np.where(valid, 0.1 + 0.05 * np.arange(15), 0.0)[:, None, None]
    return np.broadcast_to(image, SMALL.stored_shape(1.0)).astype(np.float32), valid


@pytest.fixture(scope="module")
def augmented_pairs():
    """Pairs of several epochs through plan, seeds, preprocessing and batch."""
    rng = np.random.default_rng(0)
    count = 160
    rows = tuple(
        {"key": f"s{i}", "level": "L4", "visit": [0, 1], "days": [0, 3000]} for i in range(count)
    )
    index = records.Index("", "vertebra_pairs", 1.0, rows)
    scans = [[_scan(rng) for _ in range(2)] for _ in range(count)]
    images, valid = (tf.constant(np.array([[s[k] for s in v] for v in scans])) for k in (0, 1))
    task = _SmallCrops(mode="all")
    augment = augmentation.AugmentConfig(0.0, 0.0, 0.0, 2, 0.0, 0.0)
    inputs = augmentation.InputConfig(1.0, 1.0, augment)

    def item(values):
        record, place, seed = values[0], values[1:3], values[3:]
        name = tf.strings.as_string(record)
        example = {
            "image": images[record],
            "slice_is_valid": valid[record],
            "pixel_is_valid": tf.ones([2, 16, 16], tf.bool),
            "level": tf.constant("L4"),
            "subject": name,
            "family": name,
            "days": tf.constant([0, 3000], tf.int64),
            "field_strength_t": tf.constant([1.0, 1.5]),
            "item": place,
        }
        return task.preprocess(example, inputs, seed)

    kinds = {name: tf.int32 for name in ("level", "side", "visit")} | {"days": tf.int64}
    kinds |= {"crop": tf.float32, "field_strength_t": tf.float32}
    kinds |= {"subject": tf.string, "family": tf.string}

    @tf.function(autograph=False)
    def make(values, seed):
        return task.prepare_batch(tf.map_fn(item, values, fn_output_signature=kinds), True, seed)

    found = []
    for epoch in range(12):
        plan = task.plan(index, count, seed=epoch)
        numbers = pipeline.item_numbers(index, plan)
        for step, items in enumerate(plan):
            seeds = np.stack([np.full(count, epoch), numbers[step]], 1)
            values = tf.constant(np.concatenate([items, seeds], 1), tf.int32)
            found.append(listed_pairs.listed(make(values, tf.constant([epoch, -1 - step]))))
    return found


def _num_padded(crop):
    """How many slices the scan does not have."""
    return np.sum(crop[:, :, 4, 4, 0] == 0, 1)


def _window(crop):
    """The number of the middle slice, which a reflection leaves where it is."""
    return np.round((crop[:, 4, 4, 4, 0] - 0.1) / 0.05)


@pytest.mark.parametrize("fact", [_num_padded, _window])
def test_padding_and_slice_window_do_not_tell_the_label(augmented_pairs, fact):
    first, second, labels, weights = (np.concatenate(c) for c in zip(*augmented_pairs, strict=True))
    assert len(np.unique(fact(first))) >= 4 and np.sum(labels) > 1500
    found = metrics.roc_auc_score(labels, fact(first) == fact(second), sample_weight=weights)
    assert found == pytest.approx(0.5, abs=0.02)
