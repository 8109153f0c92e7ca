"""Options of an evaluation. No TensorFlow here: they are flags of `evaluate`."""

import dataclasses

from spine_tf import flag_field
from spine_tf.data import splits


@dataclasses.dataclass(frozen=True)
class Options:
    """What is evaluated and how sure the numbers shall be. Each field is a flag of `evaluate`."""

    split: str = flag_field.option("test", "Split that is evaluated.", choices=splits.SPLITS)
    batch_size: int = flag_field.option(32, "Crops, images or slices per step.")
    other_data: bool = flag_field.option(
        False,
        "The data set is another one than the model was trained on: evaluate all its records.",
    )
    bootstrap: str = flag_field.option(
        "subject", "What the intervals are drawn over.", choices=("subject", "family")
    )
    num_draws: int = flag_field.option(2000, "Bootstrap draws.")
    seed: int = flag_field.option(0, "Seed of the bootstrap.")
    tile_size: int = flag_field.option(
        0,
        "Rows and columns of the overlapping tiles in which slices are segmented; 0 is whole"
        " slices.",
    )

    def __post_init__(self):
        if self.split not in splits.SPLITS:
            raise ValueError(
                f"`split` must be one of {', '.join(splits.SPLITS)}, got {self.split!r}."
            )
        if self.bootstrap not in ("subject", "family"):
            raise ValueError(f"`bootstrap` must be subject or family, got {self.bootstrap!r}.")
        for name in ("batch_size", "num_draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
        if self.tile_size % 16 or not (self.tile_size == 0 or self.tile_size >= 32):
            raise ValueError(
                f"`tile_size` must be 0 or a multiple of 16 from 32 on, got {self.tile_size!r}."
            )
