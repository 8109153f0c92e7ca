"""Agreement of two graders from their confusion matrix [..., true, predicted] of class indices.

Everything is vectorised over leading axes, so that a bootstrap is one call. NaN where a value is
not defined. Source: methods 1.9 and P18.
"""

import numpy as np

ONE_GRADE = "only one grade occurs"


def confusion_per_unit(
    true: np.ndarray, predicted: np.ndarray, num_classes: int, units: np.ndarray, num_units: int
) -> np.ndarray:
    """Returns the confusion matrix [units, true, predicted] of every subject or family.

    Args:
        true: [n] class index.
        predicted: [n] class index.
        num_classes: Number of classes.
        units: [n] code of the subject or family.
        num_units: Number of subjects or families.
    """
    found = np.zeros((num_units, num_classes, num_classes))
    np.add.at(found, (units, true, predicted), 1)
    return found


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Returns the mean over true classes of the share recognised; NaN if only one occurs."""
    return mean_recall(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(-1))


def mean_recall(hits: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Returns the balanced accuracy [...]; NaN if only one class occurs.

    Args:
        hits: [..., classes] cases of each true class that are recognised.
        totals: [..., classes] cases of each true class.
    """
    occurs = (totals > 0).sum(-1)
    return np.where(occurs > 1, _divide(_divide(hits, totals, 0.0).sum(-1), occurs), np.nan)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Returns the share that is recognised."""
    return _divide(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum((-2, -1)))


def off_by_more_than_one(confusion: np.ndarray) -> np.ndarray:
    """Returns the share that is wrong by at least two grades."""
    far = np.abs(_differences(confusion.shape[-1])) > 1
    return _divide((confusion * far).sum((-2, -1)), confusion.sum((-2, -1)))


def quadratic_kappa(confusion: np.ndarray) -> np.ndarray:
    """Returns Cohen's kappa with quadratic weights; NaN if only one true class occurs."""
    weight = _differences(confusion.shape[-1]) ** 2
    true, predicted = confusion.sum(-1), confusion.sum(-2)
    chance = _divide(
        true[..., :, None] * predicted[..., None, :], confusion.sum((-2, -1), keepdims=True)
    )
    observed, expected = (confusion * weight).sum((-2, -1)), (chance * weight).sum((-2, -1))
    return np.where(_has_two(true), 1 - _divide(observed, expected), np.nan)


def lin_ccc(confusion: np.ndarray) -> np.ndarray:
    """Returns Lin's concordance correlation coefficient; NaN if only one true class occurs.

    2 s_xy / (s_x^2 + s_y^2 + (mean_x - mean_y)^2), moments divided by n (Lin 1989).
    """
    grade = np.arange(confusion.shape[-1])
    count = confusion.sum((-2, -1))
    true, predicted = confusion.sum(-1), confusion.sum(-2)
    mean_true, mean_predicted = _divide(true @ grade, count), _divide(predicted @ grade, count)
    variances = _divide(true @ grade**2, count) - mean_true**2
    variances += _divide(predicted @ grade**2, count) - mean_predicted**2
    product = (confusion * np.outer(grade, grade)).sum((-2, -1))
    covariance = _divide(product, count) - mean_true * mean_predicted
    ccc = _divide(2 * covariance, variances + (mean_true - mean_predicted) ** 2)
    return np.where(_has_two(true), ccc, np.nan)


METRICS = {
    "balanced_accuracy": balanced_accuracy,
    "accuracy": accuracy,
    "quadratic_kappa": quadratic_kappa,
    "off_by_more_than_one": off_by_more_than_one,
    "lin_ccc": lin_ccc,
}


def _differences(num_classes: int) -> np.ndarray:
    return np.subtract.outer(np.arange(num_classes), np.arange(num_classes))


def _has_two(counts: np.ndarray) -> np.ndarray:
    return (counts > 0).sum(-1) > 1


def _divide(upper, lower, otherwise: float = np.nan) -> np.ndarray:
    upper, lower = np.broadcast_arrays(np.asarray(upper, float), np.asarray(lower, float))
    return np.divide(upper, lower, out=np.full(upper.shape, otherwise), where=lower != 0)
