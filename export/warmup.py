"""Requests that a server runs before it answers the first client, as TF Serving reads them.

A TFRecord file of PredictionLog messages. The requests are real: crops of a data set, or else of a
phantom; the one scan is always a phantom's, because records hold no scan. Records lose their keys.
"""

import dataclasses
import functools
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from data_prep import scan_crops
from spine_tf import serving, vertebrae, volume
from spine_tf.data import augmentation, features, records, schema
from spine_tf.phantom import cohort
from spine_tf.tasks.downstream import grading
from spine_tf.training import model_folder

FILE = "tf_serving_warmup_requests"
NOT_INSTALLED = (
    "no warmup requests were written: tensorflow-serving-api is not installed"
    " (pip install 'spine-tf[serving]')"
)
_NUM_CROPS = 6
_MATRIX = 256  # pixels of the phantom's slices
_IDENTITY: dict[str, Any] = dict(
    subject="warmup", family="warmup", scan="warmup", visit=0, days=0, field_strength_t=0.0
)


@dataclasses.dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        signature: Which signature it asks for.
        inputs: Input -> array.
    """

    signature: str
    inputs: dict[str, np.ndarray]


def is_installed() -> bool:
    """Returns whether warmup requests can be written here."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def requests(folder: model_folder.ModelFolder, data_dir: str = "") -> list[Request]:
    """Returns requests for every signature of a model.

    Args:
        folder: The model folder.
        data_dir: Data set at the crop scale of the model's training data; empty is a phantom.

    Returns:
        Requests; none for a model of plain images without a data set: there is no phantom of those.

    Raises:
        FileNotFoundError: If `data_dir` is no data set.
        ValueError: If it has another crop scale, or no record of the model's kind.
    """
    kind, scale = folder.task.test_kind, folder.data["crop_scale"]
    serialized = _of_data(data_dir, kind, scale) if data_dir else _of_phantom(kind, scale)
    if not serialized:
        return []
    crop = np.stack([_network_crop(one, folder) for one in serialized])
    found = [
        Request(serving.DEFAULT, {"crops": crop[:1]}),
        Request(serving.DEFAULT, {"crops": crop}),
    ]
    if type(folder.task) is not grading.Grading:
        return found
    packed = np.array([schema.encode_pixels(one) for one in crop], object)
    return [
        *found,
        Request(serving.EMBED, {"crops": crop}),
        Request(serving.PACKED, {"crops": packed}),
        Request(serving.EXAMPLES, {"examples": np.array(serialized, object)}),
        Request(serving.SCAN, scan_inputs(*_phantom())),
    ]


def write(path: str, name: str, found: Sequence[Request]) -> None:
    """Writes requests as TFRecord of PredictionLog.

    Args:
        path: The file.
        name: Name of the model on the server.
        found: The requests.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
    """
    if not is_installed():
        raise ImportError(NOT_INSTALLED)
    from tensorflow_serving.apis import prediction_log_pb2

    with tf.io.TFRecordWriter(path) as writer:
        for item in found:
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = item.signature
            for key, value in item.inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())


def read(path: str) -> list[Request]:
    """Reads what `write` wrote.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
    """
    if not is_installed():
        raise ImportError(NOT_INSTALLED.replace("written", "read"))
    from tensorflow_serving.apis import prediction_log_pb2

    found = []
    for content in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(content).predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        found.append(Request(request.model_spec.signature_name, inputs))
    return found


def scan_inputs(scan: volume.Volume, annotation: vertebrae.Annotation) -> dict[str, np.ndarray]:
    """Returns the inputs of the signature `scan`."""
    return {
        "volume": scan.as_uint16(),
        "affine": scan.affine.astype(np.float64),
        "corners_mm": np.stack([v.corners_mm for v in annotation.vertebrae]).astype(np.float64),
        "levels": np.array([v.known_level.value.encode() for v in annotation.vertebrae], object),
    }


@functools.cache
def _phantom() -> tuple[volume.Volume, vertebrae.Annotation]:
    return cohort.make_sagittal_t2(cohort.CohortConfig(1, matrices=(_MATRIX,)), 0, 0)


def _of_phantom(kind: str, scale: float) -> list[bytes]:
    if kind == schema.IMAGE_PAIRS:
        return []
    is_body = kind == schema.VERTEBRA_PAIRS
    cut = scan_crops.vertebra_crops if is_body else scan_crops.disc_crops
    found = list(cut(*_phantom(), scale).values())[:_NUM_CROPS]
    made = [schema.encode(kind, schema.Crop(**_IDENTITY, **crop)) for crop in found]
    return [example.SerializeToString() for example in made]


def _of_data(data_dir: str, kind: str, scale: float) -> list[bytes]:
    data = records.open_folder(data_dir)
    if data.crop_scale != scale:
        raise ValueError(
            f"{data_dir}: must hold crops at scale {scale}, as the model's training data, got"
            f" {data.crop_scale}. Convert with that --crop_scale."
        )
    index = data.index(kind)
    if not len(index):
        raise ValueError(f"{data_dir}: must hold {kind} records for warmup requests, got none.")
    here = np.unique(np.linspace(0, len(index) - 1, _NUM_CROPS).astype(int))
    return [_without_keys(index.read(int(i)), number) for number, i in enumerate(here)]


def _without_keys(serialized: bytes, number: int) -> bytes:
    """The same record, of nobody and not graded."""
    example = tf.train.Example.FromString(serialized)
    feature = example.features.feature
    for name in [name for name in feature if name.startswith(("grading/", "header/"))]:
        del feature[name]
    visits = len(feature["visit"].int64_list.value)
    texts = {"subject": 1, "family": 1, "scan": visits}
    for name, count in texts.items():
        feature[name].CopyFrom(features.of_bytes(*[f"warmup{number}".encode()] * count))
    feature["key"].CopyFrom(features.of_bytes(f"warmup/{number}".encode()))
    feature["days"].CopyFrom(features.of_ints(*[0] * visits))
    return example.SerializeToString()


def _network_crop(serialized: bytes, folder: model_folder.ModelFolder) -> np.ndarray:
    """The network's input [9, rows, columns] of a record; of pairs that of the first visit."""
    kind, scale = folder.task.test_kind, folder.data["crop_scale"]
    parsed = schema.parse(kind, tf.constant(serialized), scale, folder.task.crop_kind)
    visit = None if kind == schema.DISC else 0
    inputs = augmentation.InputConfig(scale, folder.model_config.crop_scale)
    seed = tf.zeros([2], tf.int32)
    return augmentation.record_input(parsed, visit, folder.task.crop_kind, inputs, seed).numpy()
