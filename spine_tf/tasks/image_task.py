"""What Chen's tasks share, pretexts and downstream: which images, and how they come.

Crops of discs or bodies are for VGG-M; slices, of plain images or volumes, for the 2-D networks.
Source: Chen 2019, section 3; methods 3.1 and 3.3.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from spine_tf import config
from spine_tf.data import augmentation, records, schema, slice_augmentation, splits
from spine_tf.tasks import task

SLICE = "slice"
_RECORD_KINDS = {"disc": schema.DISC, "vertebra": schema.VERTEBRA_PAIRS, SLICE: schema.SLICE}
_STD_EPSILON = 1e-6


@dataclasses.dataclass(frozen=True)
class ImageTask(task.Task):
    """A task on images.

    Class attributes:
        anatomies: What it can be trained on.
        stays_inside: Whether patches lie inside slices, where these are large enough.

    Attributes:
        anatomy: disc or vertebra: crops, as VGG-M sees them; slice: 2-D images.
        patch_size: Rows and columns of a patch of a slice, anywhere on its foreground (of a
            segmentation mostly on labels); 0 takes whole slices, which then must be of one size.
        image_shape: Slices, rows, columns and channels of an image; filled in from the records.
        augment: Whether training images are augmented, which the paper has in one row of its tables
            only; --noaugment wins over it.
    """

    anatomies: ClassVar[Sequence[str]] = tuple(_RECORD_KINDS)
    stays_inside: ClassVar[bool] = False

    anatomy: str = "disc"
    patch_size: int = 0
    image_shape: tuple[int, ...] = ()
    augment: bool = False

    def __post_init__(self):
        if self.anatomy not in self.anatomies:
            raise ValueError(
                f"`anatomy` must be {' or '.join(self.anatomies)}, got {self.anatomy!r}."
            )
        if self.patch_size < 0 or (self.patch_size and self.anatomy != SLICE):
            raise ValueError(
                f"`patch_size` must be 0, or positive for slices, got {self.patch_size!r}."
            )
        object.__setattr__(self, "image_shape", tuple(self.image_shape))

    @property
    def record_kind(self) -> str:
        return _RECORD_KINDS[self.anatomy]

    @property
    def protocol(self) -> str:
        return splits.SUBJECTS if self.anatomy == SLICE else splits.GRADING

    @property
    def augment_ranges(self) -> augmentation.AugmentConfig | None:
        if not self.augment:
            return None
        return slice_augmentation.RANGES if self.anatomy == SLICE else super().augment_ranges

    # === Sizes ===

    def configure(self, index: records.Index) -> Any:
        if self.anatomy != SLICE or self.image_shape:
            return self
        sizes = {(row["rows"], row["columns"]) for row in index.rows}
        channels = index.num_channels
        if self.patch_size:
            return dataclasses.replace(self, image_shape=(1, *[self.patch_size] * 2, channels))
        if len(sizes) > 1:
            raise ValueError(
                f"`patch_size` must be given where slices have several sizes, got {len(sizes)}"
                " sizes. Or convert plain images to one, with --image_rows and --image_columns."
            )
        return dataclasses.replace(self, image_shape=(1, *sizes.pop(), channels))

    def shape(self, model_config: config.ModelConfig) -> tuple[int, ...]:
        """Returns slices, rows, columns and channels of an image."""
        self._check_network(model_config)
        if self.anatomy == SLICE:
            return self.image_shape
        return (*self.crop_kind.network_shape(model_config.crop_scale), 1)

    def encoder_shape(self, model_config: config.ModelConfig) -> tuple[int | None, ...]:
        shape = self.shape(model_config)
        return shape[1:] if self.anatomy == SLICE else shape[:-1]

    def _check_network(self, model_config: config.ModelConfig) -> None:
        if (model_config.network == config.VGG_M) == (self.anatomy == SLICE):
            needed = "a 2-D network, sononet-16 say," if self.anatomy == SLICE else "VGG-M"
            raise ValueError(
                f"`preset` must be {needed} for anatomy {self.anatomy}, got {model_config.network}."
            )

    # === What comes of a record ===

    def class_counts(self, index: records.Index) -> dict[str, list[int]]:
        del index
        return {}

    def plan(self, index: records.Index, batch_size: int, seed: int) -> np.ndarray:
        """Every visit of every record that is used once; width 2: record, visit."""
        items = np.array(
            [
                (number, visit)
                for number, row in enumerate(index.rows)
                for visit in range(len(row["visit"]))
                if self.is_used(row)
            ],
            np.int32,
        ).reshape(-1, 2)
        if not len(items):
            return np.zeros((0, batch_size, 2), np.int32)
        return items[task.shuffled_plan(len(items), batch_size, seed)[..., 0]]

    def is_used(self, row: Mapping[str, Any]) -> bool:
        """Whether a record is trained on: one with foreground; told from its row of the index."""
        return bool(row.get("foreground_pixels", 1))

    def preprocess(
        self, example: task.Tensors, inputs: augmentation.InputConfig, seed: tf.Tensor
    ) -> task.Tensors:
        """Returns image [slices, rows, columns, channels], valid and foreground without channels.

        A slice has mean 0 and deviation 1 over the foreground of its volume; 0 where it is padded.
        """
        if self.anatomy == SLICE:
            return self.slice_input(example, inputs, seed)
        visit = None if self.record_kind == schema.DISC else example["item"][0]
        crop = augmentation.record_input(example, visit, self.crop_kind, inputs, seed)
        crop = augmentation.reflect_one(crop, inputs, seed)
        is_there = crop > 0  # a padded slice or pixel is 0 throughout
        valid = tf.reduce_any(is_there, [1, 2], True) & tf.reduce_any(is_there, 0, True)
        foreground = valid & (crop > _BACKGROUND)
        return {"image": crop[..., None], "valid": valid, "foreground": foreground}

    def slice_input(
        self,
        example: task.Tensors,
        inputs: augmentation.InputConfig,
        seed: tf.Tensor,
        *,
        likely: tf.Tensor | None = None,
        planes: task.Tensors | None = None,
    ) -> dict[str, tf.Tensor]:
        """Returns the patch of a slice that the network sees, see `slice_patch`.

        Args:
            example: From `slice_schema.parse`.
            inputs: Augmentation.
            seed: [2] int32.
            likely: [rows, columns] bool, where the middle of a patch is drawn; None is the
                foreground.
            planes: Further planes [rows, columns, ...] that are cut with it.
        """
        likely = example["foreground"] if likely is None else likely
        rows, columns = self.image_shape[1:3]
        return slice_patch(
            {**standardised(example), **(planes or {})},
            likely if self.patch_size else None,
            (rows, columns),
            inputs.augment,
            seed,
            stays_inside=self.stays_inside and self.patch_size > 0,
        )

    def network_image(self, image: tf.Tensor) -> tf.Tensor:
        """Returns [batch, slices, rows, columns, channels] as the network takes it."""
        return image[:, 0] if self.anatomy == SLICE else image


_BACKGROUND = 0.1  # of a crop, whose body has the median 0.5


def image_seeds(batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Returns a seed [batch, 2] int32 for every image of a batch."""
    return tf.random.stateless_uniform([tf.shape(batch)[0], 2], seed, None, None, tf.int32)


def standardised(example: task.Tensors) -> dict[str, tf.Tensor]:
    """Returns image, valid and foreground of a slice, of mean 0 and deviation 1 in its volume.

    Args:
        example: From `slice_schema.parse`.
    """
    std = tf.maximum(example["std"], _STD_EPSILON)
    image = (example["image"] - example["mean"]) / std
    image = tf.where(example["valid"][..., None], image, 0.0)
    return {name: example[name] for name in ("valid", "foreground")} | {"image": image}


def slice_patch(
    planes: Mapping[str, tf.Tensor],
    likely: tf.Tensor | None,
    size: tuple[int, int],
    augment: augmentation.AugmentConfig | None,
    seed: tf.Tensor,
    *,
    stays_inside: bool = False,
) -> dict[str, tf.Tensor]:
    """Cuts one rectangle out of planes, and augments it.

    Args:
        planes: Name -> [rows, columns] or [rows, columns, channels], image and valid among them.
        likely: [rows, columns] bool: where its middle is drawn, anywhere where none is true; None
            is the middle of the planes.
        size: Its rows and columns.
        augment: Ranges, or None.
        seed: [2] int32.
        stays_inside: Whether it is moved inside the planes, along every side that holds it.

    Returns:
        The planes by name, [1, *size] or [1, *size, channels]; 0 (False) beyond their edges.
    """
    sides = tf.unstack(tf.shape(planes["valid"]))
    middle = [side // 2 for side in sides] if likely is None else _drawn(likely, seed)
    corner = [place - side // 2 for place, side in zip(middle, size, strict=True)]
    if stays_inside:
        room = [side - wanted for side, wanted in zip(sides, size, strict=True)]
        corner = [
            tf.where(left < 0, place, tf.clip_by_value(place, 0, tf.maximum(left, 0)))
            for place, left in zip(corner, room, strict=True)
        ]
    if augment is None:
        found = {name: _cut(plane, corner, size) for name, plane in planes.items()}
    else:
        found = slice_augmentation.warped(planes, corner, size, augment, seed + 2)
        image = slice_augmentation.with_intensity(found["image"], augment, seed + 3)
        found["image"] = tf.where(found["valid"][..., None], image, 0.0)
    return {name: plane[None] for name, plane in found.items()}


def _drawn(likely: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
    """Row and column of a pixel among those that are true."""
    likely = tf.cond(tf.reduce_any(likely), lambda: likely, lambda: tf.ones_like(likely))
    places = tf.where(likely)
    number = tf.random.stateless_uniform([], seed, 0, tf.shape(places)[0], tf.int32)
    return tf.unstack(tf.cast(places[number], tf.int32))


def _cut(plane: tf.Tensor, corner: Sequence[tf.Tensor], size: tuple[int, int]) -> tf.Tensor:
    """A rectangle whose middle lies in the plane."""
    rest = [[0, 0]] * (len(plane.shape) - 2)
    padded = tf.pad(plane, [[side // 2, side - side // 2] for side in size] + rest)
    row, column = (place + side // 2 for place, side in zip(corner, size, strict=True))
    found = padded[row : row + size[0], column : column + size[1]]
    return tf.ensure_shape(found, [*size, *plane.shape[2:]])
