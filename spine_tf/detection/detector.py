"""A network over all slices of a volume: bodies and discs, without their levels."""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

from spine_tf import geometry, volume
from spine_tf.detection import candidates, decode, domain, network, slices

_MOST_SLICES = 32  # of more, as many are taken at even steps
_BATCH = 4

# [n, rows, columns] float32 in [0, 1] -> [n, rows, columns, channels]: logits and offsets.
Predict = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Detection:
    """What was found in a volume.

    Attributes:
        bodies: Head to foot.
        discs: Head to foot.
        measures: By which `domain` judges whether the volume is of the detector's domain; None if
            there is no body.
    """

    bodies: tuple[candidates.Candidate, ...]
    discs: tuple[candidates.DiscCandidate, ...]
    measures: domain.Measures | None = None


def predictor(model: keras.Model) -> Predict:
    """Returns the function that `detect` needs of a model of the task `detection`."""

    def predict(image: np.ndarray) -> np.ndarray:
        found = model({"image": image[..., np.newaxis]}, training=False)
        return np.concatenate([found[network.CLASSES], found[network.CORNERS]], axis=-1)

    return predict


def detect(scan: volume.Volume, predict: Predict) -> Detection:
    """Finds bodies and discs.

    Args:
        scan: The volume.
        predict: From `predictor`.

    Raises:
        ValueError: If the volume shows nothing.
    """
    step = -(-len(scan.array) // _MOST_SLICES)
    sliced = slices.from_volume(slices.every(scan, step))
    maps = output_maps(sliced, predict)
    bodies = decode.bodies(maps, sliced)
    discs = decode.discs(maps, sliced, bodies)
    measures = domain.measure(maps, sliced, bodies, discs)
    if step > 1:
        bodies = [_in_all_slices(one, step) for one in bodies]
    return Detection(tuple(bodies), tuple(discs), measures)


def output_maps(sliced: slices.Slices, predict: Predict) -> decode.Maps:
    """Returns what the network says of every pixel of the slices."""
    padded, (rows, columns) = sliced.padded(), sliced.image.shape[1:]
    parts = [predict(padded[i : i + _BATCH]) for i in range(0, len(padded), _BATCH)]
    return decode.maps(np.concatenate(parts)[:, :rows, :columns])


def _in_all_slices(one: candidates.Candidate, step: int) -> candidates.Candidate:
    first, last = one.slice_range
    return dataclasses.replace(one, slice_range=(step * first, step * last))


def foot_edge_mm(scan: volume.Volume) -> float:
    """Returns z of the middle of the last row: how far down the field of view reaches."""
    num_slices, rows, columns = scan.array.shape
    middle = geometry.to_patient(scan.affine, [num_slices / 2, rows - 1, columns / 2])
    return float(middle[2])
