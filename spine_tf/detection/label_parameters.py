"""What the labelling of a column knows: shapes per level, priors, weights, limits.

Shapes are fitted from annotated quads (`fit`); the weights by `label_calibration`. Both are kept
as JSON in the package (`labelling.json`). docs/detection_labelling.md says what each number means
and where it comes from.
"""

import dataclasses
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spine_tf import files, json_fields
from spine_tf.detection import candidates, column_geometry

FORMAT = "column_labels/1"
PACKAGED = "labelling.json"
# The places of an ordinary column, head to foot, whose looks are known.
ROLES = tuple(name for name in candidates.LEVELS if name != "L6")
MAX_STEPS = 3  # of one neighbour found to the next: two bodies between them may be missed
_SHRINKAGE = 10.0  # columns' worth of the covariance of all levels
_DOUBT = 5.0  # a mean of so many columns doubles the covariance: it may be another's mean
_BACKGROUND_SPREAD = 4.0  # times the covariance of all levels together

# Tins 2016, 418 whole spines: one mobile vertebra fewer in 14, L5 sacralised in 8; one more in 18,
# S1 lumbarised in 4.
_PRIOR = (0.053, 0.894, 0.053)
NUMBERS_OF_LUMBAR = (4, 5, 6)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers that are not shapes; probabilities unless the name says otherwise.

    Attributes:
        geometry_weight: 1 / temperature of what shapes say.
        network_weight: 1 / temperature of the network's opinions, which are not independent.
        number_weight: What the whole evidence counts for the number of lumbar vertebrae.
        missed: A body in the field of view is not found.
        disc_found: A disc of full length is found below an ordinary body.
        last_disc_found: The same, below the last lumbar body.
        sacral_disc_found: The same, below S1: a well-formed S1/S2 disc.
        remnant_fraction: A disc shorter than this fraction of a body's width is a remnant.
        min_probability: A study is unknown if a name is less probable, given the number of lumbar
            vertebrae.
        min_number_probability: The same, if the number is less probable.
        min_other_number_probability: The same of a number that is not five: names by it are wrong
            for all who count from the sacrum, so it must be surer.
        min_bodies: Fewer named bodies are unknown.
        min_mean_score: Candidates of a lower mean score are unknown.
        least_spacing: Distance of neighbours in medians; nearer is implausible.
        most_spacing: Farther is implausible.
        square_ratio: An S1 whose endplates have a smaller ratio, upper to lower, is square.
    """

    geometry_weight: float = 0.5
    network_weight: float = 0.3
    number_weight: float = 0.3
    missed: float = 0.03
    disc_found: float = 0.97
    last_disc_found: float = 0.93
    sacral_disc_found: float = 0.15
    remnant_fraction: float = 0.6
    min_probability: float = 0.9
    min_number_probability: float = 0.6
    min_other_number_probability: float = 0.9
    min_bodies: int = 4
    min_mean_score: float = 0.5
    least_spacing: float = 0.6
    most_spacing: float = 1.6
    square_ratio: float = 1.37


@dataclasses.dataclass(frozen=True)
class Shapes:
    """Means and covariances of shapes; the background is that of any quad.

    Attributes:
        body_mean: [roles, 4] of `column_geometry.BODY_FEATURES`.
        body_covariance: [roles, 4, 4].
        pair_mean: [steps, roles, 5] of `PAIR_FEATURES`: from the body `step + 1` places above.
        pair_covariance: [steps, roles, 5, 5].
        background_body_mean: [4].
        background_body_covariance: [4, 4].
        background_pair_mean: [5].
        background_pair_covariance: [5, 5].
    """

    body_mean: np.ndarray
    body_covariance: np.ndarray
    pair_mean: np.ndarray
    pair_covariance: np.ndarray
    background_body_mean: np.ndarray
    background_body_covariance: np.ndarray
    background_pair_mean: np.ndarray
    background_pair_covariance: np.ndarray

    def __post_init__(self):
        roles, body = len(ROLES), len(column_geometry.BODY_FEATURES)
        pair = len(column_geometry.PAIR_FEATURES)
        shapes = {
            "body_mean": (roles, body),
            "body_covariance": (roles, body, body),
            "pair_mean": (MAX_STEPS, roles, pair),
            "pair_covariance": (MAX_STEPS, roles, pair, pair),
            "background_body_mean": (body,),
            "background_body_covariance": (body, body),
            "background_pair_mean": (pair,),
            "background_pair_covariance": (pair, pair),
        }
        for name, shape in shapes.items():
            value = np.asarray(getattr(self, name), np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise ValueError(f"`{name}` must be {shape} finite numbers, got {value.shape}.")
            object.__setattr__(self, name, value)


@dataclasses.dataclass(frozen=True)
class Parameters:
    """All that a labelling needs.

    Attributes:
        shapes: Fitted from annotated quads.
        settings: Priors, weights and limits.
        lumbar_prior: Of 4, 5 and 6 lumbar vertebrae.
        source: What the shapes and weights were fitted from.
    """

    shapes: Shapes
    settings: Settings = Settings()
    lumbar_prior: tuple[float, float, float] = _PRIOR
    source: str = ""

    def __post_init__(self):
        prior = tuple(self.lumbar_prior)
        if len(prior) != 3 or min(prior) < 0 or abs(sum(prior) - 1) > 1e-6:
            raise ValueError(f"`lumbar_prior` must be 3 values that sum to 1, got {prior}.")
        object.__setattr__(self, "lumbar_prior", prior)


def fit(columns: Sequence[Mapping[str, np.ndarray]], weights: Sequence[float]) -> Shapes:
    """Fits shapes to annotated columns by weighted maximum likelihood.

    The covariance of a role is drawn towards that of all roles, and widened where few columns show
    it. Pairs two and three places apart are measured by leaving out what is between.

    Args:
        columns: For each patient level name -> quad [4, 3] in LPS mm; L6 is not used.
        weights: What each column counts.

    Raises:
        ValueError: If a level of `ROLES` is in no column.
    """
    measured = [_measure(column) for column in columns]
    bodies = [_gather(measured, weights, ((role,), 0)) for role in range(len(ROLES))]
    for role, (values, _) in zip(ROLES, bodies, strict=True):
        if not len(values):
            raise ValueError(f"`columns` must show {role} at least once, got none that does.")
    body_mean, body_covariance, *body_background = _fit_group(bodies)
    pairs = [
        _gather(measured, weights, ((max(end, step) - step, max(end, step)), step))
        for step in range(1, MAX_STEPS + 1)
        for end in range(len(ROLES))
    ]
    pair_mean, pair_covariance, *pair_background = _fit_group(pairs)
    split = (MAX_STEPS, len(ROLES))
    return Shapes(
        body_mean,
        body_covariance,
        pair_mean.reshape(*split, *pair_mean.shape[1:]),
        pair_covariance.reshape(*split, *pair_covariance.shape[1:]),
        *body_background,
        *pair_background,
    )


def _measure(column: Mapping[str, np.ndarray]) -> dict:
    """(role,) -> body features and (role above, role below) -> pair features of one column."""
    names = [name for name in ROLES if name in column]
    corners_mm = np.array([column[name] for name in names])
    spacing_mm = column_geometry.median_spacing_mm(corners_mm)
    pairs = column_geometry.pair_features(corners_mm, spacing_mm)
    places = [ROLES.index(name) for name in names]
    found: dict[tuple[int, ...], np.ndarray] = dict(
        zip(((p,) for p in places), column_geometry.body_features(corners_mm), strict=True)
    )
    for a, above in enumerate(places):
        found |= {(above, below): pairs[a, b] for b, below in enumerate(places) if b > a}
    return found


def _gather(measured, weights, key) -> tuple[np.ndarray, np.ndarray]:
    """[m, d] the values that the columns have under a key, and their weights [m]."""
    wanted, _ = key
    here = [i for i, found in enumerate(measured) if wanted in found]
    return np.array([measured[i][wanted] for i in here]), np.asarray(weights, float)[here]


def _fit_group(groups: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple:
    """Means [k, d], covariances [k, d, d], and mean and covariance of the background."""
    means = np.array([np.average(values, axis=0, weights=w) for values, w in groups])
    scatters = [
        (w[:, np.newaxis] * (values - mean)).T @ (values - mean)
        for (values, w), mean in zip(groups, means, strict=True)
    ]
    totals = np.array([w.sum() for _, w in groups])
    pooled = np.sum(scatters, axis=0) / totals.sum()
    covariances = [
        (scatter + _SHRINKAGE * pooled) / (total + _SHRINKAGE) * (1 + _DOUBT / total)
        for scatter, total in zip(scatters, totals, strict=True)
    ]
    centre = means.mean(axis=0)
    between = (means - centre).T @ (means - centre) / len(means)
    return means, np.array(covariances), centre, _BACKGROUND_SPREAD * (pooled + between)


def to_json(parameters: Parameters) -> dict[str, Any]:
    """Returns the parameters ready for JSON, numbers with five digits."""
    shapes = {
        field.name: _rounded(getattr(parameters.shapes, field.name))
        for field in dataclasses.fields(Shapes)
    }
    return {
        "format": FORMAT,
        "roles": list(ROLES),
        "shapes": shapes,
        "settings": dataclasses.asdict(parameters.settings),
        "lumbar_prior": list(parameters.lumbar_prior),
        "source": parameters.source,
    }


def _rounded(values: np.ndarray) -> list:
    return np.vectorize(lambda value: float(f"{value:.5g}"))(values).tolist()


def load(path: str | None = None) -> Parameters:
    """Reads parameters; None reads those of the package.

    Raises:
        ValueError: If the file holds something else; the message names it.
    """
    if path is None:
        packaged = importlib.resources.files("spine_tf.detection").joinpath(PACKAGED)
        with importlib.resources.as_file(packaged) as real:
            return load(str(real))
    content = files.read_json(path, FORMAT)
    try:
        return Parameters(
            shapes=Shapes(**content["shapes"]),
            settings=json_fields.make(Settings, content["settings"], "settings"),
            lumbar_prior=tuple(content["lumbar_prior"]),
            source=content.get("source", ""),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: must hold parameters of a labelling, got {error}.") from error
