"""Relative positions: where does a second tile lie from the middle one?

Source: Doersch et al. 2015 as compared in Chen 2019, section 3; methods 3.4.
"""

import dataclasses

import tensorflow as tf

from spine_tf.data import tiles
from spine_tf.tasks import tile_task


@dataclasses.dataclass(frozen=True)
class RelativePositions(tile_task.TileTask):
    """Tells the place of one tile from another.

    Attributes:
        in_volume: Whether the grid is 3x3x3, with 26 places, in place of 3x3 through all slices
            with 8.
    """

    in_volume: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.in_volume and self.anatomy == "slice":
            raise ValueError("`in_volume` must be false for slices, got True.")

    @property
    def output(self) -> str:
        return "position"

    @property
    def tile_config(self) -> tiles.TileConfig:
        return tiles.TileConfig(grid=(3, 3, 3)) if self.in_volume else tiles.TileConfig()

    @property
    def num_classes(self) -> int:
        return self.tile_config.num_cells - 1

    @property
    def num_tiles(self) -> int:
        return 2

    def cut(self, image: tf.Tensor, valid: tf.Tensor, seeds: tf.Tensor) -> tiles.Tiles:
        return tiles.relative_positions(image, valid, seeds, self.tile_config)
