"""How a data set is made: the flags that every converter shares. Imports nothing heavy."""

import dataclasses


def _option(default, text: str):
    return dataclasses.field(default=default, metadata={"help": text})


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a data set is made. Each field is a flag of every converter."""

    crop_scale: float = _option(1.0, "Scale of stored crops: 1 (any preset) or 0.5 (small, tiny).")
    num_shards: int = _option(8, "TFRecord files per kind of record.")
    split_seed: int = _option(0, "Seed of the split of families; another seed, another split.")
    held_out_fraction: float = _option(
        0.1, "Share of families in each of validation and test of the longitudinal stage."
    )
    folds: int = _option(0, "Add so many cross-validation folds by family; for small data sets.")
    num_processes: int = _option(1, "Worker processes.")

    def __post_init__(self):
        if self.crop_scale not in (1.0, 0.5):
            raise ValueError(f"`crop_scale` must be 1 or 0.5, got {self.crop_scale!r}.")
        if not 0 < self.held_out_fraction < 0.5:
            raise ValueError(
                "`held_out_fraction` must be above 0 and below 0.5, got"
                f" {self.held_out_fraction!r}."
            )
        for name in ("num_shards", "num_processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")
        if self.folds < 0 or self.folds == 1:
            raise ValueError(f"`folds` must be 0 or at least 2, got {self.folds!r}.")
