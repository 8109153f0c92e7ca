"""What a training set looks like, so that an input far outside of it is flagged.

Watched of a crop are its intensities and the principal components of the trunk's embedding. Their
distance is Mahalanobis' with the covariance of Ledoit and Wolf 2004 (Lee et al. 2018, "A simple
unified framework for detecting out-of-distribution samples"), divided by a limit: a quantile on
validation. In a served graph that is three matrix products.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import IO, Any

import numpy as np
import tensorflow as tf
from sklearn import covariance, decomposition

from spine_tf.data import crops

INTENSITIES = (
    *("intensity_mean", "intensity_std"),
    *("intensity_p05", "intensity_p50", "intensity_p95"),
)
MAX_COMPONENTS = 8
QUANTILE = 0.99  # of the validation discs that lie inside the limit
_QUANTILES = (0.05, 0.5, 0.95)
_BINS_PER_UNIT = 256
_INTENSITY_NOISE = 0.02  # what an intensity may always differ by; a training set may be too alike
_ARRAYS = ("embedding_mean", "components", "mean", "whitening", "limit")
UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """The training set as an input is compared with it.

    Attributes:
        embedding_mean: [units] float32.
        components: [units, k] float32 principal components of the embedding.
        mean: [features] float32.
        whitening: [features, features] float32, from features to independent ones of variance 1.
        limit: [] float32, the Mahalanobis distance that is 1.
        rows: features [n, features] float32, level [n], scanner [n], grade_NAME [n] int32 of some
            training discs; no keys.
    """

    embedding_mean: np.ndarray
    components: np.ndarray
    mean: np.ndarray
    whitening: np.ndarray
    limit: np.ndarray
    rows: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of what is watched, in order."""
        return (*INTENSITIES, *(f"embedding_{i}" for i in range(self.components.shape[1])))

    def features(self, intensity: tf.Tensor, embedding: tf.Tensor) -> tf.Tensor:
        """Returns what is watched, [batch, features] float32.

        Args:
            intensity: [batch, 5] from `intensity_of`.
            embedding: [batch, units] float32.
        """
        centred = tf.cast(embedding, tf.float32) - self.embedding_mean
        return tf.concat([intensity, tf.linalg.matmul(centred, self.components)], 1)

    def distance(self, features: tf.Tensor) -> tf.Tensor:
        """Returns how far features [batch, features] are from the training set, [batch]; 1 is
        the limit."""
        whitened = tf.linalg.matmul(features - self.mean, self.whitening)
        return tf.norm(whitened, axis=1) / self.limit

    def with_rows(self, rows: Mapping[str, np.ndarray]) -> "Reference":
        """Returns the same with facts of training discs."""
        return dataclasses.replace(self, rows=rows)

    def save(self, path: str | IO[bytes]) -> None:
        """Writes everything as .npz to a path or an open file."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(path, **(arrays | dict(self.rows)))


def load(path: str) -> Reference:
    """Reads what `Reference.save` wrote.

    Raises:
        ValueError: If an array is missing.
    """
    with np.load(path, allow_pickle=False) as found:
        missing = [name for name in _ARRAYS if name not in found.files]
        if missing:
            raise ValueError(f"{path}: must hold {', '.join(_ARRAYS)}, {missing[0]} is missing.")
        rows = {name: found[name] for name in found.files if name not in _ARRAYS}
        return Reference(**{name: found[name] for name in _ARRAYS}, rows=rows)


def intensity_of(values: tf.Tensor) -> tf.Tensor:
    """Returns mean, standard deviation and the 5, 50 and 95 % quantile of crops.

    Every other row and column counts, and quantiles are those of a histogram with bins of 1/256,
    linear inside a bin: a sort of all pixels would cost a quarter of the whole network.

    Args:
        values: [batch, slices, rows, columns] float32 in [0, 2].

    Returns:
        [batch, 5] float32, see `INTENSITIES`.
    """
    some = values[:, :, ::2, ::2]
    flat = tf.reshape(some, [tf.shape(some)[0], int(np.prod(some.shape[1:]))])
    moments = [tf.reduce_mean(flat, 1), tf.math.reduce_std(flat, 1)]
    return tf.concat([tf.stack(moments, 1), _quantiles(flat)], 1)


def _quantiles(flat: tf.Tensor) -> tf.Tensor:
    """[batch, 3] of pixels [batch, n]."""
    num_bins = int(crops.MAX_INTENSITY * _BINS_PER_UNIT)
    bins = tf.clip_by_value(tf.cast(flat * _BINS_PER_UNIT, tf.int32), 0, num_bins - 1)
    counts = tf.raw_ops.DenseBincount(
        input=bins, size=num_bins, weights=tf.constant([], tf.float32), binary_output=False
    )
    upto = tf.cumsum(counts, 1)
    wanted = tf.constant(_QUANTILES) * float(flat.shape[1])
    place = tf.reduce_sum(tf.cast(upto[:, None] < wanted[:, None], tf.int32), 2)
    here, total = (tf.gather(found, place, batch_dims=1) for found in (counts, upto))
    inside = 1 - (total - wanted) / here
    return (tf.cast(place, tf.float32) + inside) / _BINS_PER_UNIT


def fit(
    intensity: np.ndarray,
    embedding: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    quantile: float = QUANTILE,
) -> Reference:
    """Fits principal components, covariance and limit.

    Args:
        intensity: [n, 5] of the training discs.
        embedding: [n, units] of the training discs.
        validation: The same two of the validation discs.
        quantile: Share of the validation discs that shall lie inside the limit.

    Raises:
        ValueError: If there are fewer than 3 training discs or no validation disc.
    """
    if len(intensity) < 3 or not len(validation[0]):
        raise ValueError(
            f"`intensity` must be that of at least 3 training discs and 1 of validation, got"
            f" {len(intensity)} and {len(validation[0])}. Convert more subjects."
        )
    size = min(MAX_COMPONENTS, embedding.shape[1], len(embedding) - 1)
    analysis = decomposition.PCA(size, svd_solver="full").fit(embedding.astype(np.float64))
    components = analysis.components_.T
    watched = np.concatenate([intensity, (embedding - analysis.mean_) @ components], 1)
    parts = (analysis.mean_, components, watched.mean(0), _whitening(watched), 1.0)
    embedding_mean, components, mean, whitening, limit = (np.asarray(a, np.float32) for a in parts)
    found = Reference(embedding_mean, components, mean, whitening, limit)
    distance = found.distance(found.features(*(tf.constant(a, tf.float32) for a in validation)))
    farthest = np.quantile(distance.numpy(), quantile, method="higher")
    return dataclasses.replace(found, limit=np.asarray(max(farthest, 1e-6), np.float32))


def _whitening(watched: np.ndarray) -> np.ndarray:
    """[features, features] so that |(x - mean) @ it| is Mahalanobis' distance.

    Without the noise an intensity that all training images share, such as the black of windowed
    ones, would make every other image infinitely far.
    """
    scale = watched.std(0)
    scale[scale < 1e-9] = 1.0  # a feature that never changes
    found = covariance.LedoitWolf().fit(watched / scale).covariance_
    noise = np.zeros(len(scale))
    noise[: len(INTENSITIES)] = (_INTENSITY_NOISE / scale[: len(INTENSITIES)]) ** 2
    return np.linalg.cholesky(np.linalg.inv(found + np.diag(noise))) / scale[:, None]


def choose_rows(count: int, most: int, seed: int) -> np.ndarray:
    """Returns at most `most` of `count` positions, in order, chosen by a seed."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, count]).choice(count, most, replace=False))


def scanner_name(field_strength_t: float, manufacturer: str = "") -> str:
    """Returns what a scanner is called in tables, such as "1.5 T" or "SIEMENS 1.5 T".

    Records hold no manufacturer: there it is the field strength alone, or "unknown".
    """
    field = f"{round(field_strength_t, 1):g} T" if field_strength_t > 0 else ""
    return f"{manufacturer} {field}".strip() or UNKNOWN


def text_array(values: Sequence[str]) -> np.ndarray:
    """Returns strings as an array that loads without pickle."""
    return np.array(list(values), dtype=np.str_)
