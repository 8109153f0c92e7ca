"""What --help and shell completion tell of the flags of a script. Imports nothing heavy."""

import dataclasses
import textwrap
from collections.abc import Sequence

_WIDTH = 96


@dataclasses.dataclass(frozen=True)
class Fact:
    """A flag, as a person sees it.

    Attributes:
        name: Without dashes.
        text: What it means.
        value: What stands for its value, such as INT; "" for a switch (--name or --noname).
        choices: All values that it may have, if there are only some.
        default: As text; "" if there is none.
        is_required: Whether it must be given.
    """

    name: str
    text: str
    value: str
    choices: tuple[str, ...] = ()
    default: str = ""
    is_required: bool = False


def page(program: str, docstring: str, facts: Sequence[Fact]) -> str:
    """Returns what --help prints.

    Args:
        program: How the script is called.
        docstring: Of its module.
        facts: Its flags.
    """
    lines = [f"usage: {program} --flag=value ...", "", textwrap.dedent(docstring).strip(), ""]
    lines.append("flags:")
    for fact in facts:
        lines.append(f"  {_signature(fact)}")
        lines += textwrap.wrap(
            _meaning(fact),
            _WIDTH,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _signature(fact: Fact) -> str:
    if not fact.value:
        return f"--{fact.name}  or  --no{fact.name}  (default: {fact.default})"
    value = fact.value if _has_many(fact) or not fact.choices else "|".join(fact.choices)
    note = "required" if fact.is_required else f"default: {fact.default}" * bool(fact.default)
    return f"--{fact.name}={value}" + f"  ({note})" * bool(note)


def _has_many(fact: Fact) -> bool:
    """Whether its choices are too many for one line."""
    return len("|".join(fact.choices)) > _WIDTH // 2


def _meaning(fact: Fact) -> str:
    return f"{fact.text} One of {', '.join(fact.choices)}." if _has_many(fact) else fact.text
