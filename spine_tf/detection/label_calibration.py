"""Fits the weights (1 / temperature) of a labelling to columns whose names are known.

Shapes of one column, and opinions of one network, are not independent, so their sum is too sure of
itself. Weights that make the true names most probable correct that.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import optimize

from spine_tf.detection import candidates, evidence, label_parameters, labelling

_FITTED = ("geometry_weight", "network_weight", "number_weight")
_MOST = 2.0
_LEAST_PROBABILITY = 1e-6
_EVALUATIONS = 60


@dataclasses.dataclass(frozen=True)
class Column:
    """A column as it was found, and its truth.

    Attributes:
        found: Two candidates or more, from head to foot.
        names: The true name of each, "S2" too; None where it is no vertebra or above T9.
        discs: Discs.
        foot_edge_mm: z of the lower edge of the field of view, if known.
        weight: What it counts where weights are fitted: how frequent columns like it are.
    """

    found: tuple[candidates.Candidate, ...]
    names: tuple[str | None, ...]
    discs: tuple[candidates.DiscCandidate, ...] = ()
    foot_edge_mm: float | None = None
    weight: float = 1.0


def fit_weights(
    columns: Sequence[Column], parameters: Sequence[label_parameters.Parameters]
) -> tuple[dict[str, float], float]:
    """Finds the weights that make the true names most probable.

    Args:
        columns: Columns of known names.
        parameters: For each column, whose shapes were fitted without its patient.

    Returns:
        Field of `Settings` -> weight, and the mean log probability of the true names with them.
    """
    gathered = [
        evidence.gather(column.found, column.discs, of, column.foot_edge_mm)
        for column, of in zip(columns, parameters, strict=True)
    ]

    def loss(weights):
        if min(weights) < 0 or max(weights) > _MOST:
            return np.inf
        changed = dict(zip(_FITTED, map(float, weights), strict=True))
        values = [
            _mean_log_probability(column, each, of, changed)
            for column, each, of in zip(columns, gathered, parameters, strict=True)
        ]
        return -np.average(values, weights=[column.weight for column in columns])

    settings = label_parameters.Settings()
    start = [getattr(settings, name) for name in _FITTED]
    found = optimize.minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"maxfev": _EVALUATIONS, "xatol": 0.01, "fatol": 1e-4},
    )
    return dict(zip(_FITTED, map(float, found.x), strict=True)), float(-found.fun)


def _mean_log_probability(column: Column, gathered, parameters, weights) -> float:
    """Mean over the bodies of a column, so that a column counts as one."""
    settings = dataclasses.replace(parameters.settings, **weights)
    _, _, marginals, _ = labelling.solve(
        gathered, dataclasses.replace(parameters, settings=settings)
    )
    at = [labelling.column_of(name) for name in column.names]
    true = marginals[np.arange(len(at)), at]
    return float(np.mean(np.log(np.maximum(true, _LEAST_PROBABILITY))))
