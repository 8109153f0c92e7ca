"""Jigsaw: in which of a set of orders do the nine tiles of an image come?

Source: Noroozi and Favaro 2016 as compared in Chen 2019, section 3; methods 3.4.
"""

import dataclasses

import tensorflow as tf

from spine_tf.data import records, tiles
from spine_tf.tasks import tile_task


@dataclasses.dataclass(frozen=True)
class Jigsaw(tile_task.TileTask):
    """Tells the order of the tiles.

    Attributes:
        num_permutations: Orders that are told apart.
        permutations: The orders; filled in, and kept with the model.
    """

    num_permutations: int = 100
    permutations: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self):
        super().__post_init__()
        orders = tuple(tuple(int(cell) for cell in order) for order in self.permutations)
        object.__setattr__(self, "permutations", orders)
        if self.num_permutations < 2:
            raise ValueError(
                f"`num_permutations` must be at least 2, got {self.num_permutations!r}."
            )
        if orders and len(orders) != self.num_permutations:
            raise ValueError(
                f"`num_permutations` must be the number of `permutations` ({len(orders)}), got"
                f" {self.num_permutations!r}."
            )

    def configure(self, index: records.Index) -> "Jigsaw":
        made = super().configure(index)
        orders = self.permutations or tiles.permutation_set(self.num_permutations)
        return dataclasses.replace(made, permutations=orders)

    @property
    def output(self) -> str:
        return "order"

    @property
    def num_classes(self) -> int:
        return self.num_permutations

    @property
    def num_tiles(self) -> int:
        return self.tile_config.num_cells

    def cut(self, image: tf.Tensor, valid: tf.Tensor, seeds: tf.Tensor) -> tiles.Tiles:
        return tiles.jigsaw(image, valid, seeds, self.permutations, self.tile_config)
