import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn import metrics

from spine_tf.evaluation import ordinal

_LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40)


def _confusion(pairs):
    true, predicted = np.array(pairs).T
    return metrics.confusion_matrix(true, predicted, labels=range(4))


def test_by_hand():
    # Reader 0, 0, 1, 2; predicted 0, 1, 1, 0.
    confusion = _confusion([(0, 0), (0, 1), (1, 1), (2, 0)])
    assert ordinal.accuracy(confusion) == pytest.approx(2 / 4)
    assert ordinal.balanced_accuracy(confusion) == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert ordinal.off_by_more_than_one(confusion) == pytest.approx(1 / 4)
    # Observed: 1 + 4 = 5. Expected: reader (2, 1, 1), predicted (2, 2, 0), over 4:
    # 0-1: 4, 1-0: 2, 2-0: 2 * 4, 2-1: 2; sum 16 / 4 = 4. Kappa = 1 - 5 / 4.
    assert ordinal.quadratic_kappa(confusion) == pytest.approx(-0.25)
    # Means 3/4 and 1/2, variances 5/4 - 9/16 = 11/16 and 1/4, covariance 1/4 - 3/8 = -1/8:
    # 2 * -1/8 / (11/16 + 4/16 + 1/16) = -1/4.
    assert ordinal.lin_ccc(confusion) == pytest.approx(-0.25)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(_LABELS)
def test_equal_to_scikit_learn(pairs):
    true, predicted = np.array(pairs).T
    confusion = _confusion(pairs)
    assert ordinal.accuracy(confusion) == pytest.approx(metrics.accuracy_score(true, predicted))
    if len(set(true)) < 2:
        return
    labels = sorted(set(true) | set(predicted))
    recall = metrics.recall_score(true, predicted, labels=sorted(set(true)), average="macro")
    assert ordinal.balanced_accuracy(confusion) == pytest.approx(recall)
    kappa = metrics.cohen_kappa_score(true, predicted, weights="quadratic", labels=range(4))
    assert len(labels) > 1
    assert ordinal.quadratic_kappa(confusion) == pytest.approx(kappa)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(_LABELS)
def test_lin_ccc_from_its_definition(pairs):
    true, predicted = np.array(pairs, float).T
    if len(set(true)) < 2:
        return
    covariance = np.mean((true - true.mean()) * (predicted - predicted.mean()))
    expected = (
        2 * covariance / (true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)
    )
    assert ordinal.lin_ccc(_confusion(pairs)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["balanced_accuracy", "quadratic_kappa", "lin_ccc"])
def test_one_grade_only_is_not_defined(name):
    assert np.isnan(ordinal.METRICS[name](_confusion([(1, 1), (1, 2)])))


@pytest.mark.parametrize("name", ordinal.METRICS)
def test_nothing_is_not_defined(name):
    assert np.isnan(ordinal.METRICS[name](np.zeros((4, 4))))


@pytest.mark.parametrize("name", ordinal.METRICS)
def test_leading_axes(name):
    confusions = np.random.default_rng(0).integers(0, 9, (3, 2, 4, 4))
    found = ordinal.METRICS[name](confusions)
    assert found.shape == (3, 2)
    assert found[2, 1] == pytest.approx(float(ordinal.METRICS[name](confusions[2, 1])))
