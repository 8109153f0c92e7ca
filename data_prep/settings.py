"""How a data set is made: the flags that converters share. Imports nothing heavy."""

import dataclasses

from spine_tf import header_facts


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
    disc_pairs: bool = _option(
        False, "Also write pairs of discs over time, for the longitudinal task with anatomy=disc."
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

    @property
    def of_records(self) -> tuple:
        """The settings that what is cut from one scan depends on."""
        return (self.crop_scale, self.disc_pairs)


@dataclasses.dataclass(frozen=True)
class DicomSettings(Settings):
    """What converters that read DICOM headers add."""

    header_facts: str = _option(
        "",
        "Comma list of sex, age, weight: also store these of each patient, in classes (age by"
        " decade, weight by 10 kg), for heads that predict them. Nothing is read without it.",
    )

    def __post_init__(self):
        super().__post_init__()
        header_facts.parse_names(self.header_facts)


@dataclasses.dataclass(frozen=True)
class ImageSettings(DicomSettings):
    """What the converter of plain images adds."""

    image_rows: int = _option(224, "Rows of the network's input at crop scale 1; a multiple of 32.")
    image_columns: int = _option(
        224, "Columns of the network's input at crop scale 1; a multiple of 32."
    )

    @property
    def of_records(self) -> tuple:
        return (self.crop_scale, self.image_rows, self.image_columns)
