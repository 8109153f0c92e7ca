"""What an exported model takes and gives: signatures around a trained Keras model.

A served model is a `tf.Module` that holds only variables, so nothing of Keras is needed to load it.
Everything between raw input and network (parsing, cropping, reducing) is in its graph.

Of every grading the signatures of a grading model give, with batch = discs:

    {grading}_probabilities   [batch, classes] float32, classes in the order of `gradings`
    {grading}_grade           [batch] int32, the published grade that is most probable
    {grading}_expected_grade  [batch] float32, mean published grade under the probabilities
    {grading}_was_graded      [batch] bool, whether the training data graded this level at all;
                              only of signatures that know the level

Of a calibrated model (`spine-tf calibrate`) probabilities are calibrated, and there are

    {grading}_uncertain       [batch] bool, the grade's probability is below the threshold of the
                              chosen error rate
    features                  [batch, features] float32, what is watched of an input, see
                              `reference.Reference.feature_names`
    distance                  [batch] float32, how far from the training set; 1 is the limit
    is_outlier                [batch] bool, distance above 1

The signature `embed` of a grading model gives embedding [batch, units] float32, the mean of conv5
over its pixels, and of a calibrated model features, distance and is_outlier.

The signature `packed` is `serving_default` with crops as text: [batch] string, each the bytes of
[9, rows, columns] uint16 over [0, 2], as records hold pixels. A request has half the size, and JSON
takes it as base64. Rounding costs at most 1.6e-5.
"""

import math
from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from spine_tf import calibrated, gradings, reference, tasks
from spine_tf.data import augmentation, crops, scan_discs, schema
from spine_tf.tasks.downstream import grading
from spine_tf.tasks.pretext import longitudinal
from spine_tf.training import model_folder

DEFAULT = "serving_default"
EXAMPLES = "examples"
SCAN = "scan"
EMBED = "embed"
PACKED = "packed"

EXAMPLES_INPUT = tf.TensorSpec([None], tf.string, "examples")
PACKED_INPUT = tf.TensorSpec([None], tf.string, "crops")
_SERVED = ("grading", "longitudinal")
_TRUNK = "conv5"

Tensors = dict[str, tf.Tensor]


def make_module(
    model: keras.Model,
    folder: model_folder.ModelFolder,
    calibration: calibrated.Calibrated | None = None,
) -> "CropModule":
    """Returns the module that serves a trained model.

    Args:
        model: The model that `folder.load_model()` gives.
        folder: Its model folder: task, crop scales, statistics.
        calibration: Calibration of a grading model; None leaves out what needs it.

    Raises:
        ValueError: If models of this task cannot be exported.
    """
    name = tasks.name_of(folder.task)
    if name not in _SERVED:
        raise ValueError(
            f"`task` must be one that can be exported ({', '.join(_SERVED)}), got {name!r}."
        )
    if type(folder.task) is grading.Grading:
        return GradingModule(model, folder, calibration)
    return EmbeddingModule(model, folder)


def save(module: "CropModule", path: str) -> None:
    """Writes a module and its signatures as a SavedModel folder."""
    tf.saved_model.save(module, path, signatures=module.make_signatures())


class CropModule(tf.Module):
    """Serves a model on crops of the network's size.

    Attributes:
        crop_shape: [slices, rows, columns] that `serving_default` takes.
        run_crops: Function of crops [batch, *crop_shape] float32 in [0, 2].
    """

    def __init__(self, model: keras.Model, folder: model_folder.ModelFolder):
        super().__init__(name=folder.task.crop_kind.name)
        self.crop_shape = folder.task.encoder_shape(folder.model_config)
        # Variables alone are tracked: the graph must load without Keras.
        self._variables = [_plain(variable) for variable in model.variables]
        self._predict = lambda inputs: model(inputs, training=False)
        self._input = tf.TensorSpec([None, *self.crop_shape], tf.float32, "crops")
        # One function that all signatures share, so that the graph holds the network once.
        self.run_crops = tf.function(self._run_crops, input_signature=[self._input])

    def make_signatures(self) -> dict[str, Callable]:
        """Returns name -> concrete function with named inputs."""
        return {DEFAULT: self.run_crops.get_concrete_function()}

    def _network(self, crops: tf.Tensor) -> Tensors:
        """What the network gives of crops [batch, 9, rows, columns] float32; of none, too."""
        # Of an empty batch oneDNN's convolutions make a wrong shape: a crop of zeros stands in.
        count, one = tf.shape(crops)[0], [1, *self.crop_shape]
        fed = tf.cond(count > 0, lambda: crops, lambda: tf.zeros(one, crops.dtype))
        found = self._predict(self._as_input(fed[..., None]))
        return {name: value[:count] for name, value in found.items()}

    def _as_input(self, crops: tf.Tensor) -> tf.Tensor | Tensors:
        """What the network takes."""
        return crops

    def _run_crops(self, crops: tf.Tensor) -> Tensors:
        """Runs the network on crops [batch, 9, rows, columns] float32 in [0, 2]."""
        raise NotImplementedError


class EmbeddingModule(CropModule):
    """Serves a longitudinal model: embedding and level of crops of vertebral bodies.

    Outputs: embedding [batch, units] float32, not scaled; level_probabilities [batch, 7] float32
    in the order T12 to S1; level [batch] string, the most probable.
    """

    def __init__(self, model: keras.Model, folder: model_folder.ModelFolder):
        super().__init__(model.get_layer("tower"), folder)

    def _run_crops(self, crops: tf.Tensor) -> Tensors:
        found = self._network(_checked_crops(crops, self._input))
        probabilities = tf.nn.softmax(tf.cast(found["level"], tf.float32))
        names = tf.constant(longitudinal.LEVEL_NAMES)
        return {
            "embedding": tf.cast(found["embedding"], tf.float32),
            "level_probabilities": probabilities,
            "level": tf.gather(names, tf.argmax(probabilities, -1)),
        }


class GradingModule(CropModule):
    """Serves a grading model on crops, on records and on scans.

    Attributes:
        observe: Function of crops [batch, *crop_shape] float32 in [0, 2] to what all else follows
            from: {grading}_logits [batch, classes], embedding [batch, units] and intensity
            [batch, 5], all float32 and not calibrated.
    """

    def __init__(
        self,
        model: keras.Model,
        folder: model_folder.ModelFolder,
        calibration: calibrated.Calibrated | None = None,
    ):
        self._gradings = [gradings.from_name(name) for name in folder.task.gradings]
        super().__init__(_with_trunk(model, folder.task.gradings[0]), folder)
        self._calibration = calibration
        self._graded_levels = folder.statistics.graded_levels
        self._inputs = augmentation.InputConfig(
            stored_scale=folder.data["crop_scale"], crop_scale=folder.model_config.crop_scale
        )
        self.observe = tf.function(self._observe, input_signature=[self._input])

    def _as_input(self, crops: tf.Tensor) -> Tensors:
        return {"crop": crops}

    def make_signatures(self) -> dict[str, Callable]:
        return super().make_signatures() | {
            EMBED: _signature(self.embed, self._input),
            PACKED: _signature(self.grade_packed, PACKED_INPUT),
            EXAMPLES: _signature(self.grade_examples, EXAMPLES_INPUT),
            SCAN: _signature(self.grade_scan, *scan_discs.INPUTS),
        }

    def _observe(self, crops: tf.Tensor) -> Tensors:
        checked = _checked_crops(crops, self._input)
        found = self._network(checked)
        logits = {
            f"{item.name}_logits": tf.cast(found[item.name], tf.float32) for item in self._gradings
        }
        embedding = tf.reduce_mean(tf.cast(found[_TRUNK], tf.float32), [1, 2])
        return logits | {"embedding": embedding, "intensity": reference.intensity_of(checked)}

    def _run_crops(self, crops: tf.Tensor) -> Tensors:
        observed = self.observe(crops)
        outputs = self._watch(observed)
        for item in self._gradings:
            outputs |= _grades(item, observed[f"{item.name}_logits"], self._calibration)
        return outputs

    def embed(self, crops: tf.Tensor) -> Tensors:
        """Embeds crops [batch, 9, rows, columns] float32 in [0, 2], see the top of the file."""
        observed = self.observe(crops)
        return {"embedding": observed["embedding"]} | self._watch(observed)

    def _watch(self, observed: Tensors) -> Tensors:
        """What is said of how far an input is from the training set."""
        if self._calibration is None:
            return {}
        known = self._calibration.reference
        features = known.features(observed["intensity"], observed["embedding"])
        distance = known.distance(features)
        return {"features": features, "distance": distance, "is_outlier": distance > 1}

    def grade_packed(self, crops: tf.Tensor) -> Tensors:
        """Grades crops [batch] string, see the top of the file."""
        size = 2 * math.prod(self.crop_shape)
        lengths = tf.strings.length(_shaped(crops, PACKED_INPUT))
        rule = tf.debugging.Assert(
            tf.reduce_all(lengths == size),
            [f"`crops` must each have {size} bytes, uint16 {self.crop_shape}, got", lengths],
        )
        with tf.control_dependencies([rule]):
            return self.run_crops(schema.decode_pixels(tf.identity(crops), self.crop_shape))

    def grade_examples(self, examples: tf.Tensor) -> Tensors:
        """Grades `disc` records.

        Args:
            examples: [batch] string, serialized tf.train.Example at the data's crop scale.

        Returns:
            What is said of every grading, and key and level [batch] string.
        """
        serialized = _shaped(examples, EXAMPLES_INPUT)
        found = schema.parse_disc_pixels(serialized, self._inputs.stored_scale)
        key, level = found["key"], found["level"]
        seen = augmentation.middle(found["pixels"], crops.DISC, self._inputs)
        crop = crops.reduce_scale(schema.to_intensity(seen), self._inputs.reduction)
        return self.run_crops(crop) | self._was_graded(level) | {"key": key, "level": level}

    def grade_scan(
        self, volume: tf.Tensor, affine: tf.Tensor, corners_mm: tf.Tensor, levels: tf.Tensor
    ) -> Tensors:
        """Grades every disc between annotated neighbours of a scan.

        Args:
            volume: [slices, rows, columns] uint16, canonical sagittal (`volume.Volume`).
            affine: [4, 4] float64, index (slice, row, column) to DICOM patient mm (LPS).
            corners_mm: [vertebrae, 4, 3] float64, LPS, `vertebrae.CORNER_ORDER`, in any order.
            levels: [vertebrae] string, published names such as L1.

        Returns:
            What is said of every grading, and disc [batch] string from head to foot, crops
            [batch, 9, rows, columns] float32 as `serving_default` takes them.
        """
        given = (volume, affine, corners_mm, levels)
        shaped = [_shaped(one, spec) for one, spec in zip(given, scan_discs.INPUTS, strict=True)]
        scan, to_mm, quads_mm, names = shaped
        disc, crop = scan_discs.cut(scan, to_mm, quads_mm, names, self._inputs)
        return self.run_crops(crop) | self._was_graded(disc) | {"disc": disc, "crops": crop}

    def _was_graded(self, level: tf.Tensor) -> Tensors:
        outputs = {}
        for item in self._gradings:
            graded = tf.constant(list(self._graded_levels.get(item.name, ())), tf.string)
            found = tf.reduce_any(level[:, None] == graded[None, :], 1)
            outputs[f"{item.name}_was_graded"] = found
        return outputs


def _plain(variable) -> tf.Variable:
    """The tf.Variable of a Keras variable; Keras 2 has no other."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def _signature(function: Callable, *specs: tf.TensorSpec) -> Callable:
    return tf.function(function, input_signature=specs).get_concrete_function()


def _shaped(values: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Refuses another shape when run: a server's session does not look at a signature's."""
    return tf.ensure_shape(values, spec.shape, name=spec.name)


def _checked_crops(values: tf.Tensor, spec: tf.TensorSpec) -> tf.Tensor:
    """Refuses another shape, NaN and intensities that are not normalised.

    Rounding may leave [0, 2] a little.
    """
    values = _shaped(values, spec)
    inside = tf.reduce_all((values >= -1e-3) & (values <= crops.MAX_INTENSITY + 1e-3))
    rule = tf.debugging.Assert(
        inside,
        [
            "`crops` must lie in [0, 2], with a median of 0.5 inside the vertebral bodies, got",
            tf.reduce_min(values),
            "to",
            tf.reduce_max(values),
        ],
    )
    with tf.control_dependencies([rule]):
        return tf.identity(values)


def _with_trunk(model: keras.Model, output: str) -> keras.Model:
    """The same model that also gives conv5, which the head of every output starts from."""
    conv5 = model.get_layer(f"{output}_pool5").input
    return keras.Model(model.input, {**model.output, _TRUNK: conv5})


def _grades(
    item: gradings.Grading, logits: tf.Tensor, calibration: calibrated.Calibrated | None
) -> Mapping[str, tf.Tensor]:
    temperature = calibration.temperature(item.name) if calibration else 1.0
    probabilities = tf.nn.softmax(logits / temperature)
    grades = tf.constant(item.grades, tf.int32)
    uncertain = {}
    if calibration:
        threshold = calibration.threshold(item.name)
        uncertain[f"{item.name}_uncertain"] = tf.reduce_max(probabilities, -1) < threshold
    return uncertain | {
        f"{item.name}_probabilities": probabilities,
        f"{item.name}_grade": tf.gather(grades, tf.argmax(probabilities, -1)),
        f"{item.name}_expected_grade": tf.linalg.matvec(probabilities, tf.cast(grades, tf.float32)),
    }
