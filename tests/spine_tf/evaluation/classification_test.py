import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import metrics

from spine_tf.evaluation import bootstrap, classification, contrasts

_NAMES = ("Background", "Brain", "Femur")
_TRUE = np.array([0, 0, 0, 0, 1, 1, 2, 2])
_PREDICTED = np.array([0, 0, 1, 1, 1, 1, 2, 0])
_UNITS, _NUM_UNITS = bootstrap.codes(list("aabbccdd"))
_COUNTS = bootstrap.draw_counts(_NUM_UNITS, 200, seed=0)
_LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


def _evaluate(true=_TRUE, predicted=_PREDICTED):
    return classification.evaluate(true, predicted, _NAMES, _UNITS, _COUNTS)


def test_by_hand():
    found = _evaluate()
    # Background: 2 of 3 right, 2 of 4 found; Brain: 2 of 4, 2 of 2; Femur: 1 of 1, 1 of 2.
    assert found["confusion"]["table"] == [[2, 2, 0], [0, 2, 0], [1, 0, 1]]
    mean = {name: one["value"] for name, one in found["mean"].items()}
    assert mean["precision"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=1e-6)
    assert mean["recall"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3, abs=1e-6)
    # F1 = 2 * hits / (true + predicted): 4/7, 4/6, 2/3.
    assert mean["f1"] == pytest.approx((4 / 7 + 4 / 6 + 2 / 3) / 3, abs=1e-6)
    harmonic = 2 / (1 / mean["precision"] + 1 / mean["recall"])
    assert mean["f1"] != pytest.approx(harmonic, abs=0.01)
    assert found["per_class"]["Brain"]["precision"]["value"] == 0.5
    assert (found["per_class"]["Brain"]["images"], found["per_class"]["Brain"]["predicted"]) == (
        2,
        4,
    )


def test_a_class_without_images_is_left_out():
    found = _evaluate(true=np.zeros(8, int), predicted=np.array([0] * 6 + [1, 1]))
    assert found["missing"] == ["Brain", "Femur"]
    assert found["mean"]["recall"]["value"] == 0.75
    assert found["per_class"]["Femur"]["f1"]["reason"] == "no image is of this class"


def test_a_class_never_predicted_has_no_precision():
    found = _evaluate(predicted=np.zeros(8, int))
    assert [found["per_class"]["Brain"][m]["value"] for m in classification.METRICS] == [0, 0, 0]


def test_an_unknown_class():
    with pytest.raises(
        ValueError, match="`predicted` must hold class indices from 0 to 2, got .*3"
    ):
        _evaluate(predicted=np.array([0, 0, 1, 1, 1, 1, 2, 3]))


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(_LABELS)
def test_equal_to_scikit_learn(pairs):
    true, predicted = np.array(pairs).T
    confusion = metrics.confusion_matrix(true, predicted, labels=range(4))
    occurring = sorted(set(true))
    expected = metrics.precision_recall_fscore_support(
        true, predicted, labels=occurring, average="macro", zero_division=0
    )
    found = [
        classification.mean_over_classes(confusion, metric)
        for metric in classification.METRICS.values()
    ]
    np.testing.assert_allclose(found, expected[:3])


def test_draws_are_over_subjects():
    of = classification.score(_TRUE, _PREDICTED, 3, _UNITS, _COUNTS)
    repeated = np.repeat(np.arange(8), _COUNTS[7][_UNITS].astype(int))
    true, predicted = _TRUE[repeated], _PREDICTED[repeated]
    expected = metrics.f1_score(true, predicted, labels=sorted(set(true)), average="macro")
    assert of.drawn[7] == pytest.approx(expected)
    found = _evaluate()["mean"]["f1"]
    low, high = np.percentile(of.drawn, [2.5, 97.5])
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-6)


def test_a_difference_of_two_models():
    better = classification.score(_TRUE, _TRUE, 3, _UNITS, _COUNTS)
    model = classification.score(_TRUE, np.stack([_PREDICTED, _TRUE]), 3, _UNITS, _COUNTS)
    found = contrasts.describe(contrasts.weighted_sum([(1, better), (-1, model)]))
    f1 = (4 / 7 + 4 / 6 + 2 / 3) / 3
    assert found["value"] == pytest.approx((1 - f1) / 2, abs=1e-6)


def test_one_subject_has_no_interval():
    units, number = bootstrap.codes(["a"] * 8)
    counts = bootstrap.draw_counts(number, 20, 0)
    found = classification.evaluate(_TRUE, _PREDICTED, _NAMES, units, counts)["mean"]["f1"]
    assert found["value"] is not None and found["low"] is None
