"""How a data set is made: the flags that converters share. Imports nothing heavy."""

import dataclasses
from collections.abc import Mapping

from spine_tf import flag_field, header_facts

PAIRS, SLICES = "image_pairs", "slice"  # kinds of records of plain images
IMAGES, BRATS, SPIDER, VOLUMES = "images", "brats", "spider", "volumes"  # layouts of input
NATIVE = "native"
_VIEWS = (NATIVE, "axial", "coronal", "sagittal")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a data set is made. Each field is a flag of every converter."""

    crop_scale: float = flag_field.option(
        1.0, "Scale of stored crops: 1 (any preset) or 0.5 (small, tiny)."
    )
    num_shards: int = flag_field.option(8, "TFRecord files per kind of record.")
    split_seed: int = flag_field.option(
        0, "Seed of the split of families; another seed, another split."
    )
    held_out_fraction: float = flag_field.option(
        0.1,
        "Share of families in each of validation and test of the longitudinal stage and of slices.",
    )
    disc_pairs: bool = flag_field.option(
        False, "Also write pairs of discs over time, for the longitudinal task with anatomy=disc."
    )
    folds: int = flag_field.option(
        0, "Add so many cross-validation folds by family; for small data sets."
    )
    train_percents: tuple[int, ...] = flag_field.option(
        (),
        "Percentages such as 50,25: for each protocol that holds all also PROTOCOL_percent50, ...,"
        " which train on that part of the subjects; smaller parts lie in larger ones.",
    )
    train_subjects: tuple[int, ...] = flag_field.option(
        (), "Counts such as 4,2: the same with so many training subjects, PROTOCOL_subjects4, ..."
    )
    num_processes: int = flag_field.option(
        1, "Worker processes; any number gives the same records."
    )
    dry_run: bool = flag_field.option(False, flag_field.DRY_RUN)

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

        for name, most in (("train_percents", 100), ("train_subjects", None)):
            for value in getattr(self, name):
                if value < 1 or (most and value > most):
                    limit = f" and at most {most}" if most else ""
                    raise ValueError(f"`{name}` must be at least 1{limit}, got {value!r}.")

    @property
    def of_records(self) -> tuple:
        """The settings that what is cut from one scan depends on."""
        return (self.crop_scale, self.disc_pairs)


@dataclasses.dataclass(frozen=True)
class DicomSettings(Settings):
    """What converters that read DICOM headers add."""

    header_facts: str = flag_field.option(
        "",
        "Comma list of sex, age, weight: also store these of each patient, in classes (age by"
        " decade, weight by 10 kg), for heads that predict them. None is stored without it.",
    )

    def __post_init__(self):
        super().__post_init__()
        header_facts.parse_names(self.header_facts)


@dataclasses.dataclass(frozen=True)
class ImageSettings(DicomSettings):
    """What the converter of plain images adds."""

    image_rows: int = flag_field.option(
        224, "Rows of the network's input at crop scale 1; of pairs a multiple of 32."
    )
    image_columns: int = flag_field.option(
        224, "Columns of the network's input at crop scale 1; of pairs a multiple of 32."
    )
    kinds: tuple[str, ...] = flag_field.option(
        (PAIRS,),
        f"Records of plain images: {PAIRS} (a subject's images over time), {SLICES} (single images"
        " with their class), or both.",
    )
    classes: tuple[str, ...] = flag_field.option(
        (), f"For {SLICES}: the labels that there are; a row with another one is rejected."
    )
    keep_box: tuple[int, ...] = flag_field.option(
        (),
        "Part of every image that is kept, such as 115,734,81,874 where text is burned in around"
        " it: first row, row after the last, first column, column after the last.",
    )

    def __post_init__(self):
        super().__post_init__()
        _check_among("kinds", self.kinds, (PAIRS, SLICES))
        if self.header_facts and PAIRS not in self.kinds:
            raise ValueError(f"`header_facts` must come with `kinds` {PAIRS}, got {self.kinds!r}.")
        if self.keep_box and not _is_box(self.keep_box):
            raise ValueError(
                "`keep_box` must be first and last row, first and last column, got"
                f" {self.keep_box!r}."
            )
        for name in ("image_rows", "image_columns"):  # of pairs `crops.image_kind` asks for more
            if PAIRS not in self.kinds and getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {getattr(self, name)!r}.")

    @property
    def of_records(self) -> tuple:
        return (self.crop_scale, self.image_rows, self.image_columns, self.kinds, self.keep_box)


@dataclasses.dataclass(frozen=True)
class VolumeSettings(Settings):
    """What the converter of volumes with label maps adds."""

    channels: tuple[str, ...] = flag_field.option(
        (),
        "Endings of the names of a case's images, in the order of channels, such as"
        " t1,t1ce,t2,flair. Layout brats has these.",
    )
    views: tuple[str, ...] = flag_field.option(
        (NATIVE,), "Views that are cut: axial, coronal, sagittal, or native, that of the file."
    )
    spacing_mm: float = flag_field.option(
        0.0, "Distance of pixels after resampling; 0: as they are."
    )
    resample: str = flag_field.option(
        "in_plane", "What --spacing_mm is of.", choices=("in_plane", "isotropic")
    )
    window_hu: tuple[float, ...] = flag_field.option(
        (), "Lowest and highest intensity kept, such as -200,300 of CT; outside is cut off."
    )
    slices: str = flag_field.option(
        "foreground",
        "Slices kept: all; foreground: that show more than background; labelled: with a label,"
        " which makes errors of test cases too small.",
        choices=("all", "foreground", "labelled"),
    )
    unlisted_labels: str = flag_field.option(
        "reject",
        "Labels of a label map that --label_names does not name: reject the case, or take them for"
        " background.",
        choices=("reject", "background"),
    )
    cut_to_label_map: bool = flag_field.option(
        False, "Of a label map that covers a part of its image, take that part; else reject it."
    )
    label_map_shift_mm: tuple[float, ...] = flag_field.option(
        (), "Added to the position (x, y, z to left, back, head) that label maps' headers give."
    )
    labels: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        super().__post_init__()
        _check_among("views", self.views, _VIEWS)
        if self.spacing_mm < 0:
            raise ValueError(f"`spacing_mm` must not be negative, got {self.spacing_mm!r}.")
        if self.window_hu and (len(self.window_hu) != 2 or self.window_hu[0] >= self.window_hu[1]):
            raise ValueError(
                f"`window_hu` must be a lower and a higher number, got {self.window_hu!r}."
            )
        if len(self.label_map_shift_mm) not in (0, 3):
            raise ValueError(
                f"`label_map_shift_mm` must be three numbers, got {self.label_map_shift_mm!r}."
            )

    @property
    def of_records(self) -> tuple:
        return (
            *(self.channels, self.views, self.spacing_mm, self.resample, self.window_hu),
            *(
                self.slices,
                self.unlisted_labels,
                self.cut_to_label_map,
                self.label_map_shift_mm,
                sorted(self.labels.items()),
            ),
        )


def _is_box(box: tuple[int, ...]) -> bool:
    return len(box) == 4 and 0 <= box[0] < box[1] and 0 <= box[2] < box[3]


def _check_among(name: str, found: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    if not found or len(set(found)) != len(found) or set(found) - set(allowed):
        raise ValueError(f"`{name}` must be some of {', '.join(allowed)}, once each, got {found}.")
