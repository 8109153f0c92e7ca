"""TensorBoard's embedding projector: where a model puts the crops of the validation split.

    logs/projector_config.pbtxt      what the projector opens
    logs/projector/NAME.tsv          an embedding: a line of numbers per crop
    logs/projector/metadata.tsv      a line per crop: subject, visit, level, grades
    logs/projector/sprite.png        the middle slices

Subjects are numbers within these files, from 1. Nothing else tells who they are. The form of the
files is that of tensorboard/plugins/projector; writing needs no package tensorboard.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from spine_tf import files
from spine_tf.data import records
from spine_tf.evaluation import bootstrap, embedding, inference
from spine_tf.training import model_folder, tensorboard

CONFIG = "projector_config.pbtxt"
FOLDER = "projector"
METADATA = "metadata.tsv"
SPRITE = "sprite.png"
MAX_CROPS = 2000
THUMBNAIL_PIXELS = 48
_NOT_GRADED = "not graded"
_TOWER, _FC8, _THUMBNAIL = "tower", "_fc8", "thumbnail"


def write_validation(
    folder: model_folder.ModelFolder,
    data: records.DataFolder,
    model: keras.Model | None = None,
) -> bool:
    """Embeds crops of the validation split and writes them for the projector.

    Of a longitudinal model that is the embedding; of a grading model FC7 of every grading. The
    files of an earlier call are replaced.

    Args:
        folder: The model folder.
        data: The data set it was trained on.
        model: The whole model as it stands; None takes the weights of the best epoch.

    Returns:
        Whether anything was written: False for a model without an embedding, and where the
        validation split has no crop.

    Raises:
        FileNotFoundError: If there is no `model` and no epoch was finished.
        OSError: If it cannot be written.
    """
    embed = embedder(model or folder.load_model())
    index = data.index(folder.task.test_kind, folder.protocol, "validation")
    items = inference.visit_items(index)[:MAX_CROPS]
    if embed is None or not len(items):
        return False

    def embed_and_draw(batch):
        return {**embed(batch["crop"]), _THUMBNAIL: thumbnails(batch["crop"])}

    found = inference.map_crops(
        index,
        items,
        embed_and_draw,
        crop_scale=folder.model_config.crop_scale,
        batch_size=folder.train_config.batch_size,
    )
    images = found.pop(_THUMBNAIL)
    write(
        folder.path,
        found,
        metadata([index.rows[i] for i in items[:, 0]], items[:, 1].tolist()),
        images,
    )
    return True


def embedder(model: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]] | None:
    """Returns what embeds crops with a model.

    Args:
        model: The model of a task.

    Returns:
        A function from crops [batch, slices, rows, columns] float32 to name -> [batch, units]
        float32: "embedding" of a longitudinal model; of one with a fully connected head per output
        (`heads.classifier`) what enters each FC8. None for other models.
    """
    names = [layer.name for layer in model.layers]
    if _TOWER in names:
        tower = model.get_layer(_TOWER)
        return lambda crop: {"embedding": embedding.embed(tower, crop)["embedding"]}
    outputs = [name.removesuffix(_FC8) for name in names if name.endswith(_FC8)]
    if not outputs:
        return None
    fc7 = {name: model.get_layer(name + _FC8).input for name in outputs}
    tower = keras.Model(model.input, fc7)

    def embed(crop):
        found = tower({"crop": crop[..., None]}, training=False)
        return {name: tf.cast(value, tf.float32) for name, value in found.items()}

    return embed


def thumbnails(crop: tf.Tensor) -> tf.Tensor:
    """Returns the middle slices of crops as small squares, black around them.

    Args:
        crop: [batch, slices, rows, columns] float32, intensities 0 to 2.

    Returns:
        [batch, THUMBNAIL_PIXELS, THUMBNAIL_PIXELS] float32, intensities 0 to 2.
    """
    middle = crop[:, crop.shape[1] // 2, ..., None]
    return tf.image.resize_with_pad(middle, THUMBNAIL_PIXELS, THUMBNAIL_PIXELS)[..., 0]


def metadata(rows: Sequence[Mapping[str, Any]], visits: Sequence[int]) -> dict[str, list[str]]:
    """Returns what may be said of crops.

    Args:
        rows: [crops] row of the index of each crop's record.
        visits: [crops] position of each crop's visit in its record.

    Returns:
        Column -> text of each crop: subject, a number from 1; visit, from 1; level; and every
        grading that a crop has, as published.
    """
    subjects, _ = bootstrap.codes([row["subject"] for row in rows])
    columns = {
        "subject": [str(number + 1) for number in subjects],
        "visit": [str(row["visit"][visit] + 1) for row, visit in zip(rows, visits, strict=True)],
        "level": [" ".join(row["level"].split()) for row in rows],
    }
    for name in dict.fromkeys(name for row in rows for name in sorted(row["grades"])):
        columns[name] = [str(row["grades"].get(name, _NOT_GRADED)) for row in rows]
    return columns


def write(
    model_dir: str,
    embeddings: Mapping[str, np.ndarray],
    columns: Mapping[str, Sequence[str]],
    images: np.ndarray,
) -> None:
    """Writes the projector's files.

    Args:
        model_dir: The model folder.
        embeddings: Name -> [crops, units] float32.
        columns: At least two; name -> text of each crop, without tab and line break.
        images: [crops, side, side], intensities 0 to 2.

    Raises:
        OSError: If it cannot be written.
    """
    logs = tensorboard.logs_dir(model_dir)
    os.makedirs(os.path.join(logs, FOLDER), exist_ok=True)
    with files.atomic_write(os.path.join(logs, FOLDER, SPRITE), "wb") as file:
        file.write(tf.io.encode_png(sprite(images)[..., None]).numpy())
    _write_table(
        os.path.join(logs, FOLDER, METADATA), [columns, *zip(*columns.values(), strict=True)]
    )
    for name, values in embeddings.items():
        lines = ([f"{number:.6g}" for number in point] for point in values.tolist())
        _write_table(os.path.join(logs, FOLDER, f"{name}.tsv"), lines)
    with files.atomic_write(os.path.join(logs, CONFIG)) as file:
        file.writelines(_entry(name, images.shape[1]) for name in embeddings)


def sprite(images: np.ndarray) -> np.ndarray:
    """Sets small images into a square, row by row, as the projector wants them.

    Args:
        images: [crops, side, side], intensities 0 to 2.

    Returns:
        [n * side, n * side] uint8 with n the least number whose square holds all crops.
    """
    count, side = images.shape[:2]
    number = math.ceil(math.sqrt(count))
    full = np.zeros((number**2, side, side), np.uint8)
    full[:count] = tensorboard.gray(images)
    grid = full.reshape(number, number, side, side).transpose(0, 2, 1, 3)
    return grid.reshape(number * side, number * side)


def _write_table(path: str, lines) -> None:
    """Writes cells with tabs between them."""
    with files.atomic_write(path) as file:
        file.writelines("\t".join(cells) + "\n" for cells in lines)


def _entry(name: str, side: int) -> str:
    """One embedding in projector_config.pbtxt."""
    return f"""embeddings {{
  tensor_name: "{name}"
  tensor_path: "{FOLDER}/{name}.tsv"
  metadata_path: "{FOLDER}/{METADATA}"
  sprite {{
    image_path: "{FOLDER}/{SPRITE}"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""
