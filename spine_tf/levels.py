"""Vertebral and disc levels: the one table of names and of other tools' numbers.

Levels run from head to foot. A disc is named after the vertebra above it and the
vertebra below it, for example `L4-L5`.
"""

import dataclasses
import enum
from collections.abc import Mapping

# Sources of the numbers:
#   SPIDER (van der Graaf et al. 2024): vertebrae 1.. from L5 upwards, discs 201.. from
#     the disc below L5 upwards; the gradings file counts discs 1.. in the same order.
#   TotalSpineSeg (README, label table): T9 = 29 .. L5 = 45, sacrum = 50, discs 80 .. 100, cord 1
#     and canal 2.
#   SPINEPS (Moeller et al. 2024): T1 = 8 .. L6 = 25, S1 = 26; a disc is 100 + the vertebra above.
#     The cord 60 and the canal 61 are in its other map, that of subregions.
#   SpineNet names its levels as we do, and has no numbers.


class VertebraLevel(enum.Enum):
    """A vertebra, T9 to S1, in head to foot order. `value` is its published name."""

    T9 = "T9"
    T10 = "T10"
    T11 = "T11"
    T12 = "T12"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    L5 = "L5"
    L6 = "L6"
    S1 = "S1"

    @property
    def order(self) -> int:
        """Position from head (0) to foot."""
        return _VERTEBRA_ORDER[self]

    @classmethod
    def from_name(cls, name: str) -> "VertebraLevel":
        """Returns the level called `name`.

        Raises:
            ValueError: If there is no such level.
        """
        try:
            return cls(name)
        except ValueError:
            choices = ", ".join(level.value for level in cls)
            raise ValueError(f"`level` must be one of {choices}, got {name!r}.") from None


class DiscLevel(enum.Enum):
    """An intervertebral disc, in head to foot order. `value` is its published name."""

    T9_T10 = "T9-T10"
    T10_T11 = "T10-T11"
    T11_T12 = "T11-T12"
    T12_L1 = "T12-L1"
    L1_L2 = "L1-L2"
    L2_L3 = "L2-L3"
    L3_L4 = "L3-L4"
    L4_L5 = "L4-L5"
    L5_S1 = "L5-S1"
    L5_L6 = "L5-L6"
    L6_S1 = "L6-S1"

    @property
    def upper(self) -> VertebraLevel:
        """The vertebra above the disc."""
        return VertebraLevel(self.value.split("-")[0])

    @property
    def lower(self) -> VertebraLevel:
        """The vertebra below the disc."""
        return VertebraLevel(self.value.split("-")[1])

    @property
    def order(self) -> int:
        """Position from head (0) to foot; L5-S1 and L5-L6 exclude each other."""
        return _DISC_ORDER[self]

    @classmethod
    def from_name(cls, name: str) -> "DiscLevel":
        """Returns the disc called `name`.

        Raises:
            ValueError: If there is no such disc.
        """
        try:
            return cls(name)
        except ValueError:
            choices = ", ".join(disc.value for disc in cls)
            raise ValueError(f"`disc` must be one of {choices}, got {name!r}.") from None

    @classmethod
    def between(cls, upper: VertebraLevel, lower: VertebraLevel) -> "DiscLevel | None":
        """Returns the disc between two vertebrae, or None if they are no neighbours."""
        return _DISC_BY_NAME.get(f"{upper.value}-{lower.value}")


_VERTEBRA_ORDER = {level: order for order, level in enumerate(VertebraLevel)}
_DISC_ORDER = {disc: order for order, disc in enumerate(DiscLevel)}
_DISC_BY_NAME = {disc.value: disc for disc in DiscLevel}

# What both papers' networks see: seven vertebral bodies and six discs of one scan
# (Jamaludin 2017, section 2). The position in the tuple is the class index of the level head.
LUMBAR_VERTEBRAE = tuple(VertebraLevel(name) for name in "T12 L1 L2 L3 L4 L5 S1".split())
LUMBAR_DISCS = tuple(DiscLevel(name) for name in "T12-L1 L1-L2 L2-L3 L3-L4 L4-L5 L5-S1".split())

# SPIDER counts upwards from L5, whatever the number of lumbar vertebrae.
SPIDER_VERTEBRAE = {
    1 + i: VertebraLevel(n) for i, n in enumerate("L5 L4 L3 L2 L1 T12 T11 T10 T9".split())
}
SPIDER_DISCS = {
    1 + i: DiscLevel(n)
    for i, n in enumerate("L5-S1 L4-L5 L3-L4 L2-L3 L1-L2 T12-L1 T11-T12 T10-T11 T9-T10".split())
}
SPIDER_CANAL = 100
SPIDER_DISC_OFFSET = 200  # mask value of a disc = 200 + its number in the gradings file

TOTALSPINESEG_VERTEBRAE = {
    29: VertebraLevel.T9,
    30: VertebraLevel.T10,
    31: VertebraLevel.T11,
    32: VertebraLevel.T12,
    41: VertebraLevel.L1,
    42: VertebraLevel.L2,
    43: VertebraLevel.L3,
    44: VertebraLevel.L4,
    45: VertebraLevel.L5,
    50: VertebraLevel.S1,
}
TOTALSPINESEG_DISCS = {
    80: DiscLevel.T9_T10,
    81: DiscLevel.T10_T11,
    82: DiscLevel.T11_T12,
    91: DiscLevel.T12_L1,
    92: DiscLevel.L1_L2,
    93: DiscLevel.L2_L3,
    94: DiscLevel.L3_L4,
    95: DiscLevel.L4_L5,
    100: DiscLevel.L5_S1,
}

SPINEPS_VERTEBRAE = {16 + i: level for i, level in enumerate(VertebraLevel)}
SPINEPS_DISCS = {
    100 + number: disc
    for number, level in SPINEPS_VERTEBRAE.items()
    for disc in DiscLevel
    if disc.upper is level and disc is not DiscLevel.L5_L6
}


@dataclasses.dataclass(frozen=True)
class LabelNumbers:
    """What the numbers in the label maps of one tool are.

    Attributes:
        name: Of the tool.
        vertebrae: Number -> level. A number is one whole vertebra.
        discs: Number -> disc.
        canal: Numbers of the spinal canal and of the cord in it.
    """

    name: str
    vertebrae: Mapping[int, VertebraLevel]
    discs: Mapping[int, DiscLevel]
    canal: tuple[int, ...]


SPIDER_LABELS = LabelNumbers(
    "SPIDER",
    SPIDER_VERTEBRAE,
    {SPIDER_DISC_OFFSET + number: disc for number, disc in SPIDER_DISCS.items()},
    (SPIDER_CANAL,),
)
# Label maps by the name that commands give them. S1 of the others is the whole sacrum.
LABEL_MAPS = {
    "spider": SPIDER_LABELS,
    "totalspineseg": LabelNumbers(
        "TotalSpineSeg", TOTALSPINESEG_VERTEBRAE, TOTALSPINESEG_DISCS, (1, 2)
    ),
    "spineps": LabelNumbers("SPINEPS", SPINEPS_VERTEBRAE, SPINEPS_DISCS, (60, 61)),
}
