"""What the training side says: Keras model, calibration and crops, without anything of serving."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from scipy import special

from data_prep import scan_crops
from spine_tf import calibrated, gradings, levels, reference, vertebrae, volume
from spine_tf.data import augmentation, schema
from spine_tf.training import model_folder

_CALIBRATED = ("features", "distance")
_NOBODY = dict(subject="gate", family="gate", scan="gate", visit=0, days=0, field_strength_t=0.0)


class Trained:
    """A model folder of the task grading, loaded.

    Attributes:
        folder: The model folder.
        weights_sha256: Hash of its weights.
        calibration: Its calibration; None if it was not calibrated.
    """

    def __init__(self, model_dir: str):
        """Loads it.

        Raises:
            FileNotFoundError: If it is no model folder, or has no weights.
            ValueError: If config.json or the calibration is not valid.
        """
        self.folder = model_folder.load(model_dir)
        self._model = self.folder.load_model()
        self._encoder = model_folder.find_encoder(self._model)
        self.weights_sha256 = model_folder.weights_sha256(model_dir)
        self.calibration = calibrated.load(model_dir, self.weights_sha256)

    def answers(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what the numbers among the outputs of a signature must be.

        Args:
            crops: [batch, slices, rows, columns] float32.

        Returns:
            Of every grading {grading}_probabilities [batch, classes] and {grading}_expected_grade
            [batch]; embedding [batch, units]; features and distance if calibrated.
        """
        batch = tf.constant(crops)[..., None]
        logits = self._model({"crop": batch}, training=False)
        found = {}
        for name in self.folder.task.gradings:
            temperature = self.calibration.temperature(name) if self.calibration else 1.0
            scores = tf.cast(logits[name], tf.float32).numpy().astype(np.float64)
            chance = special.softmax(scores / temperature, 1)
            found[f"{name}_probabilities"] = chance
            found[f"{name}_expected_grade"] = chance @ np.array(gradings.from_name(name).grades)
        conv5 = tf.cast(self._encoder(batch, training=False)["conv5"], tf.float32)
        found["embedding"] = conv5.numpy().mean((1, 2))
        return found | self._watched(crops, found["embedding"])

    def _watched(self, crops: np.ndarray, embedding: np.ndarray) -> dict[str, np.ndarray]:
        if self.calibration is None:
            return {}
        known = self.calibration.reference
        features = known.features(
            reference.intensity_of(tf.constant(crops)), tf.constant(embedding)
        )
        found = (features.numpy(), known.distance(features).numpy())
        return dict(zip(_CALIBRATED, found, strict=True))

    def crops_of_records(self, serialized: Sequence[bytes]) -> np.ndarray:
        """Returns the network's inputs [batch, slices, rows, columns] of `disc` records."""
        return np.stack([self._crop_of_record(one) for one in serialized])

    def _crop_of_record(self, serialized: bytes) -> np.ndarray:
        stored_scale = self.folder.data["crop_scale"]
        found = schema.parse(schema.DISC, tf.constant(serialized), stored_scale)
        inputs = augmentation.InputConfig(stored_scale, self.folder.model_config.crop_scale)
        kind, seed = self.folder.task.crop_kind, tf.zeros([2], tf.int32)
        return augmentation.record_input(found, None, kind, inputs, seed).numpy()

    def crops_of_scan(self, inputs: Mapping[str, np.ndarray]) -> tuple[list[bytes], np.ndarray]:
        """Converts a scan as training data are converted.

        Args:
            inputs: Inputs of the signature `scan`.

        Returns:
            Names of the discs, and their crops through uint16 records.
        """
        scan = volume.Volume.from_array(inputs["volume"], inputs["affine"])
        pairs = zip(inputs["levels"], inputs["corners_mm"], strict=True)
        found = tuple(
            vertebrae.Vertebra(levels.VertebraLevel(name.decode()), corners_mm)
            for name, corners_mm in pairs
        )
        examples = scan_crops.encode_discs(
            scan, vertebrae.Annotation(found), _NOBODY, {}, self.folder.data["crop_scale"]
        )
        names = [one.features.feature["level"].bytes_list.value[0] for one in examples]
        return names, self.crops_of_records([one.SerializeToString() for one in examples])
