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
    report: Callable[[int], object] = lambda done: None,
) -> dict[str, np.ndarray]:
    """Applies a function to the crops of some items.

    Args:
        index: The records.
        items: [items, 2] int32: record, position of the visit (0 for a disc).
        function: Takes {"crop": [batch, slices, rows, columns] float32, "slice_is_valid":
            [batch, slices] bool}; returns tensors with a leading axis of the batch. It is compiled.
        crop_scale: Crop scale of the network.
        batch_size: Items per step.
        report: Is told after every step how many items are done.

    Returns:
        What `function` returned, by name, [items, ...], in the order of `items`.

    Raises:
        ValueError: If there is no item, or the records' scale is below `crop_scale`.
    """
    if not len(items):
        raise ValueError("`items` must hold at least one crop, got none.")
    inputs = augmentation.InputConfig(index.crop_scale, crop_scale)
    kind = index.known_crop_kind
    preprocess = _middle_of(kind, holds_visits=index.kind in schema.PAIRS)
    num_steps = -(-len(items) // batch_size)
    plan = np.resize(items, (num_steps, batch_size, 2)).astype(np.int32)
    compiled = tf.function(function, reduce_retracing=True)
    found: dict[str, list[np.ndarray]] = {}
    process = pipeline.compile_preprocess(index.kind, index.crop_scale, preprocess, inputs, kind)
    for step, batch in pipeline.items(index, plan, process, seed=0):
        for name, value in compiled(batch).items():
            found.setdefault(name, []).append(value.numpy())
        report(min(len(items), (int(step) + 1) * batch_size))
    return {name: np.concatenate(parts)[: len(items)] for name, parts in found.items()}


def _middle_of(kind: crops.CropKind, *, holds_visits: bool) -> Callable:
    """The preprocessing of one item; records of pairs have an axis of visits."""
    begin = (kind.stored_slices - kind.num_slices) // 2

    def preprocess(example, inputs: augmentation.InputConfig, seed: tf.Tensor):
        names = ("image", "slice_is_valid", "pixel_is_valid")
        image, slice_is_valid, pixel_is_valid = (example[name] for name in names)
        if holds_visits:
            visit = example["item"][0]
            image, slice_is_valid = image[visit], slice_is_valid[visit]
            pixel_is_valid = pixel_is_valid[visit]
        crop = augmentation.network_input(image, slice_is_valid, pixel_is_valid, kind, inputs, seed)
        return {
            "crop": crop,
            "slice_is_valid": slice_is_valid[begin : begin + kind.num_slices],
        }

    return preprocess
