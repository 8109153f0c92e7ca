import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from spine_tf.data import records
from spine_tf.tasks import task
from spine_tf.tasks.pretext import longitudinal
from tests.spine_tf import listed_pairs


def _index(*rows, kind="vertebra_pairs"):
    defaults = {"header_facts": {}}
    return records.Index("", kind, 0.5, tuple(defaults | row for row in rows))


def _body(level, days=(0, 3650), **facts):
    return {"level": level, "visit": list(range(len(days))), "days": list(days)} | facts


def _task(**options):
    return longitudinal.Longitudinal(level_names=longitudinal.LEVEL_NAMES, **options)


def test_distances_of_every_two_embeddings():
    embedded = tf.constant([[0.0, 0.0], [1.0, 1.0], [3.0, 4.0]])
    found = longitudinal.PairDistances()(embedded).numpy()
    expected = [[0, 2**0.5, 5], [2**0.5, 0, 13**0.5], [5, 13**0.5, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_levels_are_counted():
    index = _index(*(_body(level) for level in ("T12", "S1", "L4", "S1")))
    assert _task().class_counts(index) == {"level": [1, 0, 0, 0, 1, 0, 2]}


def test_visits_must_be_apart():
    rows = [_body("L4", (0, days)) for days in (100, 200, 300, 400)]
    plan = _task(min_interval_days=250).plan(_index(*rows), 4, seed=0)
    assert sorted(plan[0].tolist()) == [[2, 0, 0], [2, 1, 1], [3, 0, 0], [3, 1, 1]]


def test_baseline_only_subjects_come_by_option():
    index = _index(_body("L4"), _body("L4"), _body("L4"), _body("L4", (0,)))
    without, among = (
        _task(baseline_only=wanted).plan(index, 8, seed=0)[..., 0] for wanted in (False, True)
    )
    assert not np.any(without == 3)
    assert np.sum(among == 3) == 2


@pytest.mark.parametrize(
    "options, message",
    [
        ({"anatomy": "knee"}, "`anatomy` must be vertebra or disc or image, got 'knee'"),
        ({"mode": "some"}, "`mode` must be sampled or all, got 'some'"),
        ({"margin": -1.0}, "`margin` must be positive, got -1.0"),
        ({"margin": 0.0}, "`margin` must be positive, got 0.0"),
        ({"margin_unit": "mm"}, "`margin_unit` must be median or distance, got 'mm'"),
        ({"min_interval_days": 0}, "`min_interval_days` must be at least 1"),
        ({"level_weight": 0, "contrastive_weight": 0}, "not both 0, got 0 and 0"),
        ({"level_weight": -1}, "must not be negative"),
        ({"header_facts": ("name",)}, "`header_facts` must be a comma list of sex, age, weight"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        longitudinal.Longitudinal(**options)


@pytest.mark.parametrize(
    "rows, options, message",
    [
        ([_body("L4", (0,))], {}, "follow-ups at least 180 days apart .* got none"),
        ([_body("L4", (0, 90))], {}, "follow-ups at least 180 days apart .* got none"),
        ([_body("L4"), _body("L5", (0,))], {}, "a positive pair at every level .* none at L5"),
        ([_body("L4")], {"header_facts": ("sex",)}, "in the records, got none with 'sex'"),
        ([_body("L4")], {"level_names": ("L1",)}, "`level_names` must hold every level .* L4"),
    ],
)
def test_records_that_cannot_be(rows, options, message):
    index = _index(*rows)
    with pytest.raises(ValueError, match=message):
        made = longitudinal.Longitudinal(**options).configure(index)
        made.check({"train": index, "validation": index})


def test_validation_needs_positives_too():
    train, validation = _index(_body("L4"), _body("L5")), _index(_body("L4"), _body("L5", (0,)))
    with pytest.raises(ValueError, match="every level of the validation split, got none at L5"):
        _task().check({"train": train, "validation": validation})
    _task().check({"train": train, "validation": train})


def test_the_contrastive_loss_alone_needs_negatives_in_validation():
    def body(family, field_t=1.5):
        return _body("L4", family=family, field_strength_t=[1.0, field_t])

    train = _index(body("f1"), body("f2"))
    for rows in ([body("f3")], [body("f3"), body("f3")], [body("f3"), body("f4", 3.0)]):
        with pytest.raises(ValueError, match="the validation split where `level_weight` is 0"):
            _task(level_weight=0.0).check({"train": train, "validation": _index(*rows)})
        _task().check({"train": train, "validation": _index(*rows)})
    _task(level_weight=0.0).check({"train": train, "validation": train})


def test_closer_visits_are_advised_only_where_there_are_some():
    for days, advised in (((0,), False), ((0, 90), True)):
        with pytest.raises(ValueError, match="got none") as found:
            _task().check({"train": _index(_body("L4", days))})
        assert ("min_interval_days" in str(found.value)) == advised


def test_validation_has_no_level_of_its_own():
    train, validation = _index(_body("L4")), _index(_body("L4"), _body("L5"))
    made = longitudinal.Longitudinal(level_names=("L4",)).configure(train)
    with pytest.raises(ValueError, match="`level_names` must hold every level .* without L5"):
        made.check({"train": train, "validation": validation})


def test_levels_of_each_anatomy():
    assert longitudinal.Longitudinal().configure(_index(_body("S1"))).level_names[-1] == "S1"
    discs = longitudinal.Longitudinal("disc").configure(_index(_body("L4-L5"), kind="disc_pairs"))
    assert discs.level_names[0] == "T12-L1" and discs.record_kind == "disc_pairs"


def _items(levels, subjects):
    """Pairs whose crops are constant: 10 times the number, plus 1 in the second visit."""
    count = 2 * len(levels)
    side = tf.range(count) % 2
    value = tf.cast(tf.range(count) // 2 * 10 + side, tf.float32)
    subject = tf.repeat(tf.constant(subjects), 2)
    return {
        "crop": value[:, None, None, None] + tf.zeros([count, 3, 2, 2]),
        "level": tf.repeat(tf.constant(levels), 2),
        "subject": subject,
        "family": subject,
        "days": tf.cast(side, tf.int64) * 3000,
        "field_strength_t": tf.where(side > 0, 1.5, 1.0),
        "side": side,
        "visit": side,
    }


def test_a_batch_of_the_paper():
    batch = _task().prepare_batch(
        _items([0, 0, 4, 5], ["a", "b", "c", "d"]), False, tf.constant([0, 1])
    )
    first, second, labels, weights = listed_pairs.listed(batch)
    found = sorted(
        (int(label), int(a), int(b))
        for label, a, b in zip(labels, first[:, 0, 0, 0, 0], second[:, 0, 0, 0, 0], strict=True)
    )
    # 0 and 1 are each other's negatives; the pairs alone at their level count for nothing.
    assert found == [(0, 0, 11), (0, 10, 1), (1, 0, 1), (1, 10, 11)]
    assert weights.tolist() == [1, 1, 1, 1]
    assert batch.labels["level"].numpy().tolist() == [0, 0, 0, 0, 4, 4, 5, 5]
    assert batch.weights["level"].numpy().tolist() == [1] * 8


def test_in_training_all_crops_of_a_level_are_reflected_or_none():
    items = _items([0, 0, 1, 1, 2, 2, 3, 3, 4, 4], [str(i) for i in range(10)])
    items["crop"] += tf.range(3, dtype=tf.float32)[None, :, None, None] / 100
    crop = _task().prepare_batch(items, True, tf.constant([3, 4])).inputs["crop"]
    rises = (crop[:, 2, 0, 0, 0] > crop[:, 0, 0, 0, 0]).numpy().reshape(5, 4)
    assert np.all(rises == rises[:, :1])
    assert rises.any() and not rises.all()


def test_facts_of_the_header_are_masked_where_they_are_unknown():
    items = _items([0, 0], ["a", "b"]) | {"sex": tf.constant([0, 1, -1, 1], tf.int64)}
    batch = _task(header_facts=("sex",)).prepare_batch(items, False, tf.constant([0, 1]))
    assert batch.labels["sex"].numpy().tolist() == [0, 1, -1, 1]
    assert batch.weights["sex"].numpy().tolist() == [1, 1, 0, 1]


def _calibration_batch(number):
    distance = tf.constant([[100.0, 1.0], [3.0, 100.0]]) + number % 2
    labels = {"same_subject": tf.eye(2)}
    weights = {"same_subject": tf.constant([[1.0, 1.0], [1.0, 0.0]])}
    return task.Batch({"x": distance}, labels, weights)


def test_the_margin_is_set_from_the_median_distance_of_negatives():
    x = keras.Input([2], name="x")
    model = keras.Model({"x": x}, {"same_subject": keras.layers.Activation("linear")(x)})
    made = _task().calibrate(lambda: model, map(_calibration_batch, itertools.count()))
    # Negatives are 1, 3 and 2, 4 in turn; their median is 2.5, times 1.25 is 3.125.
    assert (made.margin, made.margin_unit) == (3.125, "distance")
    assert made.contrastive_weight == pytest.approx(1 / 3.125**2)
    assert made.calibrate(model, iter(())) is made
    twice = _task(margin=2.0).calibrate(lambda: model, map(_calibration_batch, itertools.count()))
    assert twice.margin == 5.0
    level_only = _task(contrastive_weight=0.0)
    assert level_only.calibrate(model, iter(())) is level_only


def test_losses_and_their_shares():
    made = _task(margin=2.0, margin_unit="distance", contrastive_weight=3.0, level_weight=0.5)
    losses = made.losses(records.Statistics({"level": [1] * 7}, {}, []))
    found = losses["same_subject"](tf.constant([[1.0, 0.0]]), tf.constant([[0.5, 0.5]]))
    np.testing.assert_allclose(found, [[0.25, 2.25]])  # 0.5^2 and (2 - 0.5)^2
    assert made.loss_weights() == {"same_subject": 3.0, "level": 0.5}


def _row(auc=0.9, active=0.5, spread=1.0):
    return {
        "val_same_subject/auc": auc,
        "val_same_subject/active_negatives": active,
        "val_same_subject/embedding_spread": spread,
    }


def test_alarms():
    made = _task()
    assert made.alarms([_row()] * 30) == []
    assert made.alarms([_row()]) == []
    assert "has no negatives" in made.alarms([_row(auc=float("nan"))])[0]
    assert "collapses: its spread is 0.0001" in made.alarms([_row(spread=1e-4)])[0]
    assert made.alarms([_row(active=0)] * 4) == []
    assert "fewer than 1 %" in made.alarms([_row()] + [_row(active=0)] * 5)[0]
    assert made.alarms([_row(auc=0.5)] * 19) == []
    assert "the pair AUC is 0.500 after 20 epochs" in made.alarms([_row(auc=0.5)] * 20)[0]
    assert _task(contrastive_weight=0.0).alarms([_row(auc=0.5)] * 20) == []
