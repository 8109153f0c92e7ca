"""Whole cases segmented slice by slice and stacked again.

A case is the slices of one volume in one view. Slices that conversion left out show no label (or
nothing at all): they are empty in truth and prediction, so that distances stay those of the volume.

Source: Chen 2019, brain tumour segmentation; methods 3.7 (whole slices; measures in 3-D).
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spine_tf.data import augmentation, pipeline, records
from spine_tf.evaluation import fold, tiled_inference, tiling
from spine_tf.tasks import image_task
from spine_tf.tasks.downstream import segmentation as segmentation_task

_WHOLE_SLICES = 8  # of a step at most: a whole slice is as much work as dozens of patches


@dataclasses.dataclass(frozen=True)
class WholeCase:
    """One case with its prediction.

    Attributes:
        facts: The index row of its first slice.
        positions: [slices] numbers of the slices that there are, from the first one's.
        images: Those slices, [rows, columns, channels] float32 each, standardised.
        truth: [all slices, rows, columns] uint8 labels.
        prediction: As `truth`.
    """

    facts: Mapping[str, Any]
    positions: np.ndarray
    images: Sequence[np.ndarray]
    truth: np.ndarray
    prediction: np.ndarray

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between slices, rows and columns."""
        slices_mm, rows_mm, columns_mm = self.facts["spacing_mm"]
        return slices_mm, rows_mm, columns_mm


def segment(one: fold.Fold, *, tile_size: int, batch_size: int) -> Iterator[WholeCase]:
    """Yields every test case that has label maps, with its prediction.

    Args:
        one: Model and records.
        tile_size: Rows and columns of overlapping tiles; 0 is whole slices.
        batch_size: Tiles per step; of whole slices 8 at most.

    Raises:
        ValueError: If slices of a case differ in size.
    """
    read, network = _reader(one), _network(one)
    made: segmentation_task.Segmentation = one.folder.task
    label_of = np.array([0, *made.labels], np.uint8)
    for numbers in labelled_cases(one.test).values():
        rows = [one.test.rows[number] for number in numbers]
        _check_sizes(rows)
        slices = [read(number) for number in numbers]
        images = [found["image"].numpy() for found in slices]
        outputs = _apply(network, images, tile_size, batch_size)
        predicted = [label_of[np.argmax(output, -1)] for output in outputs]
        yield WholeCase(
            facts=rows[0],
            positions=np.array([row["position"] - rows[0]["position"] for row in rows]),
            images=images,
            truth=_stacked(rows, [found["label_map"].numpy() for found in slices]),
            prediction=_stacked(
                rows, [p * f["valid"].numpy() for p, f in zip(predicted, slices, strict=True)]
            ),
        )


def labelled_cases(index: records.Index) -> dict[tuple[str, str], list[int]]:
    """Returns the cases of `records.cases` all of whose slices have a label map."""
    return {
        key: numbers
        for key, numbers in records.cases(index).items()
        if all(index.rows[number]["label_pixels"] is not None for number in numbers)
    }


def _check_sizes(rows: Sequence[Mapping[str, Any]]) -> None:
    sizes = {(row["rows"], row["columns"]) for row in rows}
    if len(sizes) > 1:
        raise ValueError(
            f"the slices of case {rows[0]['case']} must be of one size, got {sorted(sizes)}."
            " Convert the volumes again."
        )


def _reader(one: fold.Fold) -> Callable[[int], dict[str, tf.Tensor]]:
    """Number of a record -> its image as the network sees it, its label map, where it is valid."""

    def preprocess(example, inputs: augmentation.InputConfig, seed: tf.Tensor):
        del inputs, seed
        found = image_task.standardised(example)
        return {name: found[name] for name in ("image", "valid")} | {
            "label_map": example["label_map"]
        }

    scale, nothing = one.test.crop_scale, tf.zeros([2], tf.int32)
    inputs = augmentation.InputConfig(scale, scale)
    process = pipeline.compile_preprocess(
        one.test.kind, scale, preprocess, inputs, one.test.crop_kind
    )
    return lambda number: process(tf.constant(one.test.read(number)), nothing, nothing)


def _network(one: fold.Fold) -> tiled_inference.Network:
    """Images -> probabilities; compiled once for all cases."""
    model = one.folder.load_model()

    @tf.function(reduce_retracing=True, autograph=False)
    def network(images: tf.Tensor) -> tf.Tensor:
        logits = model({"image": images}, training=False)[segmentation_task.LABELS]
        return tf.nn.softmax(tf.cast(logits, tf.float32))

    return network


def _apply(network, images, tile_size: int, batch_size: int) -> Iterator[np.ndarray]:
    if not tile_size:
        return tiled_inference.whole(network, images, batch_size=min(batch_size, _WHOLE_SLICES))
    return tiled_inference.tiled(network, images, tiles_of(tile_size), batch_size=batch_size)


def tiles_of(tile_size: int) -> tiling.Tiling:
    """Returns the tiling of square tiles that overlap by about half.

    Args:
        tile_size: Rows and columns of a tile, a multiple of 16 from 32 on.
    """
    multiple = tiling.Tiling.multiple
    overlap = tile_size // 2 // multiple * multiple
    margin = min(tiling.Tiling.margin, overlap // 4)
    return tiling.Tiling((tile_size, tile_size), overlap, margin, multiple)


def _stacked(rows: Sequence[Mapping[str, Any]], planes: Sequence[np.ndarray]) -> np.ndarray:
    """[all slices from the first to the last, rows, columns] uint8, 0 where one is missing."""
    first, last = rows[0]["position"], rows[-1]["position"]
    stack = np.zeros((last - first + 1, *planes[0].shape), np.uint8)
    for row, plane in zip(rows, planes, strict=True):
        stack[row["position"] - first] = plane
    return stack
