"""Predictions for stored crops: the middle of each, without augmentation, batch by batch."""

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from spine_tf.data import augmentation, crops, pipeline, records, schema


def visit_items(index: records.Index) -> np.ndarray:
    """Returns every visit of every record, [items, 2] int32: record, position of the visit."""
    found = [
        (number, visit)
        for number, row in enumerate(index.rows)
        for visit in range(len(row["visit"]))
    ]
    return np.asarray(found, np.int32).reshape(-1, 2)


def map_crops(
    index: records.Index,
    items: np.ndarray,
    function: Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]],
    *,
    crop_scale: float,
    batch_size: int,
) -> dict[str, np.ndarray]:
    """Applies a function to the crops of some items.

    Args:
        index: The records.
        items: [items, 2] int32: record, position of the visit (0 for a disc).
        function: Takes {"crop": [batch, 9, rows, columns] float32, "slice_is_valid": [batch, 9]
            bool}; returns tensors with a leading axis of the batch. It is compiled.
        crop_scale: Crop scale of the network.
        batch_size: Items per step.

    Returns:
        What `function` returned, by name, [items, ...], in the order of `items`.

    Raises:
        ValueError: If there is no item, or the records' scale is below `crop_scale`.
    """
    if not len(items):
        raise ValueError("`items` must hold at least one crop, got none.")
    inputs = augmentation.InputConfig(index.crop_scale, crop_scale)
    preprocess = _middle_of(index.kind)
    num_steps = -(-len(items) // batch_size)
    plan = np.resize(items, (num_steps, batch_size, 2)).astype(np.int32)
    compiled = tf.function(function, reduce_retracing=True)
    found: dict[str, list[np.ndarray]] = {}
    process = pipeline.compile_preprocess(index.kind, index.crop_scale, preprocess, inputs)
    for _, batch in pipeline.items(index, plan, process, seed=0):
        for name, value in compiled(batch).items():
            found.setdefault(name, []).append(value.numpy())
    return {name: np.concatenate(parts)[: len(items)] for name, parts in found.items()}


def _middle_of(record_kind: str) -> Callable:
    """The preprocessing of one item of a kind of record."""
    kind = schema.CROP_KINDS[record_kind]
    begin = (crops.STORED_SLICES - crops.NUM_SLICES) // 2

    def preprocess(example, inputs: augmentation.InputConfig, seed: tf.Tensor):
        names = ("image", "slice_is_valid", "pixel_is_valid")
        image, slice_is_valid, pixel_is_valid = (example[name] for name in names)
        if record_kind == schema.VERTEBRA_PAIRS:
            visit = example["item"][0]
            image, slice_is_valid = image[visit], slice_is_valid[visit]
            pixel_is_valid = pixel_is_valid[visit]
        crop = augmentation.network_input(image, slice_is_valid, pixel_is_valid, kind, inputs, seed)
        return {
            "crop": crop,
            "slice_is_valid": slice_is_valid[begin : begin + crops.NUM_SLICES],
        }

    return preprocess
