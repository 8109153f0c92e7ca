"""What may be known of a person from an image's header, in classes only: the one table.

A conversion stores these facts on request alone, and never more than the class. UNKNOWN is a fact
that the header does not tell, or that was not asked for.
"""

import dataclasses
from collections.abc import Mapping

UNKNOWN = -1


@dataclasses.dataclass(frozen=True)
class HeaderFact:
    """One fact.

    Attributes:
        name: Its name in flags, records and outputs.
        titles: What each class is called; the position is the class index.
    """

    name: str
    titles: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """Number of classes; UNKNOWN is none of them."""
        return len(self.titles)


def _groups(first: int, end: int, unit: str) -> tuple[str, ...]:
    """Titles of groups of ten between all below `first` and all from `end` on."""
    middle = (f"{low} to {low + 9}{unit}" for low in range(first, end, 10))
    return (f"under {first}{unit}", *middle, f"{end}{unit} and over")


_FIRST_YEARS, _END_YEARS = 20, 80
_FIRST_KG, _END_KG = 40, 120

SEX = HeaderFact("sex", ("female", "male"))
AGE = HeaderFact("age", _groups(_FIRST_YEARS, _END_YEARS, ""))
WEIGHT = HeaderFact("weight", _groups(_FIRST_KG, _END_KG, " kg"))
FACTS: Mapping[str, HeaderFact] = {fact.name: fact for fact in (SEX, AGE, WEIGHT)}


def age_class(years: float) -> int:
    """Returns the class of an age: under 20, 20 to 29, ... 80 and over."""
    return _group(years, _FIRST_YEARS, _END_YEARS)


def weight_class(kg: float) -> int:
    """Returns the class of a weight: under 40 kg, 40 to 49 kg, ... 120 kg and over."""
    return _group(kg, _FIRST_KG, _END_KG)


def _group(value: float, first: int, end: int) -> int:
    return int((min(max(value, first - 10), end) - first) // 10) + 1


def parse_names(text: str) -> tuple[str, ...]:
    """Returns the names in a comma list, in the order of FACTS; none of an empty text.

    Raises:
        ValueError: If a name is none of FACTS.
    """
    names = {name.strip() for name in text.split(",")} - {""}
    if names - set(FACTS):
        raise ValueError(
            f"`header_facts` must be a comma list of {', '.join(FACTS)}, got {text!r}."
        )
    return tuple(name for name in FACTS if name in names)
