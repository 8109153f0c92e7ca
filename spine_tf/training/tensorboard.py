"""TensorBoard files of a run: scalars and input images.

Written with TensorFlow alone: `tf.summary.scalar` and `tf.summary.image` need the package
tensorboard, `tf.summary.write` does not. The metadata name TensorBoard's plugins.
"""

import functools
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from spine_tf.data import crops

LOGS = "logs"
INPUT_IMAGES = "train/input"
_MAX_CROPS = 8
_LINE = 128  # gray between crops, so that black padding is told from it
# Names of TensorBoard's plugins.
_SCALARS, _IMAGES = "scalars", "images"


def logs_dir(model_dir: str) -> str:
    """Returns the folder to give to `tensorboard --logdir`."""
    return os.path.join(model_dir, LOGS)


def write_scalars(model_dir: str, epoch: int, values: Mapping[str, float]) -> None:
    """Adds one number per name.

    Args:
        model_dir: The model folder.
        epoch: Epoch, from 0.
        values: Name -> number.

    Raises:
        OSError: If it cannot be written, on a full disk say.
    """
    scalars = {name: tf.constant(value, tf.float32) for name, value in values.items()}
    _write(model_dir, epoch, scalars, _SCALARS)


def write_input_images(model_dir: str, epoch: int, crop: np.ndarray | tf.Tensor) -> None:
    """Adds the montage of the first crops of a batch, as the network sees them.

    Args:
        model_dir: The model folder.
        epoch: Epoch, from 0.
        crop: See `as_slices`.

    Raises:
        OSError: If it cannot be written, on a full disk say.
    """
    picture = montage(as_slices(np.asarray(crop, np.float32)))
    rows, columns = picture.shape
    png = tf.io.encode_png(picture[..., None])
    image = tf.stack([tf.constant(str(columns)), tf.constant(str(rows)), png])
    _write(model_dir, epoch, {INPUT_IMAGES: image}, _IMAGES)


def as_slices(images: np.ndarray) -> np.ndarray:
    """Returns what a network sees as [batch, planes, rows, columns], intensities 0 to 2.

    Args:
        images: [batch, slices, rows, columns, 1] crops; [batch, rows, columns, channels] images;
            [batch, tiles, ..., channels] tiles of either. Images that have negative values, because
            they were standardised, are stretched to the range.
    """
    planes = np.moveaxis(images, -1, 1)
    planes = planes.reshape(len(planes), -1, *planes.shape[-2:])
    if planes.min() < 0:
        planes = (planes - planes.min()) * (2 / max(np.ptp(planes), 1e-6))
    return planes


def montage(crop: np.ndarray, max_crops: int = _MAX_CROPS) -> np.ndarray:
    """Sets crops below each other, each with its slices from left to right.

    Args:
        crop: [batch, slices, rows, columns] or [..., 1], intensities 0 to 2.
        max_crops: Crops that are shown at most.

    Returns:
        [height, width] uint8: 0 is black, 2 is white, a padded slice is black; a gray line of one
        pixel around every slice.
    """
    shown = np.asarray(crop[:max_crops], np.float32)
    shown = shown.reshape(shown.shape[:4])
    image = gray(shown)
    framed = np.pad(image, ((0, 0), (0, 0), (1, 0), (1, 0)), constant_values=_LINE)
    count, slices, rows, columns = framed.shape
    whole = framed.transpose(0, 2, 1, 3).reshape(count * rows, slices * columns)
    return np.pad(whole, ((0, 1), (0, 1)), constant_values=_LINE)


def gray(intensity: np.ndarray) -> np.ndarray:
    """Returns intensities 0 to 2 as uint8 0 to 255; what lies outside is cut off."""
    scaled = np.asarray(intensity, np.float32) * (255 / crops.MAX_INTENSITY)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _write(model_dir: str, epoch: int, tensors: Mapping[str, tf.Tensor], plugin: str) -> None:
    data = tf.compat.v1.SummaryMetadata.PluginData(plugin_name=plugin)
    metadata = tf.compat.v1.SummaryMetadata(plugin_data=data)
    folder = logs_dir(model_dir)
    try:
        writer = _writer(folder)
        with writer.as_default(step=epoch):
            for name, tensor in tensors.items():
                tf.summary.write(name, tensor, metadata=metadata)
        writer.flush()
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].split("; ")[-1]
        raise OSError(
            f"{folder}: TensorBoard files cannot be written ({reason}). Make room and run the same"
            " command again."
        ) from error


@functools.cache
def _writer(folder: str) -> tf.summary.SummaryWriter:
    """The TensorBoard file of a run: one per process."""
    return tf.summary.create_file_writer(folder)
